"""The progress of a run on a terminal, drawn by rich; the library is imported only there."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tap_pigment.redaction import printable
from tap_pigment.run_report import Result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from tap_pigment.run_report import RunReport

_MAX_STREAMS = 12
_REFRESHES_PER_SECOND = 4


def is_on_terminal() -> bool:
    """Return whether the log goes to a terminal, and messages do not."""
    return bool(sys.stderr) and sys.stderr.isatty() and not sys.stdout.isatty()


@contextmanager
def live_display(report: RunReport) -> Iterator[None]:
    """Draw the progress of a run below its log until the block ends.

    Args:
        report: The report of the run.
    """
    from rich.console import Console  # noqa: PLC0415 - not in a pipe.
    from rich.live import Live  # noqa: PLC0415 - not in a pipe.

    live = Live(
        get_renderable=lambda: _table(report),
        console=Console(stderr=True),
        refresh_per_second=_REFRESHES_PER_SECOND,
        transient=True,
        redirect_stdout=False,
    )
    with live, _log_above():
        yield


@contextmanager
def _log_above() -> Iterator[None]:
    """Let the log handlers write to the stream that rich has put in the place of stderr, above its display."""
    handlers = [handler for handler in logging.getLogger().handlers if type(handler) is logging.StreamHandler]
    streams = [handler.setStream(sys.stderr) for handler in handlers]
    try:
        yield
    finally:
        for handler, stream in zip(handlers, streams, strict=True):
            if stream is not None:
                handler.setStream(stream)


def _table(report: RunReport) -> Table:
    """Return what goes on now, and how many streams are done."""
    from rich.table import Table  # noqa: PLC0415 - not in a pipe.
    from rich.text import Text  # noqa: PLC0415 - not in a pipe.

    streams = report.streams
    table = Table.grid(padding=(0, 2))
    for progress in report.active[:_MAX_STREAMS]:
        # In a plain name, brackets would be markup.
        table.add_row(Text(printable(progress.name)), progress.state_text())
    if not streams:
        return table
    done = sum(stream.result is not Result.NOT_SYNCED for stream in streams)
    table.add_row("all", f"{done:,} of {len(streams):,} done")
    return table

"""What the tap and its streams share during a run."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk import Stream

    from tap_pigment.changes import SnapshotStore
    from tap_pigment.exports import (
        DuckDBSession,
        ExportDownloader,
        ExportFile,
        Prefetcher,
        SpoolDirectory,
        SpoolRoom,
    )
    from tap_pigment.output import StateWriter
    from tap_pigment.pigment import PigmentClient
    from tap_pigment.run_report import RunReport
    from tap_pigment.settings import Settings
    from tap_pigment.stream_failures import StreamFailures


class StopRequest:
    """The request to end the run, made by a signal.

    Python loses the exit that a signal handler raises while an object is being freed, and DuckDB turns one in the
    middle of a query into an error of its own. So the exit is raised once more where nothing can catch it.
    """

    def __init__(self) -> None:
        self._exit_code = 0
        self._is_ignored = False

    def make(self, exit_code: int) -> bool:
        """Remember the exit code of the run, and return whether this is the first request."""
        is_first = not (self._exit_code or self._is_ignored)
        self._exit_code = exit_code if is_first else self._exit_code
        return is_first

    @contextmanager
    def ignored(self) -> Iterator[None]:
        """Ignore requests during the block, at the end of the run: it removes files, and nothing is left to stop."""
        self._is_ignored = True
        try:
            yield
        finally:
            self._is_ignored = False

    def exit_if_made(self) -> None:
        """End the run if that was requested."""
        if self._exit_code and not self._is_ignored:
            sys.exit(self._exit_code)

    @contextmanager
    def checked(self) -> Iterator[None]:
        """End the run before or after the block if that was requested."""
        self.exit_if_made()
        try:
            yield
        finally:
            self.exit_if_made()


@dataclass(frozen=True)
class RunContext:
    """Everything that the tap and its streams share.

    Attributes:
        settings: The settings.
        client: The client of Pigment's API.
        spool: The directory for exports.
        room: The bytes of all exports on disk.
        downloader: Downloads exports.
        prefetcher: Downloads them ahead.
        session: DuckDB.
        store: The store of snapshots; None without `change_detection: row`.
        failures: The streams that failed.
        report: The progress of all streams.
        stop: The request to end the run.
        states: Writes STATE messages.
    """

    settings: Settings
    client: PigmentClient
    spool: SpoolDirectory
    room: SpoolRoom
    downloader: ExportDownloader
    prefetcher: Prefetcher[Stream, ExportFile]
    session: DuckDBSession
    store: SnapshotStore | None
    failures: StreamFailures
    report: RunReport
    stop: StopRequest
    states: StateWriter

    @contextmanager
    def discovering(self) -> Iterator[None]:
        """End the run before or after the block if that was requested, and cancel its requests if an error ends it."""
        try:
            with self.stop.checked():
                yield
        except BaseException:
            self.client.cancel()  # Or requests in progress would go on to their end.
            raise

    def close(self) -> None:
        """Close all connections and the database, and remove the spool directory; the next use opens others."""
        with ExitStack() as closing:  # The last one first, and all of them even if one fails.
            closing.callback(self.spool.close)
            closing.callback(self.session.close)
            closing.callback(self.client.close)

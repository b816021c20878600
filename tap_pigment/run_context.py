"""What the tap and its streams share during a run."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk import Stream

    from tap_pigment.changes import SnapshotStore
    from tap_pigment.exports import DuckDBSession, ExportDownloader, ExportFile, Prefetcher, SpoolDirectory
    from tap_pigment.pigment import PigmentClient
    from tap_pigment.run_report import StreamFailures
    from tap_pigment.settings import Settings


class StopRequest:
    """The request to end the run, made by a signal.

    Python loses the exit that a signal handler raises while an object is being freed, and DuckDB turns one in the
    middle of a query into an error of its own. So the exit is raised once more where nothing can catch it.
    """

    def __init__(self) -> None:
        self._exit_code = 0

    def make(self, exit_code: int) -> None:
        """Remember the exit code of the run."""
        self._exit_code = exit_code

    def exit_if_made(self) -> None:
        """End the run if that was requested."""
        if self._exit_code:
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
        downloader: Downloads exports.
        prefetcher: Downloads them ahead.
        session: DuckDB.
        store: The store of snapshots; None without `change_detection: row`.
        failures: The streams that failed.
        stop: The request to end the run.
    """

    settings: Settings
    client: PigmentClient
    spool: SpoolDirectory
    downloader: ExportDownloader
    prefetcher: Prefetcher[Stream, ExportFile]
    session: DuckDBSession
    store: SnapshotStore | None
    failures: StreamFailures
    stop: StopRequest

    def close(self) -> None:
        """Close all connections and the database, and remove the spool directory; the next use opens others."""
        self.client.close()
        self.session.close()
        self.spool.close()

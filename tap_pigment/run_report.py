"""The report of a run: what each stream does while it goes on, and a table of all streams at its end."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic
from typing import TYPE_CHECKING, Any

from tap_pigment.errors import OutputError, counted
from tap_pigment.redaction import printable

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Iterator, Sequence

PROGRESS_SECONDS = 8.0
_MAX_TICK_SECONDS = 1.0
_UNITS = ("B", "kB", "MB", "GB", "TB")
_HEADINGS = ("stream", "rows emitted", "deleted", "bytes", "seconds", "tries", "result")


class Stage(StrEnum):
    """What a stream does now."""

    IDLE = "idle"
    LISTING = "listing"
    DOWNLOADING = "downloading"
    VALIDATING = "validating"
    EMITTING = "emitting"


class Result(StrEnum):
    """What became of a stream."""

    NOT_SYNCED = "not synced"
    COMPLETE = "complete"
    UNCHANGED = "unchanged"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def total(self) -> str:
        """The name of the number of streams with this result, in the totals of the report."""
        return self.value.replace(" ", "_")


@dataclass
class StreamProgress:
    """One stream in one run.

    Attributes:
        name: The stream's name.
        logger: Reports the beginning and the end of the download.
        clock: Returns the time in seconds.
        place: Its place among all streams, with a space before it, such as ` 3 of 12`.
        stage: What it does now.
        stage_began: When the stage began.
        seconds: The seconds of all stages that have ended.
        part: The number of the part of the export that is downloaded last, from 1.
        parts: How many parts the export has.
        awaited: What the next request for it waits for, such as the quota; empty once that is sent.
        tries: How often the export, or a part of it, was requested.
        received_bytes: The bytes of all parts so far, decompressed; only the last try of each counts.
        bytes_before: Those of the parts before the last one.
        rows: How many rows there are to emit; deleted ones count.
        emitted_rows: How many were emitted.
        deleted_rows: How many of these are deleted ones; None where rows are not compared.
        result: What became of the stream.
        reported_at: When the log last had a line about the stage.
    """

    name: str
    logger: logging.Logger
    clock: Callable[[], float]
    place: str = ""
    stage: Stage = Stage.IDLE
    stage_began: float = 0.0
    seconds: float = 0.0
    part: int = 1
    parts: int = 1
    awaited: str = ""
    tries: int = 0
    received_bytes: int = 0
    bytes_before: int = 0
    rows: int = 0
    emitted_rows: int = 0
    deleted_rows: int | None = None
    result: Result = Result.NOT_SYNCED
    reported_at: float = field(default=0.0, repr=False)

    @contextmanager
    def during(self, stage: Stage) -> Iterator[None]:
        """Be in a stage until the block ends."""
        self.stage = stage
        self.stage_began = self.reported_at = self.clock()
        try:
            yield
        finally:
            self.stage = Stage.IDLE
            self.seconds += self.clock() - self.stage_began

    @contextmanager
    def downloading(self) -> Iterator[None]:
        """Report the beginning of the export, and its arrival when the block ends."""
        self.logger.info("%s: export%s begins", self.name, self.place)
        with self.during(Stage.DOWNLOADING):
            yield
        self.logger.info(
            "%s: export%s arrived: %s in %s s%s",
            self.name,
            self.place,
            size_text(self.received_bytes),
            f"{self.seconds:,.1f}",
            self._requests_text(),
        )

    def _requests_text(self) -> str:
        """Return how many parts and tries there were, where there was more than one."""
        texts = [f"{self.parts:,} parts"] if self.parts > 1 else []
        texts += [counted(self.tries, "try", "tries")] if self.tries > self.parts else []
        return f" ({', '.join(texts)})" if texts else ""

    @contextmanager
    def syncing(self) -> Iterator[None]:
        """Note the result when the block ends; one that the block has set stays, unless it ends with an error."""
        try:
            yield
        except BaseException as error:
            is_stop = isinstance(error, OutputError) or not isinstance(error, Exception)
            self.result = Result.STOPPED if is_stop else Result.FAILED
            raise
        if self.result is Result.NOT_SYNCED:
            self.result = Result.COMPLETE

    def begin_part(self, part: int, parts: int) -> None:
        """Note which part of the export is downloaded now, from 1, and how many there are; it may begin once more."""
        self.part, self.parts = part, parts
        self.bytes_before = self.received_bytes if part > 1 else 0

    def begin_try(self) -> None:
        """Count a request for the export, or for a part of it."""
        self.tries += 1
        self.awaited = ""
        self.received_bytes = self.bytes_before

    def begin_wait(self, awaited: str) -> None:
        """Note what the next request waits for."""
        self.awaited = awaited

    def add_received(self, size_bytes: int) -> None:
        """Add bytes of the export that arrived."""
        self.received_bytes += size_bytes

    def state_text(self) -> str:
        """Return what the stream does now, and for how long."""
        seconds = f"{self.clock() - self.stage_began:,.0f} s"
        part = f"{part_text(self.part, self.parts)}, " if self.parts > 1 else ""
        match self.stage:
            case Stage.DOWNLOADING if self.awaited:
                return f"{part}waiting for {self.awaited}, {seconds}"
            case Stage.DOWNLOADING if self.received_bytes == self.bytes_before:
                return f"{part}waiting for Pigment's response, {seconds}"
            case Stage.DOWNLOADING:
                return f"{part}{size_text(self.received_bytes)} received so far, {seconds}"
            case Stage.EMITTING:
                return f"{self.emitted_rows:,} of {counted(self.rows, 'row')} emitted so far, {seconds}"
        return f"{self.stage}, {seconds}"

    def to_json(self) -> dict[str, Any]:
        """Return the stream's row of the table as JSON."""
        return {
            "stream": self.name,
            "rows": self.emitted_rows,
            "deleted": self.deleted_rows,
            "bytes": self.received_bytes,
            "seconds": round(self.seconds, 3),
            "tries": self.tries,
            "part": self.part,
            "parts": self.parts,
            "result": self.result.value,
        }


@dataclass
class DiscoveryProgress:
    """How many blocks discovery has read.

    Attributes:
        blocks: How many there are to read.
        clock: Returns the time in seconds.
        began: When it began.
        read: How many were read so far; those that cannot be read count.
        reported_at: When the log last had a line about it.
    """

    blocks: int
    clock: Callable[[], float]
    began: float
    read: int = 0
    reported_at: float = field(default=0.0, repr=False)
    name = "Discovery"

    def count_block(self) -> None:
        """Count a block that was read."""
        self.read += 1

    def state_text(self) -> str:
        """Return how many blocks were read, and in how many seconds."""
        seconds = self.clock() - self.began
        if self.read < self.blocks:
            return f"{self.read:,} of {counted(self.blocks, 'block')} read so far, {seconds:,.0f} s"
        return f"{counted(self.blocks, 'block')} read in {seconds:,.1f} s"


class RunReport:
    """The progress of discovery and of all streams of one run.

    Args:
        logger: Reports progress, and the table at the end.
        progress_seconds: After how many seconds what is not done is reported again.
        clock: Returns the time in seconds.
    """

    def __init__(
        self,
        logger: logging.Logger,
        *,
        progress_seconds: float = PROGRESS_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._logger = logger
        self._progress_seconds = progress_seconds
        self._clock = clock
        self._streams: dict[str, StreamProgress] = {}
        self._discovery: DiscoveryProgress | None = None

    @property
    def streams(self) -> Sequence[StreamProgress]:
        """The progress of each stream."""
        return tuple(self._streams.values())

    @property
    def active(self) -> Sequence[DiscoveryProgress | StreamProgress]:
        """What goes on now."""
        discovery = [self._discovery] if self._discovery else []
        return [*discovery, *(stream for stream in self.streams if stream.stage is not Stage.IDLE)]

    @contextmanager
    def discovering(self, blocks: int) -> Iterator[DiscoveryProgress]:
        """Give the progress of discovery, and report its end when the block ends without an error."""
        now = self._clock()
        self._discovery = discovery = DiscoveryProgress(blocks, self._clock, now, reported_at=now)
        try:
            yield discovery
        finally:
            self._discovery = None
        self._logger.info("%s: %s", discovery.name, discovery.state_text())

    def stream(self, name: str) -> StreamProgress:
        """Return the progress of a stream."""
        return self._streams.setdefault(name, StreamProgress(name, self._logger, self._clock))

    @contextmanager
    def running(
        self, names: Sequence[str], *, failed: Iterable[str] = (), failed_applications: Sequence[str] = ()
    ) -> Iterator[None]:
        """Report the streams of a run in a table when the block ends, however it ends.

        Args:
            names: The streams to sync.
            failed: Those that failed before.
            failed_applications: The applications that cannot be listed.
        """
        self._streams = {
            name: StreamProgress(name, self._logger, self._clock, f" {number:,} of {len(names):,}")
            for number, name in enumerate(names, 1)
        }
        for name in failed:
            self.stream(name).result = Result.FAILED
        began = self._clock()
        try:
            yield
        finally:
            seconds = self._clock() - began
            lines = table_lines(self.streams, seconds)
            self._logger.info("\n".join(["Streams of this run:", *["%s"] * len(lines)]), *lines)
            report = as_json(self.streams, seconds, failed_applications)
            self._logger.info("REPORT: %s", json.dumps(report, separators=(",", ":")))

    @contextmanager
    def progress_lines(self) -> Iterator[None]:
        """Report everything that takes long, again and again until the block ends."""
        is_over = threading.Event()
        tick = min(_MAX_TICK_SECONDS, self._progress_seconds / 4)

        def report() -> None:
            while not is_over.wait(tick):
                for progress in self.active:
                    if self._clock() - progress.reported_at >= self._progress_seconds:
                        progress.reported_at = self._clock()
                        self._logger.info("%s: %s", progress.name, progress.state_text())

        thread = threading.Thread(target=report, name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()


def as_json(
    streams: Sequence[StreamProgress], seconds: float, failed_applications: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the report of a run as JSON.

    Args:
        streams: The streams.
        seconds: The seconds of the whole run; streams overlap.
        failed_applications: The applications that cannot be listed.
    """
    results = [stream.result for stream in streams]
    return {
        "streams": [stream.to_json() for stream in streams],
        "failed_applications": list(failed_applications),
        "totals": {
            "streams": len(streams),
            **{result.total: results.count(result) for result in Result},
            "rows": sum(stream.emitted_rows for stream in streams),
            "deleted": sum(stream.deleted_rows or 0 for stream in streams),
            "bytes": sum(stream.received_bytes for stream in streams),
            "seconds": round(seconds, 3),
            "tries": sum(stream.tries for stream in streams),
        },
    }


def table_lines(streams: Sequence[StreamProgress], seconds: float) -> list[str]:
    """Return the report of a run as a table: a heading, a line for each stream, and one for all; see `as_json`."""
    report = as_json(streams, seconds)
    totals = report["totals"]
    results = ", ".join(f"{totals[result.total]:,} {result.value}" for result in Result if totals[result.total])
    rows = [_HEADINGS, *map(_cells, report["streams"]), _cells({**totals, "stream": "all", "result": results})]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place in {0, len(row) - 1} else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def part_text(part: int, parts: int) -> str:
    """Return which part of an export it is, such as `part 3 of 60`."""
    return f"part {part:,} of {parts:,}"


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    deleted = "" if row["deleted"] is None else f"{row['deleted']:,}"
    return (
        printable(row["stream"]),
        f"{row['rows']:,}",
        deleted,
        size_text(row["bytes"]),
        f"{row['seconds']:,.1f}",
        f"{row['tries']:,}",
        f"{row['result']}, {part_text(row['part'], row['parts'])}" if row.get("parts", 1) > 1 else row["result"],
    )


def size_text(size_bytes: int) -> str:
    """Return a number of bytes with three digits or so and its unit, such as `1.2 MB`."""
    size = float(size_bytes)
    for unit in _UNITS[:-1]:
        if size < 1000:  # noqa: PLR2004 - the factor of the units.
            return f"{size_bytes:,} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} {_UNITS[-1]}"

"""Downloads exports: each arrives on disk complete and well-formed, or is retried, or fails."""

from __future__ import annotations

import csv
import hashlib
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from tap_pigment.errors import MalformedExportError, PigmentExportError
from tap_pigment.exports.csv_counter import CsvCounter
from tap_pigment.exports.csv_fallback import first_fault
from tap_pigment.exports.spool_directory import disk_errors
from tap_pigment.pigment import RetriableResponseError, export_chunks, missing_end_proof

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator
    from hashlib import _Hash
    from pathlib import Path

    from requests import Response

    from tap_pigment.exports.spool_directory import SpoolDirectory
    from tap_pigment.exports.spool_room import SpoolRoom
    from tap_pigment.pigment import ApiRequest, PigmentClient

_CHUNK_BYTES = 1 << 17
_MIN_TRIES_TO_ACCEPT = 2


@dataclass(frozen=True)
class ExportPart:
    """A part of an export: its name in messages, and the number of its rows."""

    name: str
    rows: int


@dataclass(frozen=True)
class ExportFile:
    """A complete export on disk.

    Attributes:
        path: The CSV file.
        counts: What was counted while it arrived.
        header: The fields of its first line.
        received_at: When its response began to arrive.
        response: The response, closed.
        digest: The running SHA-256 of the file; None if it is not needed.
        parts: The parts whose rows the file holds, in their order; none if it was exported in one.
    """

    path: Path
    counts: CsvCounter
    header: tuple[str, ...]
    received_at: datetime
    response: Response
    digest: _Hash | None = None
    parts: tuple[ExportPart, ...] = ()

    @property
    def sha256(self) -> str | None:
        """The SHA-256 of the file in hexadecimal; None if it is not needed."""
        return self.digest.hexdigest() if self.digest else None

    def place_of(self, row: int) -> str:
        """Return how messages name a row, which is numbered from 1: by its number in its part, if there are parts."""
        for part in self.parts:
            if row <= part.rows:
                return f"row {row:,} of {part.name}"
            row -= part.rows
        return f"row {row:,}"

    def delete(self) -> None:
        """Delete the file, and every file beside it whose name differs only in its suffixes.

        What cannot be deleted stays until the spool directory is removed: an error here would hide the one before it.
        """
        with suppress(OSError), os.scandir(self.path.parent) as entries:
            for entry in entries:
                if entry.name.startswith(f"{self.path.stem}."):
                    with suppress(OSError):
                        os.unlink(entry)  # noqa: PTH108 - a Path for each file of a run takes far longer.


class DownloadProgress(Protocol):
    """Keeps track of the download of a stream.

    Attributes:
        name: The stream's name.
        received_bytes: The bytes of it that arrived so far, decompressed.
    """

    name: str
    received_bytes: int

    def begin_try(self) -> None:
        """Note that the export is requested, again or for the first time."""

    def begin_wait(self, awaited: str) -> None:
        """Note that the next request waits for something, such as the quota."""

    def add_received(self, size_bytes: int) -> None:
        """Note that bytes of it arrived, decompressed."""


class MissingFinalNewlineError(PigmentExportError):
    """The export lacks nothing but the line end of its last line."""


class ExportDownloader:
    """Downloads exports; all threads share it.

    Args:
        client: The client.
        spool: The directory for exports.
        room: The bytes of all exports on disk.
        is_hashed: Whether to compute the SHA-256 of each file.
        logger: Reports an accepted export without its final line end.
    """

    def __init__(
        self,
        client: PigmentClient,
        spool: SpoolDirectory,
        room: SpoolRoom,
        *,
        is_hashed: bool,
        logger: logging.Logger,
    ) -> None:
        self._client = client
        self._spool = spool
        self._room = room
        self._is_hashed = is_hashed
        self._logger = logger
        self._omits_final_newline = False
        self._lock = threading.Lock()

    def download(self, request: ApiRequest, progress: DownloadProgress) -> ExportFile:
        """Return an export, complete and on disk.

        Pigment does not document whether it ends the last line of an export. So a body that lacks only that line end
        is retried. If all tries, at least two, end at the same byte, the last one is accepted, with one warning a run.

        Raises:
            PigmentError: If no try succeeds.
            PostponedError: If exports ahead take too much room on the disk, and this one is ahead.
        """
        unended: ExportFile | None = None
        sizes: list[int] = []
        tries = 0

        def receive(response: Response) -> ExportFile:
            nonlocal tries, unended
            tries += 1
            if unended:  # The disk has room for one try.
                unended.delete()
                unended = None
            file = self._receive(response, request, progress)
            if file.counts.ends_with_newline or self._omits_final_newline:
                return file
            unended = file
            sizes.append(file.counts.size_bytes)
            raise _incomplete(request, response, "it does not end with a line end", MissingFinalNewlineError)

        try:
            return self._client.fetch(
                request, receive, phase=progress.name, on_try=progress.begin_try, on_wait=progress.begin_wait
            )
        except MissingFinalNewlineError:
            if unended is None or not (len(sizes) == tries >= _MIN_TRIES_TO_ACCEPT and len(set(sizes)) == 1):
                raise
            self._accept_without_final_newline(request)
            accepted, unended = unended, None
            return accepted
        finally:
            if unended:
                unended.delete()

    def _accept_without_final_newline(self, request: ApiRequest) -> None:
        with self._lock:
            if not self._omits_final_newline:
                self._logger.warning(
                    "%s: the export does not end with a line end, and all tries ended at the same byte. Exports "
                    "without it are accepted for the rest of the run.",
                    request.subject,
                )
            self._omits_final_newline = True

    def _receive(self, response: Response, request: ApiRequest, progress: DownloadProgress) -> ExportFile:
        """Return the body of a response on disk, whole but for the line end of its last line."""
        received_at = datetime.now(UTC)
        path = self._spool.new_file()
        counts = CsvCounter()
        digest = hashlib.sha256() if self._is_hashed else None
        body = path.open("wb")
        try:
            for chunk in self._chunks(response, request):
                counts.feed(chunk)
                progress.add_received(len(chunk))
                self._room.hold(progress.name, progress.received_bytes)
                if digest:
                    digest.update(chunk)
                if counts.is_header_too_long:
                    break
                with disk_errors(path.parent, _needed_room(response, counts)):
                    body.write(chunk)
            with disk_errors(path.parent, _needed_room(response, counts)):
                body.close()
            header = _checked_header(path, counts, response, request)
        except BaseException:
            with suppress(OSError):  # A full disk refuses the rest of the buffer once more.
                body.close()
            path.unlink(missing_ok=True)
            raise
        return ExportFile(path, counts, header, received_at, response, digest)

    def _chunks(self, response: Response, request: ApiRequest) -> Iterator[bytes]:
        """Yield the decompressed body of a response.

        Raises:
            RetriableResponseError: If it is not an export, or the transport does not prove its end.
        """
        for chunk in export_chunks(response, request, chunk_bytes=_CHUNK_BYTES):
            self._client.raise_if_cancelled(request)
            yield chunk
        if problem := missing_end_proof(response):
            raise _incomplete(request, response, problem)


def _checked_header(path: Path, counts: CsvCounter, response: Response, request: ApiRequest) -> tuple[str, ...]:
    """Return the header of a body that arrived to its end, after a check that every row has its number of fields."""
    header = read_header(counts, request, response)
    if header is None:
        raise _incomplete(request, response, "it is empty, without even a header")
    if counts.has_open_quote:
        raise _incomplete(request, response, "it ends inside a quoted field")
    if not counts.has_width(len(header)) and (fault := first_fault(path)):
        raise malformed(request, fault, response)
    return header


def _needed_room(response: Response, counts: CsvCounter) -> str:
    announced = response.headers.get("Content-Length")
    size = f"{announced} bytes as sent" if announced else f"more than the {counts.size_bytes:,} bytes so far"
    return f"The export needs {size}, beside those that are downloaded ahead (max_prefetch_mb)."


def _incomplete(
    request: ApiRequest,
    response: Response,
    problem: str,
    error_class: type[PigmentExportError] = PigmentExportError,
) -> RetriableResponseError:
    message = f"{request.subject}: the export is incomplete: {problem}. Nothing was emitted. Run again later."
    return RetriableResponseError(error_class(message), response)


def malformed(request: ApiRequest, fault: str, response: Response) -> RetriableResponseError:
    """Return the error for a body with a faulty row."""
    message = f"{request.subject}: {fault}. Nothing was emitted. Run again; if it persists, check that row in Pigment."
    return RetriableResponseError(MalformedExportError(message), response)


def read_header(counts: CsvCounter, request: ApiRequest, response: Response) -> tuple[str, ...] | None:
    """Return the header of a body, or None if it has none.

    Raises:
        RetriableResponseError: If it is not UTF-8 or not CSV.
    """
    try:
        return counts.header
    except (UnicodeDecodeError, csv.Error) as error:
        raise malformed(request, f"the header is not UTF-8 CSV: {error}", response) from None

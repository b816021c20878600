"""An export's answer on disk: received whole and checked, or an error that says to try again."""

from __future__ import annotations

import csv
import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_pigment.body import TryAgainError, decoded_pieces, unproven_end
from tap_pigment.csv_rows import first_fault
from tap_pigment.errors import MalformedExportError, PigmentExportError, SpoolError
from tap_pigment.failures import not_csv
from tap_pigment.shape import CsvShape, LineShape, shape_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from requests import Response

    from tap_pigment.folder import SpoolFolder
    from tap_pigment.protocol import Call

_PIECE_BYTES = 1 << 20
_MIN_TRIES_TO_TRUST_AN_END = 2


@dataclass(frozen=True)
class Spool:
    """An export on disk.

    Attributes:
        path: The CSV file.
        shape: What was counted while it arrived; only the lines where these may be known.
        header: The fields of its first line.
        received_at: When the answer began to arrive.
        digest: The SHA-256 of the file; None where nobody asks for it.
    """

    path: Path
    shape: LineShape
    header: tuple[str, ...]
    received_at: datetime
    digest: str | None = None

    def delete(self) -> None:
        """Delete the file, and what was written beside it under its name."""
        for path in self.path.parent.glob(f"{self.path.stem}.*"):
            path.unlink(missing_ok=True)


class Reception:
    """The tries at receiving one export, and what they have in common.

    Whether Pigment ends the last line of an export is not documented. So a body that lacks nothing but that line end is
    tried again; when all tries end at the same byte, this server just does not write it.

    Args:
        call: What exports the block.
        folder: Where to put the body.
        is_hashed: Whether to make its digest.
        counts_cells: Whether to count the cells, and not only the lines: whoever takes the export has to do it then.
        is_cancelled: Whether the run is to end.
    """

    def __init__(
        self,
        call: Call,
        folder: SpoolFolder,
        *,
        is_hashed: bool,
        counts_cells: bool,
        is_cancelled: Callable[[], bool],
    ) -> None:
        self._call = call
        self._folder = folder
        self._is_hashed = is_hashed
        self._counts_cells = counts_cells
        self._is_cancelled = is_cancelled
        self._unended: list[Spool] = []
        self._tries = 0

    def receive(self, response: Response, received_at: datetime, *, line_end_expected: bool) -> Spool:
        """Return the body of `response` on disk.

        Raises:
            TryAgainError: If it is not complete.
            SpoolError: If the disk does not take it.
        """
        self._tries += 1
        path = self._folder.new_file()
        shape = CsvShape() if self._counts_cells else LineShape()
        digest = hashlib.sha256() if self._is_hashed else None
        try:
            with path.open("wb") as body:
                for piece in self._pieces(response):
                    shape.feed(piece)
                    if digest:
                        digest.update(piece)
                    with _disk_errors(path, shape, response):
                        body.write(piece)
                with _disk_errors(path, shape, response):
                    body.flush()
            if not (self._counts_cells or shape.line_ends):
                shape = shape_of(path)  # It may be cut: nobody is to take it for whole without a look.
            header = self._checked_header(path, shape, response)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        spool = Spool(path, shape, header, received_at, digest.hexdigest() if digest else None)
        if shape.line_ends or not line_end_expected:
            self.forget()
            return spool
        for former in self._unended:
            former.delete()
        self._unended.append(spool)
        raise TryAgainError(self._incomplete("it does not end with a line end"), response)

    def accepted_without_line_end(self) -> Spool | None:
        """Return the last body if all tries, at least two, ended at the same byte and lacked only the line end."""
        sizes = {spool.shape.size for spool in self._unended}
        if len(self._unended) == self._tries >= _MIN_TRIES_TO_TRUST_AN_END and len(sizes) == 1:
            return self._unended[-1]
        return None

    def forget(self) -> None:
        """Delete what the tries have left on disk."""
        for spool in self._unended:
            spool.delete()

    def _pieces(self, response: Response) -> Iterator[bytes]:
        """Yield the body, decoded.

        Raises:
            TryAgainError: If the transport does not vouch for its end, or if it is no export from the start.
        """
        start = True
        for piece in decoded_pieces(response, self._call, piece_bytes=_PIECE_BYTES):
            if self._is_cancelled():
                raise PigmentExportError(f"While {self._call.purpose}: the run was stopped.")
            if start and (problem := not_csv(response.headers.get("Content-Type", ""), piece)):
                raise TryAgainError(PigmentExportError(f"While {self._call.purpose}: {problem}."), response)
            start = start and not piece
            yield piece
        if problem := unproven_end(response):
            raise TryAgainError(self._incomplete(problem), response)

    def _checked_header(self, path: Path, shape: LineShape, response: Response) -> tuple[str, ...]:
        """Return the header of a body that has arrived in full, after a check that every row has all its fields.

        Where cells were not counted, that is left to whoever takes the export.
        """
        header = read_header(shape, self._call, response)
        if header is None:
            raise TryAgainError(self._incomplete("it is empty, without even a header"), response)
        if isinstance(shape, CsvShape):
            if shape.open_quote:
                raise TryAgainError(self._incomplete("it ends inside of a quoted field"), response)
            if not shape.agrees_with(len(header)) and (fault := first_fault(path)):
                raise malformed(self._call, fault, response)
        return header

    def _incomplete(self, problem: str) -> PigmentExportError:
        return PigmentExportError(
            f"While {self._call.purpose}: the export is incomplete: {problem}. Nothing of it was sent. Run again later."
        )


@contextmanager
def _disk_errors(path: Path, shape: LineShape, response: Response) -> Iterator[None]:
    """Turn a disk's refusal into an error that says how much was to be kept, and where."""
    try:
        yield
    except OSError as error:
        announced = response.headers.get("Content-Length")
        needed = f"{announced} bytes as sent" if announced else f"more than the {shape.size:,} bytes that have come"
        raise SpoolError(
            f"spool_dir: {path.parent} does not take the export: {error.strerror}. It needs {needed}, and up to "
            "parallel_exports exports are there at once. Make room, or set spool_dir to a directory that has it."
        ) from None


def malformed(call: Call, fault: str, response: Response) -> TryAgainError:
    """Return the error for a body of which a row is not as it should be."""
    return TryAgainError(
        MalformedExportError(
            f"While {call.purpose}: {fault}. Nothing of it was sent. Run again; if it stays so, look at that row in "
            "Pigment."
        ),
        response,
    )


def read_header(shape: LineShape, call: Call, response: Response) -> tuple[str, ...] | None:
    """Return the header of a body, or None if it has none.

    Raises:
        TryAgainError: If it is not UTF-8 or not CSV.
    """
    try:
        return shape.header
    except (UnicodeDecodeError, csv.Error) as error:
        raise malformed(call, f"the header is not UTF-8 CSV: {error}", response) from None

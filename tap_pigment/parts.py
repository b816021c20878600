"""Parts of an export: files with its header and some of its rows, so that several can be worked on at once."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

    from tap_pigment.shape import CsvShape

_PIECE_BYTES = 1 << 17


def write_part(source: Path, shape: CsvShape, target: Path, start: int, rows: int) -> None:
    """Write the header and some rows of a CSV file to another file.

    Args:
        source: A file whose shape agrees with its header.
        shape: What was counted in it.
        target: The file to write.
        start: The first row, from 0.
        rows: How many rows; there may be fewer.
    """
    with source.open("rb") as body, target.open("wb") as part:
        _copy(body, part, 0, _row_start(body, shape, 0))
        _copy(body, part, _row_start(body, shape, start), _row_start(body, shape, start + rows))


def _row_start(body: BinaryIO, shape: CsvShape, row: int) -> int:
    """Return at which byte a row starts, or where the file ends if there is no such row."""
    lines = row + 1  # The header is a line too.
    mark = shape.marks[bisect_left(shape.marks, lines, key=lambda mark: mark.lines) - 1]
    position, lines, is_quoted = mark.size, lines - mark.lines, mark.open_quote
    body.seek(position)
    while piece := body.read(_PIECE_BYTES):
        for number, run in enumerate(piece.split(b'"')):
            if number:
                is_quoted = not is_quoted
                position += 1
            found = 0 if is_quoted else run.count(b"\n")
            if found >= lines:
                return position + len(run) - len(run.split(b"\n", lines)[lines])
            lines -= found
            position += len(run)
    return position


def _copy(body: BinaryIO, part: BinaryIO, start: int, end: int) -> None:
    body.seek(start)
    while start < end:
        piece = body.read(min(_PIECE_BYTES, end - start))
        part.write(piece)
        start += len(piece)

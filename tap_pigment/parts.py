"""Parts of an export: files with its header and some of its rows, so that several can be worked on at once."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, BinaryIO

from tap_pigment.shape import Mark

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tap_pigment.shape import LineShape

_PIECE_BYTES = 1 << 17


def write_part(source: Path, shape: LineShape, target: Path, start: int, rows: int) -> None:
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


def write_rows(source: Path, shape: LineShape, target: Path, rows: Sequence[int]) -> None:
    """Write the header and some rows of a CSV file to another file.

    Args:
        source: A file whose shape agrees with its header.
        shape: What was counted in it.
        target: The file to write.
        rows: Which rows, from 0, in their order.
    """
    wanted = iter(rows)
    number = next(wanted, None)
    with source.open("rb") as body, target.open("wb") as part:
        start = _row_start(body, shape, 0)
        _copy(body, part, 0, start)
        body.seek(start)
        first = 0
        for records in _records(body, shape, start):
            while number is not None and number < first + len(records):
                part.write(records[number - first] + b"\n")
                number = next(wanted, None)
            if number is None:
                return
            first += len(records)


def write_spans(source: Path, shape: LineShape, target: Path, spans: Sequence[tuple[int, int]]) -> None:
    """Write the header and some lines of a CSV file to another file.

    Args:
        source: A file in which every row is one line.
        shape: What was counted in it.
        target: The file to write.
        spans: Where the lines start, in bytes below the header, and how many bytes they have with their line ends.
    """
    with source.open("rb", buffering=0) as body, target.open("wb") as part:
        first = _row_start(body, shape, 0)
        _copy(body, part, 0, first)
        for start, size in spans:
            body.seek(first + start)
            part.write(body.read(size))


def _records(body: BinaryIO, shape: LineShape, start: int) -> Iterator[list[bytes]]:
    """Yield rows, some at a time and without their line ends, from where the first of them starts."""
    begun = b""
    lines = 1  # The header.
    for mark in [mark for mark in shape.marks if mark.size > start] + [Mark(shape.size, shape.lines, open_quote=False)]:
        piece = body.read(mark.size - body.tell())
        found = (begun + piece).split(b"\n")
        if begun.count(b"\n") + piece.count(b"\n") != mark.lines - lines:
            found = _joined(found)
        begun = found.pop()
        lines += len(found)
        yield found
    if begun:
        yield [begun]


def _joined(fragments: list[bytes]) -> list[bytes]:
    """Return lines of which those that end inside of quotes are put together; the last may go on."""
    records = []
    begun: list[bytes] = []
    is_quoted = False
    for fragment in fragments:
        begun.append(fragment)
        is_quoted ^= fragment.count(b'"') % 2 == 1
        if not is_quoted:
            records.append(b"\n".join(begun))
            begun = []
    return [*records, b"\n".join(begun)] if begun else records


def _row_start(body: BinaryIO, shape: LineShape, row: int) -> int:
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

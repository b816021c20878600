"""The rows of a CSV file one by one, as Python's `csv` reads them: slow, and exact about the row at fault."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from tap_pigment.shape import DELIMITER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

# csv's limit is per process, so it is set to the one value that hides no cell: the largest a C long holds everywhere.
_MAX_FIELD_CHARACTERS = 2**31 - 1


def rows_one_by_one(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the physical line each row ends at and its fields, the header first, as `csv` reads them.

    Bytes that are not UTF-8 come as surrogates. Slow: only for bodies in which counts do not agree.

    Raises:
        csv.Error: If a quoted field does not end, or something other than a delimiter follows it.
    """
    csv.field_size_limit(_MAX_FIELD_CHARACTERS)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as body:
        reader = csv.reader(body, delimiter=DELIMITER, strict=True)
        for fields in reader:
            yield reader.line_num, fields


def first_fault(path: Path) -> str | None:
    """Return what is wrong with the first row that is not as it should be, or None.

    Rows are numbered from 1 below the header, lines from 1 as an editor does.
    """
    row = -1
    line = 0
    width = 0
    try:
        for row, (line, fields) in enumerate(rows_one_by_one(path)):
            if not row:
                width = len(fields)
            # A blank line is a row of one blank field, and csv's word for it is no field at all.
            elif (found := len(fields) or 1) != width:
                return f"row {row} (line {line}) has {found} fields where the header has {width}"
            if any(is_not_utf8(field) for field in fields):
                return f"{'row ' + str(row) if row else 'the header'} (line {line}) is not UTF-8"
    except csv.Error as error:
        return f"row {row + 1} (after line {line}) is not CSV: {error}"
    return None


def plain_header(names: Sequence[str]) -> Sequence[str]:
    """Return the names, or others if one holds a line end, from which DuckDB would learn the wrong one."""
    if any("\r" in name or "\n" in name for name in names):
        return [f"c{position}" for position in range(len(names))]
    return names


def write_quoted(rows: Iterable[Sequence[str]], target: Path) -> None:
    """Write a header and rows with every field quoted, so that no two readers can differ about it."""
    with target.open("w", encoding="utf-8", newline="") as body:
        writer = csv.writer(body, delimiter=DELIMITER, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        for number, fields in enumerate(rows):
            writer.writerow(fields if number else plain_header(fields))


def rewrite(path: Path, target: Path) -> None:
    """Write the CSV file `path` once more, quoted."""
    write_quoted((fields or [""] for _, fields in rows_one_by_one(path)), target)


def is_not_utf8(text: str) -> bool:
    """Return whether a text read with surrogates for what is not UTF-8 has any."""
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)

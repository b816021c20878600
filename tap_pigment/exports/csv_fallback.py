"""Reads a CSV file row by row with Python's `csv`: slow, and exact about the row at fault.

Used for exports about which DuckDB and `csv_counter` disagree.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from tap_pigment.exports.csv_counter import DELIMITER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

# csv's limit is per process, so it is set to the one value that hides no cell: the largest a C long holds everywhere.
_MAX_FIELD_CHARACTERS = 2**31 - 1


def read_rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the line at which each row ends, from 1, and its fields; the header comes first.

    Raises:
        csv.Error: If a quoted field does not end, or something other than a delimiter follows it.
    """
    csv.field_size_limit(_MAX_FIELD_CHARACTERS)
    reader = csv.reader(lines, delimiter=DELIMITER, strict=True)
    for fields in reader:
        # A blank line is a row of one blank field, for which csv has no field at all.
        yield reader.line_num, fields or [""]


def first_fault(path: Path) -> str | None:
    """Return what is wrong with the first row that is not CSV of the header's width, or None.

    Rows are numbered from 1 below the header, lines from 1 as in an editor.
    """
    row = -1
    line = 0
    width = 0
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as body:
            for row, (line, fields) in enumerate(read_rows(body)):
                if not row:
                    width = len(fields)
                elif len(fields) != width:
                    return f"row {row:,} (line {line:,}) has {len(fields):,} fields, the header has {width:,}"
                if any(is_not_utf8(field) for field in fields):
                    return f"{f'row {row:,}' if row else 'the header'} (line {line:,}) is not UTF-8"
    except csv.Error as error:
        return f"row {row + 1:,} (after line {line:,}) is not CSV: {error}"
    return None


def plain_header(names: Sequence[str]) -> Sequence[str]:
    """Return the names, or `c0`, `c1`, ... if one holds a line end: DuckDB would learn the wrong line end from it."""
    if any("\r" in name or "\n" in name for name in names):
        return [f"c{position}" for position in range(len(names))]
    return names


def rewrite_quoted(path: Path, target: Path) -> None:
    """Write a CSV file with every field quoted, so that no two readers can differ about it."""
    with (
        path.open(encoding="utf-8-sig", newline="") as body,
        target.open("w", encoding="utf-8", newline="") as rewritten,
    ):
        writer = csv.writer(rewritten, delimiter=DELIMITER, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        for row, (_, fields) in enumerate(read_rows(body)):
            writer.writerow(fields if row else plain_header(fields))


def is_not_utf8(text: str) -> bool:
    """Return whether a text that was read with surrogates for invalid bytes holds any."""
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)

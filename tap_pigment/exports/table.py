"""An export as a table in DuckDB, read strictly by two readers that must agree."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from tap_pigment.errors import MalformedExportError
from tap_pigment.exports.csv_counter import CsvCounter, count_file
from tap_pigment.exports.csv_fallback import first_fault, plain_header, rewrite_quoted
from tap_pigment.exports.spool_directory import disk_errors, room_for_stream
from tap_pigment.exports.sql import VECTOR_ROWS, cell, read_csv, sum_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tap_pigment.exports.download import ExportFile
    from tap_pigment.exports.duckdb_session import StreamDatabase

_MEMORY_BYTES = 80 << 20
_MEMORY_BYTES_PER_COLUMN = 1 << 20
# Small exports share a limit: to set another one took 3 ms of each in a profile.
_MEMORY_STEP_BYTES = 32 << 20
# DuckDB holds each row of a vector several times: as read, hashed, as a line.
_COPIES = 8
_BLOCK_BYTES = 1 << 20
_MAX_BLOCK_ROWS = 500  # They stay in the processor's cache: blocks of 4,000 take a quarter longer.


@dataclass(frozen=True)
class ExportTable:
    """A complete export whose rows were read strictly: text cells `c0`, `c1`, ..., a blank being the empty text.

    Attributes:
        name: The stream's name; messages start with it.
        file: The export.
        relation: The SQL that reads its rows.
        rows: The number of rows.
        database: The database.
    """

    name: str
    file: ExportFile
    relation: str
    rows: int
    database: StreamDatabase

    @property
    def block_rows(self) -> int:
        """How many rows to fetch at once, so that their records, which hold the names too, take about a megabyte."""
        row_bytes = self.file.counts.size_bytes // (self.rows + 1) + sum(map(len, self.file.header)) + 1
        return max(1, min(_MAX_BLOCK_ROWS, _BLOCK_BYTES // row_bytes))

    def numbered(self) -> str:
        """Return the relation of the rows with their number, from 0, as `row`; only one thread reads it."""
        return f"(SELECT *, row_number() OVER () - 1 AS row FROM {self.relation})"


def memory_bytes(file: ExportFile) -> int:
    """Return what DuckDB needs to read an export of any length: more for many columns and for large cells."""
    counts = file.counts
    row_bytes = counts.size_bytes // (counts.rows + 1) + 1
    vector = row_bytes * min(VECTOR_ROWS, counts.rows + 1) + counts.longest_line_bytes
    needed = _MEMORY_BYTES + _MEMORY_BYTES_PER_COLUMN * len(file.header) + _COPIES * vector
    return ceil(needed / _MEMORY_STEP_BYTES) * _MEMORY_STEP_BYTES


def read_strictly(
    file: ExportFile,
    database: StreamDatabase,
    read: Callable[[str, str], tuple[Any, ...] | None],
) -> tuple[ExportTable, tuple[Any, ...]]:
    """Read a whole export once, and return it as a table with what `read` found.

    DuckDB must find exactly the rows and bytes that were counted on arrival. Several ways to read are tried in turn,
    the fastest first.

    Args:
        file: The export.
        database: The database.
        read: Reads a relation, given it and the SQL of the bytes in a row's cells. It returns the number of rows, the
            sum of their bytes, and anything else that it finds; None if DuckDB cannot read the relation.

    Raises:
        MalformedExportError: If a row is not CSV of the header's width; it names the first. If the readers disagree.
    """
    positions = range(len(file.header))
    cell_bytes = sum_of([f"strlen({cell(position)})" for position in positions])
    for relation, expected in _ways_to_read(file, database.name):
        found = read(relation, cell_bytes)
        if found is not None and found[:2] == expected:
            return ExportTable(database.name, file, relation, file.counts.rows, database), found[2:]
    raise MalformedExportError(
        f"{database.name}: two ways to read the export, of {file.counts.rows:,} rows, differ; a cell may hold a quote "
        "or a line break that is not quoted. Nothing was emitted. Check the block in Pigment; if it has no such cell, "
        "please report this as a bug."
    )


def _ways_to_read(file: ExportFile, name: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield relations of an export, each with the number of its rows and the bytes of their cells."""
    if file.counts.has_width(len(file.header)) and plain_header(file.header) == file.header:
        yield from _readers(file.path, file.counts, file.header)
    if fault := first_fault(file.path):
        raise MalformedExportError(
            f"{name}: {fault}. Nothing was emitted. Run again; if it persists, check that row in Pigment."
        )
    quoted = file.path.with_suffix(".quoted")
    with disk_errors(quoted.parent, room_for_stream(name)):
        quoted.touch(mode=0o600)
        rewrite_quoted(file.path, quoted)
    counts = count_file(quoted)
    if counts.rows == file.counts.rows:
        yield from _readers(quoted, counts, plain_header(file.header))


def _readers(path: Path, counts: CsvCounter, names: Sequence[str]) -> Iterator[tuple[str, tuple[int, int]]]:
    name_bytes = sum(len(name.encode()) for name in names)
    for parallel in (True, False):
        relation = read_csv(
            path,
            len(names),
            size_bytes=counts.size_bytes,
            longest_line_bytes=counts.longest_line_bytes,
            parallel=parallel,
        )
        yield relation, (counts.rows, counts.cell_bytes - name_bytes)

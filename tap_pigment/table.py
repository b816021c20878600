"""One export as a table in DuckDB, parsed strictly, or not at all.

Cells are read as text; a blank cell is the empty text, for an export does not tell the two apart.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_pigment.csv_rows import first_fault, plain_header, rewrite
from tap_pigment.engine import Engine
from tap_pigment.errors import FoundLateError, MalformedExportError
from tap_pigment.parts import write_part, write_rows, write_spans
from tap_pigment.readers import LINE, cells_in, lines_in
from tap_pigment.shape import CsvShape, LineShape, shape_of
from tap_pigment.sql import cell, sum_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import Self

    from tap_pigment.spool import Spool

_MEMORY_BYTES = 80 << 20
_MEMORY_BYTES_PER_COLUMN = 1 << 20
_BLOCK_BYTES = 4 << 20
_MAX_BLOCK_ROWS = 500  # They stay in the cache of the processor: with 4,000 it takes a quarter longer.
# DuckDB works on so many rows at a time, and holds each several times: as read, hashed, as a line.
_VECTOR_ROWS = 2_048
_COPIES = 8


class Picked(NamedTuple):
    """The SQL that reads a file of some rows of an export, in their order: as cells, and as lines."""

    cells: str
    lines: str


class Table(AbstractContextManager["Table"]):
    """A complete export on disk, as a table of text cells `c0`, `c1`, ... in DuckDB.

    Args:
        name: The stream's name, to begin messages with.
        spool: The export, complete and on disk. DuckDB spills beside it.

    Attributes:
        engine: What reads it.
    """

    def __init__(self, name: str, spool: Spool) -> None:
        self.name = name
        self.spool = spool
        self._shape: LineShape = spool.shape
        self._path = spool.path
        self._names: Sequence[str] = spool.header
        self._parallel = True
        self.engine = Engine(name, spool.path.parent, memory_bytes=self._memory_bytes(), export_bytes=spool.shape.size)

    def __enter__(self) -> Self:
        """Return the table."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the table and delete what was written beside the spool."""
        self.engine.close()
        if self._path != self.spool.path:
            self._path.unlink(missing_ok=True)

    def _memory_bytes(self) -> int:
        """Return what DuckDB may use: the same for exports of any length, more for many columns and for large cells."""
        vector = self._row_bytes * min(_VECTOR_ROWS, self.rows + 1) + self._shape.longest_line
        return _MEMORY_BYTES + _MEMORY_BYTES_PER_COLUMN * len(self.spool.header) + _COPIES * vector

    @property
    def _row_bytes(self) -> int:
        return self._shape.size // (self.rows + 1) + 1

    @property
    def rows(self) -> int:
        """The number of rows below the header."""
        return self._shape.rows

    @property
    def block_rows(self) -> int:
        """How many rows to fetch at once, so that they take a few megabytes."""
        return max(1, min(_MAX_BLOCK_ROWS, _BLOCK_BYTES // self._row_bytes))

    def read_strictly(self, *aggregates: str, noted: Sequence[str] = ()) -> tuple[Any, ...]:
        """Parse the whole export once, and return the values of some SQL aggregates over its cells.

        After that, everything reads rows that are known to be whole.

        Args:
            aggregates: The aggregates; over what is noted if anything is.
            noted: Named expressions over the cells: the table `noted` will have their values, in the order of the rows.

        Raises:
            FoundLateError: If a row is not as the header says; it names the first.
            MalformedExportError: If two ways to read it do not agree.
        """
        values = self._agreed_values(aggregates, noted)
        if values is None:
            self._rewrite()
            values = self._agreed_values(aggregates, noted)
        if values is None:
            raise MalformedExportError(
                f"{self.name}: two readings of the export, of {self.rows:,} rows, differ. Nothing was sent. Please "
                "report it as a bug of the tap."
            )
        return values

    def _agreed_values(self, aggregates: Sequence[str], noted: Sequence[str]) -> tuple[Any, ...] | None:
        """Return the aggregates, or None if DuckDB does not find the rows and bytes that were counted on arrival.

        Its parallel reader notices a quote that is left open; the other one reads what the first gives up on.
        """
        for self._parallel in (True, False):
            values = self._counted_values(self._path, self._counted(), aggregates, noted)
            if values is not None:
                return values
        return None

    def count_cells(self) -> bool:
        """Count the cells of an export of which only the lines were counted so far.

        Returns:
            Whether there are as many rows as before, so that every line is one.

        Raises:
            FoundLateError: If a row is not as the header says; it names the first.
        """
        before = self.rows
        return self._counted().rows == before

    def _counted(self) -> CsvShape:
        if not isinstance(self._shape, CsvShape):
            shape = shape_of(self._path)
            is_whole = shape.agrees_with(len(self.spool.header)) and not shape.open_quote
            if not is_whole:
                self._raise_fault()
            self._shape = shape
        return self._shape

    def _raise_fault(self) -> None:
        if fault := first_fault(self._path):
            what_to_do = "Nothing was sent. Run again; if it stays so, look at that row in Pigment."
            raise FoundLateError(f"{self.name}: {fault}. {what_to_do}", fault)

    def _counted_values(
        self, path: Path, shape: CsvShape, aggregates: Sequence[str] = (), noted: Sequence[str] = ()
    ) -> tuple[Any, ...] | None:
        """Return the aggregates over a file, or None if DuckDB does not find the rows and bytes that were counted."""
        if not shape.agrees_with(len(self.spool.header)) or plain_header(self._names) != self._names:
            return None
        names_bytes = sum(len(name.encode()) for name in self._names)
        cell_bytes = sum_of([f"strlen({cell(position)})" for position in range(len(self.spool.header))])
        table = self._table_in(path, shape)
        selected = ["count(*)", f"coalesce(sum({'bytes' if noted else cell_bytes}), 0)", *aggregates]
        try:
            if noted:
                table = self._note(table, noted, cell_bytes)
            rows, total, *values = self.engine.values(f"SELECT {', '.join(selected)} FROM {table}")
        except self.engine.refusals:
            return None
        return tuple(values) if (rows, total) == (shape.rows, shape.cell_bytes - names_bytes) else None

    def _note(self, table: str, noted: Sequence[str], byte_count: str, *, name: str = "noted") -> str:
        """Put named expressions over each row of a table into one in memory, and return the name of that."""
        self.engine.execute(
            f"CREATE OR REPLACE TABLE {name} AS SELECT {', '.join(noted)}, {byte_count} AS bytes FROM {table}"
        )
        return name

    def note_lines(self, noted: Sequence[str]) -> bool:
        """Put expressions over each `line` below the header into the table `noted_lines`, in the order of the rows.

        Returns:
            Whether the table has all lines; of an export of which only these were counted on arrival, they may be no
            rows.
        """
        if isinstance(self._shape, CsvShape) and not self._shape.agrees_with(len(self.spool.header)):
            return False
        table = lines_in(self._path, longest_line=self._shape.longest_line)
        try:
            name = self._note(table, noted, f"strlen({LINE})", name="noted_lines")
            rows, row_bytes = self.engine.values(f"SELECT count(*), coalesce(sum(bytes), 0) FROM {name}")
        except self.engine.refusals:
            return False
        return self._shape.is_made_of(rows, row_bytes)

    def _rewrite(self) -> None:
        """Write the export anew with every field quoted, unless a row is at fault."""
        self._raise_fault()
        target = self._path.with_suffix(".rewritten")
        target.touch(mode=0o600, exist_ok=False)
        self._names = plain_header(self.spool.header)
        rewrite(self._path, target)
        self._path, self._shape = target, shape_of(target)

    @property
    def table(self) -> str:
        """The SQL that reads the export."""
        return self._table_in(self._path, self._shape)

    def _table_in(self, path: Path, shape: LineShape) -> str:
        return cells_in(path, len(self.spool.header), longest_line=shape.longest_line, parallel=self._parallel)

    @contextmanager
    def part(self, path: Path, start: int, rows: int) -> Iterator[str]:
        """Give the SQL that reads some of the rows, from the row `start` on (from 0), by way of a file `path`."""
        try:
            with self.engine.room_needed():
                write_part(self._path, self._shape, path, start, rows)
            yield self._table_in(path, self._shape)
        finally:
            path.unlink()

    @contextmanager
    def picked(self, path: Path, wanted: str) -> Iterator[Picked | None]:
        """Give some rows of the export, by way of a file `path`.

        It is None if DuckDB does not find the rows and bytes that are counted in the file.

        Args:
            path: The file.
            wanted: The table that has the rows' numbers, from 0, as `row`.
        """
        rows = [row for (row,) in self.engine.execute(f"SELECT row FROM {wanted} ORDER BY row").fetchall()]
        with self._whole_rows(path, len(rows), lambda: write_rows(self._path, self._shape, path, rows)) as picked:
            yield picked

    @contextmanager
    def picked_lines(self, path: Path, wanted: str) -> Iterator[Picked | None]:
        """Give some lines of `noted_lines`, as `picked` does rows; None if they are none."""
        size = f"bytes + {self._shape.line_end_bytes}"
        spans = self.engine.execute(
            f"""
            WITH placed AS (
                SELECT rowid AS row, {size} AS size, sum({size}) OVER (ROWS UNBOUNDED PRECEDING)::BIGINT AS after
                FROM noted_lines
            )
            SELECT after - size, size FROM placed SEMI JOIN {wanted} USING (row) ORDER BY row
            """
        ).fetchall()
        with self._whole_rows(path, len(spans), lambda: write_spans(self._path, self._shape, path, spans)) as picked:
            yield picked

    @contextmanager
    def _whole_rows(self, path: Path, rows: int, write: Callable[[], None]) -> Iterator[Picked | None]:
        try:
            path.touch(mode=0o600)
            with self.engine.room_needed():
                write()
                shape = shape_of(path)
            are_rows = shape.rows == rows and not shape.open_quote
            is_whole = are_rows and self._counted_values(path, shape) is not None
            lines = lines_in(path, longest_line=shape.longest_line)
            yield Picked(self._table_in(path, shape), lines) if is_whole else None
        finally:
            path.unlink()

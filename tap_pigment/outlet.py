"""The ways out of a checked export, as records, RECORD lines, JSON lines or Parquet; all give the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_pigment.columns import KEYLESS, Column
from tap_pigment.lines import Lines, WholeLines
from tap_pigment.naming import CONTENT_HASH, DELETED_AT, OCCURRENCE
from tap_pigment.sql import (
    cheap_hash,
    content_hash,
    native_value,
    netstrings,
    quoted_name,
    quoted_text,
    record_start,
    value,
)
from tap_pigment.values import record_maker

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tap_pigment.difference import Selection
    from tap_pigment.export import Export


class Outlet:
    """The selected columns of a checked export, and the columns that the tap adds.

    Args:
        export: The export.
        columns: The columns to emit.
        key: Names of the key's columns, or `KEYLESS`.
        selection: The rows to emit; None for all.
        tells_deletions: Whether records say that they are not deleted.
    """

    def __init__(
        self,
        export: Export,
        columns: Sequence[Column],
        key: Sequence[str],
        *,
        selection: Selection | None = None,
        tells_deletions: bool = False,
    ) -> None:
        self._export = export
        self._columns = columns
        self._added = KEYLESS if tuple(key) == KEYLESS else (CONTENT_HASH,)
        self._selection = selection
        self._deleted_at = {DELETED_AT: None} if tells_deletions else {}

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield each row as a record: the columns, typed, then the added ones."""
        values = ", ".join([*map(value, self._columns), *map(quoted_name, self._added)])
        record = record_maker(self._columns, self._added)
        for rows in self._blocks(values):
            for row in rows:
                yield record(row) | self._deleted_at

    def record_blocks(self, before: str, after: str) -> Iterator[tuple[bytes, int]]:
        """Yield blocks of RECORD messages, a line each, and how many there are in each block.

        Args:
            before: JSON from the start of the message to before the brace that opens the record.
            after: JSON from after the brace that closes the record to the end of the message.
        """
        lines = self._lines(before, after)
        sent = 0
        while (block := lines.fetch(self._export.block_rows))[1]:
            yield block
            sent += block[1]
        self.check_count(sent)

    def json_lines(self) -> Lines | WholeLines:
        """Return each row's record as a line of JSON."""
        return self._lines("", "")

    def _lines(self, before: str, after: str) -> Lines | WholeLines:
        """Return each row's record as a line of JSON, with JSON before and after it."""
        start = record_start(self._columns, before=before)
        end = (f',"{DELETED_AT}":null' if self._deleted_at else "") + f"}}{after}\n"
        if self._selection:
            numbered = [quoted_text(f',"{OCCURRENCE}":'), OCCURRENCE] if self._is_numbered else []
            parts = [start, quoted_name(CONTENT_HASH), quoted_text('"'), *numbered, quoted_text(end)]
            line = f"encode(concat({', '.join(parts)}))"
            return WholeLines(self._export.engine.execute(f"SELECT {line} FROM {self._selection.table}"))
        selected = [f"encode({start})", f"encode({netstrings(self._columns)})"]
        selected += [OCCURRENCE] if self._is_numbered else []
        result = self._export.engine.execute(f"SELECT {', '.join(selected)} FROM {self._rows()}")
        return Lines(result, end, is_first=OCCURRENCE in self._added and not self._is_numbered)

    def _blocks(self, selected: str) -> Iterator[list[Any]]:
        """Yield all rows of what is selected, some at a time."""
        result = self._export.engine.execute(f"SELECT {selected} FROM {self._rows()}")
        sent = 0
        while rows := result.fetchmany(self._export.block_rows):
            yield rows
            sent += len(rows)
        self.check_count(sent)

    def check_count(self, sent: int) -> None:
        """Check that as many rows have left as were read: a run that lost one must not end well."""
        if sent != self.rows:
            raise RuntimeError(f"{self._export.name}: {sent:,} of {self.rows:,} rows have left.")

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self._export.rows if self._selection is None else self._selection.rows

    @property
    def block_rows(self) -> int:
        """How many rows to fetch at once."""
        return self._export.block_rows

    def prepare_parquet(self) -> None:
        """Find out, once, what `write_parquet` has to know of all rows.

        Raises:
            CellTypeError: If a whole number has more than 64 bits.
        """
        self._export.check_width()
        if self._is_numbered:
            self._number_identical_rows()

    def write_parquet(self, path: Path, codec: str, start: int, rows: int) -> int:
        """Write some rows, from the row `start` on (from 0), to a file, and return how many they were.

        Several threads can do this at once.
        """
        values = [f"{native_value(column)} AS {quoted_name(column.name)}" for column in self._columns]
        selected = ", ".join([*values, *map(quoted_name, self._added)])
        with self._export.part(self.new_file(f"{start}.part"), start, rows) as table:
            return self._export.engine.copy(
                f"COPY (SELECT {selected} FROM {self._rows_of(table, start)}) TO {quoted_text(str(path))} "
                f"(FORMAT parquet, COMPRESSION {quoted_text(codec)})"
            )

    def new_file(self, name: str) -> Path:
        """Return the path of a new file beside the spool, which only the user can read."""
        path = self._export.spool.path.with_suffix("." + name)
        path.touch(mode=0o600)
        return path

    def _rows(self) -> str:
        """Return the SQL of all rows, as `_rows_of` does of some."""
        if self._selection:
            return self._selection.table
        if self._is_numbered:
            self._number_identical_rows()
        return self._rows_of(self._export.table, 0)

    def _rows_of(self, table: str, start: int) -> str:
        """Return the SQL of the rows of a table, with `contentHash`, and `occurrence` where it is added.

        Args:
            table: The SQL of the rows.
            start: Which row of the export is the table's first.
        """
        hashed = f"{content_hash(self._columns)} AS {quoted_name(CONTENT_HASH)}"
        if not self._is_numbered:
            return f"(SELECT *, {hashed}, 1 AS {OCCURRENCE} FROM {table})"
        return f"""(
            SELECT * EXCLUDE (row, numbered_row, number), {hashed}, coalesce(number, 1) AS {OCCURRENCE}
            FROM (SELECT *, {start} + row_number() OVER () AS row FROM {table})
            LEFT JOIN numbers ON numbered_row = row
        )"""

    @property
    def _is_numbered(self) -> bool:
        """Whether identical rows have to be told apart."""
        return OCCURRENCE in self._added and (self._export.has_repeats or self._selection is not None)

    def _number_identical_rows(self) -> None:
        """Number identical rows 1, 2, 3, in a table of its own that has no other rows and no cells."""
        cheap = cheap_hash(self._columns)
        table = self._export.table
        self._export.engine.execute(
            f"""
            CREATE OR REPLACE TABLE numbers AS
            WITH repeated AS (SELECT {cheap} AS cheap FROM {table} GROUP BY cheap HAVING count(*) > 1),
                 hashed AS (
                     SELECT row_number() OVER () AS row, {cheap} AS cheap, {content_hash(self._columns)} AS content
                     FROM {table}
                 )
            SELECT row AS numbered_row, row_number() OVER (PARTITION BY content ORDER BY row) AS number
            FROM hashed
            WHERE cheap IN (SELECT cheap FROM repeated)
            """
        )

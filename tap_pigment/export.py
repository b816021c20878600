"""What an export has to be before any of it leaves: every cell fits its column's type, and the key is unique."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_pigment.columns import KEYLESS, CellCounts, Column, ColumnType
from tap_pigment.errors import CellTypeError, KeysNotUniqueError
from tap_pigment.sql import FITS, cell, cheap_hash, fits, is_wide, key_text
from tap_pigment.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_pigment.spool import Spool

# The largest whole number of 64 bits has 19.
_MAX_SURE_DIGITS = 18
# What DuckDB needs to plan a statement grows with the square of what it counts.
_COUNTED_COLUMNS = 100

_MISFITS = {
    ColumnType.NUMBER: "not a number",
    ColumnType.INTEGER: "not a whole number",
    ColumnType.BOOLEAN: "not TRUE or FALSE",
    ColumnType.DATE: "not a date (YYYY-MM-DD)",
}


class Export(Table):
    """An export as a table, with the checks of what it holds.

    Args:
        name: The stream's name, to begin messages with.
        spool: The export, complete and on disk.

    Attributes:
        has_repeats: Whether rows may be alike, in the key's columns or, without a key, in all.
    """

    def __init__(self, name: str, spool: Spool) -> None:
        super().__init__(name, spool)
        self.has_repeats = True
        self._long_numbers: Sequence[Column] = ()

    def check(self, columns: Sequence[Column], key: Sequence[str], *, noted: Sequence[str] = ()) -> None:
        """Check that every cell fits its column's type and that the key is unique.

        Args:
            columns: The columns that will be emitted.
            key: Names of the key's columns, or `KEYLESS`.
            noted: What to note on the way, as `read_strictly` does.

        Raises:
            CellTypeError: If a cell does not fit; it names the first.
            KeysNotUniqueError: If rows share a key; it names the first.
        """
        if noted:
            self.check_key(columns, key, noted=noted)
            self.check_types(columns, self.table)
            return
        typed = _typed(columns)
        whole = [column for column in columns if column.type is ColumnType.INTEGER]
        distinct, *found = self.read_strictly(
            f"count(DISTINCT {_key_hash(columns, key)})",
            *map(_misfits, typed),
            *[f"coalesce(max(strlen({cell(column.position)})), 0)" for column in whole],
        )
        lengths = found[len(typed) :]
        self._long_numbers = [
            column for column, length in zip(whole, lengths, strict=True) if length > _MAX_SURE_DIGITS
        ]
        self._raise_misfit(typed, found[: len(typed)])
        self._raise_shared_key(columns, key, distinct)

    def check_key(self, columns: Sequence[Column], key: Sequence[str], *, noted: Sequence[str]) -> None:
        """Check that the key is unique, and note something of each row.

        Raises:
            KeysNotUniqueError: If rows share a key; it names the first.
        """
        (distinct,) = self.read_strictly("count(DISTINCT id)", noted=[*noted, f"{_key_hash(columns, key)} AS id"])
        self._raise_shared_key(columns, key, distinct)

    def check_types(self, columns: Sequence[Column], table: str) -> None:
        """Check that the cells of some rows fit their columns' types; those of all others are known to.

        Raises:
            CellTypeError: If a cell does not fit; it names the first of the export.
        """
        if typed := _typed(columns):
            counts = self.engine.values(f"SELECT {', '.join(map(_misfits, typed))} FROM {table}")
            if any(counts):
                self.read_strictly()  # For the number of the row.
            self._raise_misfit(typed, counts)

    def _raise_misfit(self, columns: Sequence[Column], counts: Sequence[int]) -> None:
        for column, count in zip(columns, counts, strict=True):
            if count:
                raise self._cell_error(column, count)

    def _raise_shared_key(self, columns: Sequence[Column], key: Sequence[str], distinct: int) -> None:
        self.has_repeats = distinct < self.rows
        if self.has_repeats and tuple(key) != KEYLESS:
            self.check_uniqueness(columns, key)

    def check_width(self) -> None:
        """Check that the whole numbers of the columns that were checked have no more than 64 bits.

        Raises:
            CellTypeError: If one has; it names the column.
        """
        for column in self._long_numbers:
            (wide,) = self.read_strictly(f"count_if({is_wide(column)})")
            if wide:
                raise CellTypeError(
                    f"{self.name}: column {column.name}: {wide:,} whole numbers have more than 64 bits, which Parquet "
                    f'cannot hold. Set stream_overrides.{self.name}.types to {{"{column.name}": "text"}}, or use jsonl.'
                )

    def _cell_error(self, column: Column, count: int) -> CellTypeError:
        row, blank = self.engine.values(
            f"""
            SELECT row, cell = ''
            FROM (
                SELECT row_number() OVER () AS row, {cell(column.position)} AS cell, {fits(column)} AS fits
                FROM {self.table}
            )
            WHERE NOT fits
            ORDER BY row
            LIMIT 1
            """
        )
        others = f" ({count:,} rows in all)" if count > 1 else ""
        return CellTypeError(
            f"{self.name}: column {column.name}, row {row:,}: the cell is {'blank, and so ' if blank else ''}"
            f"{_MISFITS[column.type]}{others}. Nothing was sent. Set stream_overrides.{self.name}.types to "
            f'{{"{column.name}": "text"}}, or correct the cell in Pigment.'
        )

    def check_uniqueness(self, columns: Sequence[Column], key: Sequence[str]) -> None:
        """Look at the keys themselves, where their hashes have met.

        Raises:
            KeysNotUniqueError: If rows share a key; it names the first.
        """
        columns = [column for column in columns if column.name in key]
        named = ", ".join(f"{key_text(column)} AS key_{place}" for place, column in enumerate(columns))
        keys = ", ".join(f"key_{place}" for place in range(len(columns)))
        shared, first = self.engine.values(
            f"""
            WITH numbered AS (SELECT row_number() OVER () AS row, {named} FROM {self.table}),
                 keys AS (SELECT count(*) AS rows, min(row) AS first FROM numbered GROUP BY {keys})
            SELECT sum(rows), min(first) FROM keys WHERE rows > 1
            """
        )
        if shared:
            names = ", ".join(column.name for column in columns)
            raise KeysNotUniqueError(
                f"{self.name}: {shared:,} of {self.rows:,} rows share a key ({names}), first at row {first:,}. "
                f"Set stream_overrides.{self.name}.key_columns to the columns that identify a row, or to [] for none."
            )

    def has_unique_rows(self, positions: Sequence[int]) -> bool:
        """Return whether no two rows have the same cells in these columns."""
        cells = ", ".join(cell(position) for position in positions)
        (distinct,) = self.engine.values(f"SELECT count(*) FROM (SELECT DISTINCT {cells} FROM {self.table})")
        return bool(distinct == self.rows)

    def cell_counts(self) -> tuple[CellCounts, ...]:
        """Return what the cells of each column look like, in the order of the header."""
        width = len(self.spool.header)
        blocks = [range(start, min(start + _COUNTED_COLUMNS, width)) for start in range(0, width, _COUNTED_COLUMNS)]
        return tuple(counts for block in blocks for counts in self._counts_of(block))

    def _counts_of(self, positions: Sequence[int]) -> list[CellCounts]:
        kinds = (ColumnType.BOOLEAN, ColumnType.DATE, ColumnType.NUMBER, ColumnType.INTEGER)
        conditions = [
            condition
            for text in map(cell, positions)
            for condition in (f"{text} <> ''", *(FITS[kind](text) for kind in kinds))
        ]
        counted = ", ".join(f"count_if({condition})" for condition in conditions)
        counts = self.engine.values(f"SELECT {counted} FROM {self.table}")
        per_column = 1 + len(kinds)
        return [CellCounts(*counts[start : start + per_column]) for start in range(0, len(counts), per_column)]


def _typed(columns: Sequence[Column]) -> list[Column]:
    return [column for column in columns if column.type is not ColumnType.TEXT]


def _misfits(column: Column) -> str:
    return f"count_if(NOT {fits(column)})"


def _key_hash(columns: Sequence[Column], key: Sequence[str]) -> str:
    """Return the hash by which rows are told apart: of the key's cells, or without a key of all."""
    if tuple(key) == KEYLESS:
        return cheap_hash(columns)
    return f"hash({', '.join(key_text(column) for column in columns if column.name in key)})"

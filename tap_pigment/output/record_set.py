"""The rows to emit, and their records: the selected columns, typed, and the columns that the tap adds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_pigment.columns import CONTENT_HASH, DELETED_AT, OCCURRENCE, Column, ColumnType, RowKey
from tap_pigment.errors import InvariantError
from tap_pigment.exports import sql
from tap_pigment.output.exact_numbers import number_of_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tap_pigment.exports import ExportTable, StreamDatabase, ValidatedExport

DELETION_BLOCK_ROWS = 4_000


@dataclass(frozen=True)
class RowSelection:
    """Some rows of an export.

    Attributes:
        table: The table of their numbers, in a column `row`.
        rows: How many they are.
    """

    table: str
    rows: int


@dataclass(frozen=True)
class RecordSet:
    """Rows of a validated export, and what their records hold.

    Attributes:
        table: The export.
        columns: The selected columns.
        key: The key.
        occurrences: The table of the numbers of identical rows, see `number_identical_rows`; None if no rows are.
        selection: The rows to emit; None for all.
        marks_deletions: Whether records hold `_sdc_deleted_at`, which is null in these.
    """

    table: ExportTable
    columns: Sequence[Column]
    key: RowKey
    occurrences: str | None = None
    selection: RowSelection | None = None
    marks_deletions: bool = False

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.table.rows if self.selection is None else self.selection.rows

    def relation(self) -> str:
        """Return the relation of the rows: their cells and `occurrence`."""
        if self.occurrences is None and self.selection is None:
            return f"(SELECT *, 1 AS {OCCURRENCE} FROM {self.table.relation})"
        selected = self.table.numbered()
        if self.selection is not None:
            selected = f"(SELECT * FROM {selected} WHERE row IN (SELECT row FROM {self.selection.table}))"
        if self.occurrences is None:
            return f"(SELECT *, 1 AS {OCCURRENCE} FROM {selected})"
        return f"""(
            SELECT * EXCLUDE ({OCCURRENCE}), coalesce({OCCURRENCE}, 1) AS {OCCURRENCE}
            FROM {selected} LEFT JOIN {self.occurrences} USING (row)
        )"""

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield each row as a record.

        Raises:
            InvariantError: If not exactly the expected rows were found.
        """
        convert = _record_converter(self.columns)
        added: dict[str, Any] = {DELETED_AT: None} if self.marks_deletions else {}
        values = ", ".join([*map(sql.value, self.columns), f"encode({sql.netstrings(self.columns)})", OCCURRENCE])
        emitted = 0
        for block in self.table.database.blocks(f"SELECT {values} FROM {self.relation()}", self.table.block_rows):
            for row in block:
                record = convert(row)
                record[CONTENT_HASH] = hashlib.sha256(row[-2]).hexdigest()
                if self.key.is_keyless:
                    record[OCCURRENCE] = row[-1]
                yield record | added
            emitted += len(block)
        self.check_count(emitted)

    def check_count(self, emitted: int) -> None:
        """Check that all rows were found again.

        Raises:
            InvariantError: If they were not.
        """
        if emitted != self.rows:
            raise InvariantError(f"{self.table.name}: {emitted:,} of {self.rows:,} rows were emitted.")


@dataclass(frozen=True)
class DeletedRows:
    """Rows that are no longer in the export; each record has every column, all null but for the key.

    Attributes:
        database: The database.
        table: The table of their keys: `key_0`, `key_1`, ..., or `content_hash` (32 bytes) and `occurrence`.
        rows: How many they are.
        columns: The selected columns.
        key: The key.
        deleted_at: When they were found to be deleted, as ISO 8601.
    """

    database: StreamDatabase
    table: str
    rows: int
    columns: Sequence[Column]
    key: RowKey
    deleted_at: str

    def relation(self) -> str:
        """Return the relation of the keys: the cells of its columns, or `contentHash` and `occurrence`."""
        if self.key.is_keyless:
            content_hash = f"lower(hex(content_hash)) AS {sql.quoted_name(CONTENT_HASH)}"
            return f"(SELECT {content_hash}, {OCCURRENCE} FROM {self.table})"
        cells = ", ".join(
            f"key_{place} AS {sql.cell(column.position)}"
            for place, column in enumerate(self.key.sorted_of(self.columns))
        )
        return f"(SELECT {cells} FROM {self.table})"

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield each row as a record, for stream maps."""
        in_key = self.key.of(self.columns)
        convert = _record_converter(in_key)
        blank = dict.fromkeys([*(column.name for column in self.columns), CONTENT_HASH])
        names = [sql.quoted_name(CONTENT_HASH), OCCURRENCE] if self.key.is_keyless else map(sql.value, in_key)
        for block in self.database.blocks(f"SELECT {', '.join(names)} FROM {self.relation()}", DELETION_BLOCK_ROWS):
            for row in block:
                identity = {CONTENT_HASH: row[0], OCCURRENCE: row[1]} if self.key.is_keyless else convert(row)
                yield {**blank, **identity, DELETED_AT: self.deleted_at}


def number_identical_rows(export: ValidatedExport, columns: Sequence[Column]) -> str:
    """Number identical rows 1, 2, 3, ... and return the table of it: `row` and `occurrence`.

    The table holds only rows that are not unique; every other row is the first of its kind.
    """
    database, numbered = export.table.database, export.table.numbered()
    quick = sql.quick_hash([sql.cell(column.position) for column in columns])
    return database.create_table(
        "occurrences",
        f"""
        WITH repeated AS (SELECT {quick} AS quick FROM {numbered} GROUP BY quick HAVING count(*) > 1),
             candidates AS (
                 SELECT row, {sql.content_hash(columns)} AS content FROM {numbered}
                 WHERE {quick} IN (SELECT quick FROM repeated)
             )
        SELECT row, row_number() OVER (PARTITION BY content ORDER BY row) AS {OCCURRENCE} FROM candidates
        """,
    )


def _record_converter(columns: Sequence[Column]) -> Callable[[Sequence[Any]], dict[str, Any]]:
    """Return a function that makes a record of a row; the row begins with the values of the columns."""
    converters = [(column.name, _CONVERTERS.get(column.type)) for column in columns]

    def convert(row: Sequence[Any]) -> dict[str, Any]:
        return {
            name: found if found is None or converter is None else converter(found)
            for (name, converter), found in zip(converters, row, strict=False)
        }

    return convert


_CONVERTERS: Mapping[ColumnType, Callable[[str], Any]] = {
    ColumnType.NUMBER: number_of_cell,
    ColumnType.INTEGER: number_of_cell,
}

"""Validation of an export before any of it is emitted: cells fit their types, and keys are unique."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from tap_pigment.columns import FALSE, TRUE, Column, ColumnType
from tap_pigment.errors import CellTypeError, KeysNotUniqueError, counted
from tap_pigment.exports.sql import (
    cell,
    content_hash,
    exceeds_64_bits,
    fits,
    holds_misfit,
    holds_nul,
    key_cell,
    quick_hash,
)
from tap_pigment.exports.table import ExportTable, read_strictly

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_pigment.columns import RowKey
    from tap_pigment.exports.download import ExportFile
    from tap_pigment.exports.duckdb_session import StreamDatabase

_MISFITS = {
    ColumnType.NUMBER: "not a number",
    ColumnType.INTEGER: "not a whole number",
    ColumnType.BOOLEAN: f"not {TRUE} or {FALSE}",
    ColumnType.DATE: "not a date (YYYY-MM-DD)",
}


@dataclass(frozen=True)
class KeptColumns:
    """What to keep of each row while an export is validated.

    Attributes:
        expressions: SQL expressions over the cells, by name.
        identity: The names of those that identify a row.
    """

    expressions: Mapping[str, str]
    identity: tuple[str, ...]


@dataclass(frozen=True)
class ValidatedExport:
    """An export whose cells fit their types and whose keys are unique.

    Attributes:
        table: The export.
        may_repeat: Whether rows may be identical; only without a key.
        hash_sum: The sum of DuckDB's own hashes of what identifies each row: the same for the same rows in any order,
            and another one in another version of DuckDB.
        kept: The table of what was kept of each row, in which `rowid` is the row's number; None if nothing was.
    """

    table: ExportTable
    may_repeat: bool
    hash_sum: int
    kept: str | None = None


def validate(
    file: ExportFile,
    database: StreamDatabase,
    columns: Sequence[Column],
    key: RowKey,
    *,
    keep: KeptColumns | None = None,
) -> ValidatedExport:
    """Read and validate an export, in one pass.

    Args:
        file: The export.
        database: The database.
        columns: The columns that are emitted.
        key: The key.
        keep: What to keep of each row; None for nothing.

    Raises:
        MalformedExportError: If a row is not CSV of the header's width.
        CellTypeError: If a cell does not fit; the message names the first.
        KeysNotUniqueError: If rows share a key; the message names the first.
    """
    typed = [column for column in columns if column.type is not ColumnType.TEXT]
    misfits = holds_misfit(columns)
    compared = [cell(column.position) for column in columns] if key.is_keyless else list(map(key_cell, key.of(columns)))

    def read(relation: str, cell_bytes: str) -> tuple[Any, ...] | None:
        if keep is None:
            return database.row_unless_refused(
                f"SELECT count(*), coalesce(sum({cell_bytes}), 0), count_if({misfits}), {_hashes(compared)} "
                f"FROM {relation}"
            )
        kept = ", ".join(f"{expression} AS {name}" for name, expression in keep.expressions.items())
        if not database.create_table_unless_refused(
            "kept",
            f"SELECT {kept}, {cell_bytes} AS cell_bytes, {misfits} AS misfits FROM {relation}",
        ):
            return None
        return database.row(
            f"SELECT count(*), coalesce(sum(cell_bytes), 0), count_if(misfits), {_hashes(keep.identity)} FROM kept"
        )

    table, (misfit_rows, distinct, hash_sum) = read_strictly(file, database, read)
    if misfit_rows:
        _raise_misfit(table, typed)
    if distinct < table.rows and not key.is_keyless:
        _check_uniqueness(table, key.of(columns))
    return ValidatedExport(table, distinct < table.rows, hash_sum, None if keep is None else "kept")


def _hashes(identity: Sequence[str]) -> str:
    """Return the number of different hashes of rows, and the sum of all."""
    return f"count(DISTINCT {quick_hash(identity)}), coalesce(sum({quick_hash(identity)}), 0)"


def _raise_misfit(table: ExportTable, columns: Sequence[Column]) -> None:
    """Raise the error for the first column of which cells do not fit."""
    counts = table.database.row(
        f"SELECT {', '.join(f'count_if(NOT {fits(column)})' for column in columns)} FROM {table.relation}"
    )
    column, count = next((column, count) for column, count in zip(columns, counts, strict=True) if count)
    text = cell(column.position)
    row, is_blank = table.database.row(
        f"SELECT row + 1, {text} = '' FROM {table.numbered()} WHERE NOT {fits(column)} ORDER BY row LIMIT 1"
    )
    others = f" ({count:,} rows in all)" if count > 1 else ""
    raise CellTypeError(
        f"{table.name}: column {column.name}, {table.file.place_of(row)}: the cell is "
        f"{'blank, and so ' if is_blank else ''}{_MISFITS[column.type]}{others}. Nothing was emitted. Set "
        f'stream_overrides.{table.name}.types to {{"{column.name}": "text"}}, or correct the cell in Pigment.'
    )


def _check_uniqueness(table: ExportTable, key: Sequence[Column]) -> None:
    """Compare the keys themselves, after hashes of them were equal.

    Raises:
        KeysNotUniqueError: If rows share a key.
    """
    named = ", ".join(f"{key_cell(column)} AS key_{place}" for place, column in enumerate(key))
    names = ", ".join(f"key_{place}" for place in range(len(key)))
    shared, first, shared_in_part, overlapping_first, overlapping_second = table.database.row(
        f"""
        WITH keys AS (SELECT row, {named} FROM {table.numbered()}),
             in_parts AS (
                 SELECT {names}, count(*) AS rows, min(row) AS first FROM {_with_part("keys", table)}
                 GROUP BY {names}, part
             ),
             groups AS (
                 SELECT sum(rows) AS rows, max(rows) AS rows_in_part, list_sort(list(first)) AS firsts
                 FROM in_parts GROUP BY {names} HAVING sum(rows) > 1
             )
        SELECT sum(rows), min(firsts[1]) + 1, count_if(rows_in_part > 1), {_first_two("firsts")} FROM groups
        """
    )
    if not shared:
        return
    columns = ", ".join(column.name for column in key)
    if shared_in_part:
        raise KeysNotUniqueError(
            f"{table.name}: {shared:,} of {table.rows:,} rows share a key ({columns}), first at "
            f"{table.file.place_of(first)}. Set stream_overrides.{table.name}.key_columns to the columns that identify "
            "a row, or to [] for none."
        )
    raise KeysNotUniqueError(
        f"{table.name}: slices overlap: {shared:,} of {table.rows:,} rows share a key ({columns}) with a row of "
        f"another slice, first {table.file.place_of(overlapping_first)} with "
        f"{table.file.place_of(overlapping_second)}. Correct stream_overrides.{table.name}.slices, so that each row is "
        "in one of them; or set key_columns to the columns that identify a row of all slices."
    )


def _with_part(rows: str, table: ExportTable) -> str:
    """Return the relation of some rows that have their number as `row`, with the number of their part's first row."""
    ends = accumulate(part.rows for part in table.file.parts)
    starts = ", ".join(f"({start})" for start in sorted({0, *ends}))
    return f"(SELECT * FROM {rows} ASOF JOIN (VALUES {starts}) AS parts (part) ON row >= part)"


def _first_two(firsts: str) -> str:
    """Return the SQL of the numbers, from 1, of the first two rows in different parts.

    Args:
        firsts: The sorted numbers of the first rows in each part, from 0.
    """
    return ", ".join(
        f"arg_min({firsts}[{place}] + 1, {firsts}[1]) FILTER (WHERE len({firsts}) > 1)" for place in (1, 2)
    )


def overlap_warning(table: ExportTable, columns: Sequence[Column], occurrences: str | None) -> str | None:
    """Return a warning of rows that are identical in different parts of an export, or None if there are none.

    Args:
        table: The export.
        columns: The columns that are emitted.
        occurrences: The table of the numbers of identical rows; None if the rows have a key, or none are identical.
    """
    if occurrences is None or not table.file.parts:
        return None
    rows, first, second = table.database.row(
        f"""
        WITH identical AS (
                 SELECT row, {content_hash(columns)} AS content FROM {table.numbered()}
                 WHERE row IN (SELECT row FROM {occurrences})
             ),
             in_parts AS (
                 SELECT content, count(*) AS rows, min(row) AS first FROM {_with_part("identical", table)}
                 GROUP BY content, part
             ),
             groups AS (
                 SELECT sum(rows) AS rows, list_sort(list(first)) AS firsts
                 FROM in_parts GROUP BY content HAVING count(*) > 1
             )
        SELECT sum(rows), {_first_two("firsts")} FROM groups
        """
    )
    if not rows:
        return None
    return (
        f"{table.name}: {rows:,} rows are identical to a row of another slice, first {table.file.place_of(first)} and "
        f"{table.file.place_of(second)}. They may be real, so all are emitted. If slices overlap, correct "
        f"stream_overrides.{table.name}.slices."
    )


def nul_warning(table: ExportTable, columns: Sequence[Column]) -> str | None:
    """Return a warning of the cells that hold a NUL character, or None if there are none.

    The tap emits the character as it is. PostgreSQL is the database that has no text with it.
    """
    if not table.file.counts.has_nul or not columns:
        return None
    found = [holds_nul(column) for column in columns]
    rows, first, place = table.database.row(
        f"SELECT count(*), min(row) + 1, arg_min(list_position([{', '.join(found)}], true), row) "
        f"FROM {table.numbered()} WHERE {' OR '.join(found)}"
    )
    if not rows:
        return None
    others = f" ({rows:,} rows in all)" if rows > 1 else ""
    return (
        f"{table.name}: column {columns[place - 1].name}, {table.file.place_of(first)}: the cell holds a NUL "
        f"character{others}. "
        "PostgreSQL refuses it: set sanitize_null_text_characters: true in target-postgres, or correct the cell in "
        "Pigment."
    )


def check_64_bits(table: ExportTable, columns: Sequence[Column]) -> None:
    """Check that whole numbers have no more than 64 bits, the most of a Parquet column.

    Raises:
        CellTypeError: If one has more; the message names the column.
    """
    whole = [column for column in columns if column.type is ColumnType.INTEGER]
    if not whole:
        return
    counts = table.database.row(
        f"SELECT {', '.join(f'count_if({exceeds_64_bits(column)})' for column in whole)} FROM {table.relation}"
    )
    for column, count in zip(whole, counts, strict=True):
        if count:
            numbers = f"{counted(count, 'whole number')} {'has' if count == 1 else 'have'}"
            raise CellTypeError(
                f"{table.name}: column {column.name}: {numbers} more than 64 bits, the most in "
                f'Parquet. Set stream_overrides.{table.name}.types to {{"{column.name}": "text"}}, or use jsonl.'
            )

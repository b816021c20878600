"""SQL expressions over the cells of an export; every name and text in the tap's SQL is quoted here."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tap_pigment.columns import (
    CONTENT_HASH,
    DATE_PATTERN,
    FALSE,
    NUMBER_PATTERN,
    TRUE,
    WHOLE_PATTERN,
    Column,
    ColumnType,
)
from tap_pigment.exports.csv_counter import DELIMITER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

# Left to its defaults, DuckDB takes columns from folders with names like `copies=7`, and decompresses by suffix.
_FILE_OPTIONS = {"hive_partitioning": "false", "filename": "false", "union_by_name": "false"}
_CSV_FILE_OPTIONS = {**_FILE_OPTIONS, "compression": "'none'"}
_PARQUET_FILE_OPTIONS = {**_FILE_OPTIONS, "file_row_number": "false", "binary_as_string": "false"}

VECTOR_ROWS = 2_048
"""How many rows DuckDB works on at a time."""

_MIN_BUFFER_BYTES = 64 << 10
_MAX_BUFFER_BYTES = 8 << 20
# DuckDB holds the intermediate results of each expression for the rows of a vector, but for no more than a buffer has.
# So rows with many columns need small buffers, and one expression for all their cells. For a few columns that takes
# twice as long as an expression for each.
_MANY_COLUMNS = 120
_MAX_WIDE_BUFFER_BYTES = 256 << 10
# Hashes never repeat. Without a limit, DuckDB builds dictionaries of them, which takes a fifth of the time of a BATCH
# file. Each column takes the memory of its largest dictionary.
_MAX_DICTIONARY_SIZE = 5_000
_DICTIONARY_SIZE_OF_ALL_COLUMNS = 500_000

# How `_concatenated_in_list` makes JSON of a cell.
_JSON_TEXT, _JSON_LOWER, _JSON_AS_IS = range(3)
_JSON_KINDS: Mapping[ColumnType, int] = {
    ColumnType.TEXT: _JSON_TEXT,
    ColumnType.DATE: _JSON_TEXT,
    ColumnType.BOOLEAN: _JSON_LOWER,
    ColumnType.NUMBER: _JSON_AS_IS,
    ColumnType.INTEGER: _JSON_AS_IS,
}


def _is_in_range(text: str) -> str:
    """Return whether a 64-bit float reaches a number."""
    return f"coalesce(isfinite(TRY_CAST({text} AS DOUBLE)), false)"


# Whether a text fits a type: the same rules as `columns.fits`, in SQL.
FITS: Mapping[ColumnType, Callable[[str], str]] = {
    ColumnType.NUMBER: lambda text: f"(regexp_full_match({text}, '{NUMBER_PATTERN}') AND {_is_in_range(text)})",
    ColumnType.INTEGER: lambda text: f"(regexp_full_match({text}, '{WHOLE_PATTERN}') AND {_is_in_range(text)})",
    ColumnType.BOOLEAN: lambda text: f"{text} IN ('{TRUE}', '{FALSE}')",
    ColumnType.DATE: lambda text: (
        f"(regexp_full_match({text}, '{DATE_PATTERN}') AND TRY_CAST({text} AS DATE) IS NOT NULL AND "
        f"{text} >= '0001-01-01')"
    ),
}


def read_csv(path: Path, width: int, *, size_bytes: int, longest_line_bytes: int, parallel: bool) -> str:
    """Return the relation of a CSV file's rows: text cells `c0`, `c1`, ..., a blank being the empty text.

    Args:
        path: The file.
        width: How many cells each row has.
        size_bytes: The size of the file.
        longest_line_bytes: No line is longer than this.
        parallel: Whether several threads read. They notice a quote that stays open; a single one reads what they
            refuse.
    """
    # A small file needs a small buffer, which is faster to allocate.
    max_buffer_bytes = _MAX_BUFFER_BYTES if width < _MANY_COLUMNS else _MAX_WIDE_BUFFER_BYTES
    buffer_bytes = max(min(max_buffer_bytes, size_bytes), longest_line_bytes, _MIN_BUFFER_BYTES)
    names = [quoted_text(cell(position)) for position in range(width)]
    columns = ", ".join(f"{name}: 'VARCHAR'" for name in names)
    options = {
        "auto_detect": "false",
        "header": "true",
        "columns": f"{{{columns}}}",
        "force_not_null": f"[{', '.join(names)}]",
        "delim": quoted_text(DELIMITER),
        "quote": quoted_text('"'),
        "escape": quoted_text('"'),
        "strict_mode": "true",
        "parallel": str(parallel).lower(),
        "max_line_size": str(buffer_bytes),
        "buffer_size": str(buffer_bytes),
    }
    return f"read_csv({quoted_path(path)}, {_named_arguments(_CSV_FILE_OPTIONS | options)})"


def read_parquet(path: Path) -> str:
    """Return the relation of a Parquet file's rows."""
    return f"read_parquet({quoted_path(path)}, {_named_arguments(_PARQUET_FILE_OPTIONS)})"


def parquet_options(columns: int, *, codec: str) -> str:
    """Return the options of a COPY to Parquet.

    Args:
        columns: The number of columns.
        codec: How pages are compressed, as DuckDB names it.
    """
    dictionary_size = max(1, min(_MAX_DICTIONARY_SIZE, _DICTIONARY_SIZE_OF_ALL_COLUMNS // columns))
    return f"FORMAT parquet, COMPRESSION {codec}, DICTIONARY_SIZE_LIMIT {dictionary_size}"


def _named_arguments(options: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {option}" for name, option in options.items())


def cell(position: int) -> str:
    """Return the name of a column's cells in `read_csv`."""
    return f"c{position}"


def sum_of(terms: Sequence[str]) -> str:
    """Return the sum of one expression or more, nested as little as possible: DuckDB takes a depth of 1,000."""
    half = len(terms) // 2
    return f"({sum_of(terms[:half])} + {sum_of(terms[half:])})" if half else terms[0]


def fits(column: Column) -> str:
    """Return whether a cell fits its column's type; a blank does where it can be null."""
    return _text_fits(cell(column.position), column.type, nullable=column.nullable)


def holds_misfit(columns: Sequence[Column]) -> str:
    """Return whether a cell of some columns does not fit its type."""
    typed = [column for column in columns if column.type is not ColumnType.TEXT]
    if len(typed) < _MANY_COLUMNS:
        return " OR ".join(f"NOT {fits(column)}" for column in typed) or "false"
    cells: dict[tuple[ColumnType, bool], list[str]] = {}
    for column in typed:
        cells.setdefault((column.type, column.nullable), []).append(cell(column.position))
    misfits = []
    for (column_type, nullable), texts in cells.items():
        condition = _text_fits("text", column_type, nullable=nullable)
        misfits.append(f"list_contains(list_transform({_sql_list(texts)}, lambda text: {condition}), false)")
    return " OR ".join(misfits)


def _text_fits(text: str, column_type: ColumnType, *, nullable: bool) -> str:
    condition = FITS[column_type](text)
    # Not OR: DuckDB may evaluate its sides in another order, and a pattern takes ten times as long as a comparison.
    return f"CASE WHEN {text} = '' THEN true ELSE {condition} END" if nullable else condition


def exceeds_64_bits(column: Column) -> str:
    """Return whether a whole number needs more than 64 bits."""
    text = cell(column.position)
    return f"{text} <> '' AND TRY_CAST({text} AS BIGINT) IS NULL"


def holds_nul(column: Column) -> str:
    """Return whether a cell holds a NUL character."""
    return f"contains({cell(column.position)}, chr(0))"


def key_cell(column: Column) -> str:
    """Return a cell of a key as text by which it is compared: equal for equal values."""
    text = cell(column.position)
    return f"if({text} = '-0', '0', {text})" if column.type is ColumnType.INTEGER else text


def value(column: Column) -> str:
    """Return a cell's value; a number as text, for Python to convert."""
    text = cell(column.position)
    if column.type is ColumnType.BOOLEAN:
        return f"CASE {text} WHEN '{TRUE}' THEN true WHEN '{FALSE}' THEN false END"
    return f"nullif({text}, '')" if column.nullable else text


def native_value(column: Column) -> str:
    """Return a cell's value in the type of a typed file."""
    text = value(column)
    match column.type:
        case ColumnType.NUMBER:
            return f"CAST({text} AS DOUBLE)"
        case ColumnType.INTEGER:
            return f"CAST({text} AS BIGINT)"
        case ColumnType.DATE:
            return f"CAST({text} AS DATE)"
        case _:
            return text


def json_value(column: Column) -> str:
    """Return a cell's value as JSON; a number keeps its digits."""
    text = cell(column.position)
    match column.type:
        case ColumnType.BOOLEAN:
            return f"CASE {text} WHEN '{TRUE}' THEN 'true' WHEN '{FALSE}' THEN 'false' ELSE 'null' END"
        case ColumnType.NUMBER | ColumnType.INTEGER:
            return f"if({text} = '', 'null', {text})"
        case _:
            quoted = f"CAST(to_json({text}) AS VARCHAR)"
            return f"if({text} = '', 'null', {quoted})" if column.nullable else quoted


def json_record_start(columns: Sequence[Column], *, before: str) -> str:
    """Return a row's record as JSON, up to the quote that opens its `contentHash`.

    Args:
        columns: The columns to emit.
        before: JSON before the brace that opens the record.
    """
    heads = [f"{',' if place else ''}{json.dumps(column.name)}:" for place, column in enumerate(columns)]
    end = quoted_text(f'{"," if columns else ""}"{CONTENT_HASH}":"')
    if len(columns) < _MANY_COLUMNS:
        members = _concatenated(
            [(quoted_text(head), json_value(column)) for head, column in zip(heads, columns, strict=True)]
        )
    else:
        kinds = _sql_list([_JSON_KINDS[column.type] for column in columns])
        blanks = _sql_list([quoted_text("null" if column.nullable else '""') for column in columns])
        members = _concatenated_in_list(
            columns,
            heads,
            f"CASE WHEN text = '' THEN {blanks}[place] "
            f"WHEN {kinds}[place] = {_JSON_TEXT} THEN CAST(to_json(text) AS VARCHAR) "
            f"WHEN {kinds}[place] = {_JSON_LOWER} THEN lower(text) ELSE text END",
        )
    return f"concat({quoted_text(before + '{')}, {members}, {end})"


def netstrings(columns: Sequence[Column]) -> str:
    """Return the text whose SHA-256 is a row's `contentHash`.

    It holds the columns in code-point order of their names, each as netstring(name) and netstring(cell), or `-` for a
    blank. The cell is the text of the export, so no type changes the hash.
    """
    ordered = sorted(columns, key=lambda column: column.name)
    heads = [f"{len(column.name.encode())}:{column.name}," for column in ordered]
    netstring = "if({text} = '', '-', concat(strlen({text}), ':', {text}, ','))".format
    if len(columns) < _MANY_COLUMNS:
        pairs = zip(heads, ordered, strict=True)
        return _concatenated([(quoted_text(head), netstring(text=cell(column.position))) for head, column in pairs])
    return _concatenated_in_list(ordered, heads, netstring(text="text"))


def _concatenated(pairs: Sequence[tuple[str, str]]) -> str:
    """Return one text of the texts of expressions."""
    return f"concat({', '.join(part for pair in pairs for part in pair) or quoted_text('')})"


def _concatenated_in_list(columns: Sequence[Column], heads: Sequence[str], converted: str) -> str:
    """Return one text of the cells of columns, by a single expression for all: see `_MANY_COLUMNS`.

    Args:
        columns: The columns.
        heads: What stands before each cell.
        converted: What becomes of a cell, which is `text` there; its number in the columns, from 1, is `place`.
    """
    cells = _sql_list([cell(column.position) for column in columns])
    heads_list = _sql_list([quoted_text(head) for head in heads])
    return f"array_to_string(list_transform({cells}, lambda text, place: concat({heads_list}[place], {converted})), '')"


def _sql_list(expressions: Sequence[object]) -> str:
    return f"[{', '.join(map(str, expressions))}]"


def content_hash(columns: Sequence[Column]) -> str:
    """Return a row's `contentHash`."""
    return f"sha256({netstrings(columns)})"


def quick_hash(expressions: Sequence[str]) -> str:
    """Return DuckDB's own 64-bit hash: different for most different values, and another one in another version."""
    return f"hash({', '.join(expressions) or '0'})"


def quoted_name(name: str) -> str:
    """Return `name` as an SQL identifier."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def quoted_text(text: str) -> str:
    """Return `text` as an SQL literal."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def quoted_path(path: Path) -> str:
    """Return a path to read as an SQL literal, with the characters of DuckDB's globs escaped."""
    return quoted_text(re.sub(r"([*?\[])", r"[\1]", str(path)))


def quoted_target(path: Path) -> str:
    """Return a path to write as an SQL literal; DuckDB has no globs there."""
    return quoted_text(str(path))

"""The SQL of types, values and hashes, as expressions; here every name and text in SQL is quoted."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tap_pigment.columns import Column, ColumnType
from tap_pigment.naming import CONTENT_HASH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


def _is_in_range(text: str) -> str:
    """Return whether a number is one that a 64-bit float reaches."""
    return f"coalesce(isfinite(TRY_CAST({text} AS DOUBLE)), false)"


_SEPARATOR = "chr(31)"
_MAX_EXPONENT = 22  # Up to it a 64-bit float has the powers of ten: who reads 1e22 as one finds it among whole numbers.

# One rule for each type, in guessing and in reading alike. The numbers are JSON's.
WHOLE = r"-?(0|[1-9][0-9]*)"
_NUMBER = WHOLE + r"(\.[0-9]+)?([eE][+-]?[0-9]+)?"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
FITS: Mapping[ColumnType, Callable[[str], str]] = {
    ColumnType.NUMBER: lambda text: f"(regexp_full_match({text}, '{_NUMBER}') AND {_is_in_range(text)})",
    ColumnType.INTEGER: lambda text: f"(regexp_full_match({text}, '{WHOLE}') AND {_is_in_range(text)})",
    ColumnType.BOOLEAN: lambda text: f"{text} IN ('TRUE', 'FALSE')",
    ColumnType.DATE: lambda text: (
        f"(regexp_full_match({text}, '{_DATE}') AND TRY_CAST({text} AS DATE) IS NOT NULL AND {text} >= '0001-01-01')"
    ),
}


def cell(position: int) -> str:
    """Return the name under which DuckDB has the cells of a column of the export."""
    return f"c{position}"


def sum_of(terms: Sequence[str]) -> str:
    """Return the sum of one expression or more, nested no deeper than it has to be: DuckDB takes a depth of 1,000."""
    half = len(terms) // 2
    return f"({sum_of(terms[:half])} + {sum_of(terms[half:])})" if half else terms[0]


def fits(column: Column) -> str:
    """Return whether a cell fits its column's type; a blank does where it can be null."""
    text = cell(column.position)
    condition = FITS[column.type](text)
    return f"({text} = '' OR {condition})" if column.nullable else condition


def key_text(column: Column) -> str:
    """Return the text by which a cell of a key is told from others: of a number its value, however that is written."""
    text = cell(column.position)
    match column.type:
        case ColumnType.INTEGER:
            return f"if({text} = '-0', '0', {text})"
        case ColumnType.NUMBER:
            return _plain_number(text)
        case _:
            return text


def _plain_number(text: str) -> str:
    """Return a number with all its digits and no more: without an exponent, and without zeros that say nothing."""
    whole, fraction = f"regexp_extract({text}, '[0-9]+')", f"regexp_extract({text}, '[.]([0-9]+)', 1)"
    power = f"regexp_extract({text}, '[eE][+]?(.+)', 1)"
    exponent = f"if({power} = '', 0, coalesce(TRY_CAST({power} AS INTEGER), {_MAX_EXPONENT + 1}))"
    digits, point = f"concat({whole}, {fraction})", f"(length({whole}) + {exponent})"
    shifted = f"""
        CASE
            WHEN {point} <= 0 THEN concat('0.', repeat('0', -{point}), {digits})
            WHEN {point} < length({digits}) THEN concat({digits}[:{point}], '.', {digits}[{point} + 1:])
            ELSE concat({digits}, repeat('0', {point} - length({digits})))
        END
    """
    unsigned = f"if({exponent} BETWEEN -{_MAX_EXPONENT} AND {_MAX_EXPONENT}, {shifted}, ltrim({text}, '-'))"
    unpadded = f"regexp_replace({unsigned}, '^0+([0-9])', '\\1')"
    trimmed = f"regexp_replace({unpadded}, '[.]0+$|([.][0-9]*[1-9])0+$', '\\1')"
    return f"concat(if({text}[1] = '-' AND {trimmed} <> '0', '-', ''), {trimmed})"


def is_wide(column: Column) -> str:
    """Return whether a whole number has more than 64 bits."""
    text = cell(column.position)
    return f"{text} <> '' AND TRY_CAST({text} AS BIGINT) IS NULL"


def value(column: Column) -> str:
    """Return a cell's value; a number as its text, for Python to turn it into one."""
    text = cell(column.position)
    if column.type is ColumnType.BOOLEAN:
        return f"CASE {text} WHEN 'TRUE' THEN true WHEN 'FALSE' THEN false END"
    return f"nullif({text}, '')" if column.nullable else text


def native_value(column: Column) -> str:
    """Return a cell's value in the type that a typed file has for it."""
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
            return f"CASE {text} WHEN 'TRUE' THEN 'true' WHEN 'FALSE' THEN 'false' ELSE 'null' END"
        case ColumnType.NUMBER | ColumnType.INTEGER:
            return f"if({text} = '', 'null', {text})"
        case _:
            quoted = f"CAST(to_json({text}) AS VARCHAR)"
            return f"if({text} = '', 'null', {quoted})" if column.nullable else quoted


def record_start(columns: Sequence[Column], *, before: str) -> str:
    """Return a row's record as JSON, as far as the quote that opens its `contentHash`.

    Args:
        columns: The columns to emit.
        before: JSON that stands before the brace that opens the record.
    """
    parts = []
    text = before + "{"
    for column in columns:
        parts += [quoted_text(f"{text}{json.dumps(column.name)}:"), json_value(column)]
        text = ","
    parts.append(quoted_text(f'{text}"{CONTENT_HASH}":"'))
    return f"concat({', '.join(parts)})"


def cheap_hash(columns: Sequence[Column]) -> str:
    """Return a 64-bit hash of a row's cells: what differs in it differs, what is alike in it must be looked at."""
    return f"hash({', '.join(cell(column.position) for column in columns) or '0'})"


def fingerprints(columns: Sequence[Column]) -> tuple[str, str]:
    """Return two 64-bit hashes of a row's cells, made in different ways: both alike means that the cells are.

    As with `contentHash`, the order of the columns does not matter.
    """
    in_order = sorted(columns, key=lambda column: column.name)
    # What stands before the cells makes the second another hash where there is one column only.
    cells = ", ".join([quoted_text(""), *(cell(column.position) for column in in_order)])
    return cheap_hash(in_order), f"hash(concat_ws({_SEPARATOR}, {cells}))"


def text_fingerprints(text: str) -> tuple[str, str]:
    """Return two 64-bit hashes of a text, made in different ways: both alike means that the text is."""
    return f"hash({text})", f"hash(concat({_SEPARATOR}, {text}))"


def netstrings(columns: Sequence[Column]) -> str:
    """Return the text of which a row's `contentHash` is the SHA-256.

    It is the columns in code-point order of their names, each as netstring(name) and netstring(cell), or `-` for a
    blank. The cell is the text of the export, so no type moves the hash.
    """
    parts = []
    for column in sorted(columns, key=lambda column: column.name):
        text = cell(column.position)
        parts.append(quoted_text(f"{len(column.name.encode())}:{column.name},"))
        parts.append(f"if({text} = '', '-', concat(strlen({text}), ':', {text}, ','))")
    return f"concat({', '.join(parts) or quoted_text('')})"


def content_hash(columns: Sequence[Column]) -> str:
    """Return a row's `contentHash`."""
    return f"sha256({netstrings(columns)})"


def quoted_name(name: str) -> str:
    """Return `name` as an SQL identifier."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def quoted_text(text: str) -> str:
    """Return `text` as an SQL literal."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def without_globs(path: Path) -> str:
    """Return a path in which the characters that DuckDB takes for patterns stand for themselves."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))

"""An extract as CSV (RFC 4180), in chunks of bytes."""

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any, TypeAlias

from tap_pigment.sandbox.api.bodies import DateFormat, DecimalSeparator, Delimiter, Dialect, Encoding
from tap_pigment.sandbox.api.extract import Extract
from tap_pigment.sandbox.api.model import Column, ColumnType

CHUNK_CHARACTERS = 64 * 1024
# So that a filter that keeps no row does not block the server.
ROWS_BETWEEN_PAUSES = 4096

_FormatCell: TypeAlias = Callable[[Any], str]


def csv_chunks(extract: Extract, dialect: Dialect) -> Iterator[bytes]:
    """Yield the header and the rows; a chunk is empty if the filters exclude many rows in a row."""
    text = io.StringIO()
    delimiter = "," if dialect.delimiter is Delimiter.COMMA else ";"
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    if dialect.encoding is Encoding.UTF_8_WITH_BOM:
        yield codecs.BOM_UTF8
    writer.writerow(column.name if dialect.friendly_headers else column.technical_name for column in extract.columns)
    formats = _cell_formats(extract.columns, dialect)
    for row_number, row in enumerate(extract.rows, start=1):
        selected = extract.select(row)
        if selected is not None:
            cells = list(selected)
            for position, format_cell in formats:
                if cells[position] is not None:
                    cells[position] = format_cell(cells[position])
            writer.writerow(cells)
        if text.tell() >= CHUNK_CHARACTERS or row_number % ROWS_BETWEEN_PAUSES == 0:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def _cell_formats(columns: Sequence[Column], dialect: Dialect) -> list[tuple[int, _FormatCell]]:
    """Return the positions of the columns whose cells `str` does not format correctly, each with its formatter."""
    by_type: dict[ColumnType, _FormatCell] = {
        ColumnType.BOOLEAN: lambda value: "TRUE" if value else "FALSE",
        ColumnType.NUMBER: _number_with_comma
        if dialect.decimal_separator is DecimalSeparator.COMMA
        else _number_with_dot,
    }
    if dialect.date_format is DateFormat.LEGACY:
        by_type[ColumnType.DATE] = _legacy_date
    return [(position, by_type[column.type]) for position, column in enumerate(columns) if column.type in by_type]


def _number_with_dot(value: object) -> str:
    # Pigment runs on .NET, which writes 1E-05 where Python writes 1e-05.
    return str(value).upper()


def _number_with_comma(value: object) -> str:
    return _number_with_dot(value).replace(".", ",")


def _legacy_date(value: date) -> str:
    return value.strftime("%m/%d/%Y")

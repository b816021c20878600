"""An extract as CSV: RFC 4180, in blocks of bytes."""

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any, TypeAlias

from tap_pigment.sandbox.bodies import DateFormat, DecimalSeparator, Delimiter, Dialect, Encoding
from tap_pigment.sandbox.extract import Extract
from tap_pigment.sandbox.model import Column, ColumnType

BLOCK_CHARACTERS = 64 * 1024
# So that a filter which keeps nothing does not hold up the server.
ROWS_BETWEEN_PAUSES = 4096

_Writes: TypeAlias = Callable[[Any], str]


def csv_blocks(extract: Extract, dialect: Dialect) -> Iterator[bytes]:
    """Yield the header and the rows; a block may be empty, where many rows were left out."""
    text = io.StringIO()
    delimiter = "," if dialect.delimiter is Delimiter.COMMA else ";"
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    if dialect.encoding is Encoding.UTF_8_WITH_BOM:
        yield codecs.BOM_UTF8
    writer.writerow(column.name if dialect.friendly_headers else column.technical_name for column in extract.columns)
    written = _written(extract.columns, dialect)
    for seen, row in enumerate(extract.rows, start=1):
        cells = extract.cells(row)
        if cells is not None:
            line = list(cells)
            for at, writes in written:
                if line[at] is not None:
                    line[at] = writes(line[at])
            writer.writerow(line)
        if text.tell() >= BLOCK_CHARACTERS or seen % ROWS_BETWEEN_PAUSES == 0:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def _written(columns: Sequence[Column], dialect: Dialect) -> list[tuple[int, _Writes]]:
    """Return the positions of the cells whose text is not simply their `str`, with what makes it."""
    by_type: dict[ColumnType, _Writes] = {
        ColumnType.BOOLEAN: lambda value: "TRUE" if value else "FALSE",
        ColumnType.NUMBER: _decimal_comma if dialect.decimal_separator is DecimalSeparator.COMMA else _decimal_dot,
    }
    if dialect.date_format is DateFormat.LEGACY:
        by_type[ColumnType.DATE] = _legacy_date
    return [(at, by_type[column.type]) for at, column in enumerate(columns) if column.type in by_type]


def _decimal_dot(value: object) -> str:
    # Pigment runs on .NET, which writes 1E-05 where Python writes 1e-05.
    return str(value).upper()


def _decimal_comma(value: object) -> str:
    return _decimal_dot(value).replace(".", ",")


def _legacy_date(value: date) -> str:
    return value.strftime("%m/%d/%Y")

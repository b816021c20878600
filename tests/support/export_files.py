"""Exports on disk, and DuckDB to read them, without a server."""

from __future__ import annotations

import csv
import io
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import requests

from tap_pigment.columns import Column, ColumnType, RowKey
from tap_pigment.exports import DuckDBSession, ExportFile, SpoolDirectory, memory_bytes, validate
from tap_pigment.exports.csv_counter import count_file
from tap_pigment.output import RecordSet, number_identical_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from tap_pigment.exports import StreamDatabase, ValidatedExport

COLUMNS = (
    Column("a", "a", ColumnType.TEXT, nullable=False, position=0),
    Column("b", "b", ColumnType.TEXT, nullable=True, position=1),
)
"""The columns of an export of two, of which the first may be the key."""

RECEIVED_AT = datetime(2026, 1, 31, tzinfo=UTC)


def csv_bytes(
    table: Sequence[Sequence[str]], *, quoting: int = csv.QUOTE_MINIMAL, line_end: str = "\r\n", mark: bytes = b""
) -> bytes:
    """Return a table, its header first, as Python's writer writes it, behind a byte order mark if one is given."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=";", quoting=quoting, lineterminator=line_end).writerows(table)  # type: ignore[arg-type] # one of csv's own constants.
    return mark + text.getvalue().encode()


def export_file(folder: Path, content: bytes) -> ExportFile:
    """Write a body to disk as an export that has arrived."""
    path = folder / "export.csv"
    path.write_bytes(content)
    counts = count_file(path)
    header = counts.header
    assert header is not None
    return ExportFile(path, counts, header, RECEIVED_AT, requests.Response())


def columns_of(
    header: Sequence[str], types: Mapping[str, ColumnType] | None = None, key: Collection[str] = ()
) -> list[Column]:
    """Return the columns of a header, as text unless `types` names another type."""
    return [
        Column(name, name, (types or {}).get(name, ColumnType.TEXT), nullable=name not in key, position=position)
        for position, name in enumerate(header)
    ]


@contextmanager
def duckdb_session(folder: Path) -> Iterator[DuckDBSession]:
    """Give a session of DuckDB, and close it and its spool directory at the end."""
    spool = SpoolDirectory(folder)
    session = DuckDBSession(spool)
    try:
        yield session
    finally:
        session.close()
        spool.close()


@contextmanager
def stream_database(session: DuckDBSession, file: ExportFile, name: str = "plan") -> Iterator[StreamDatabase]:
    """Give the database for an export of a stream, with as much memory as the tap gives it."""
    with session.for_stream(name, memory_bytes=memory_bytes(file)) as database:
        yield database


@contextmanager
def validated_export(
    session: DuckDBSession, file: ExportFile, columns: Sequence[Column], key: RowKey
) -> Iterator[ValidatedExport]:
    """Give an export of the stream `plan`, validated; the file is deleted at the end."""
    try:
        with stream_database(session, file) as database:
            yield validate(file, database, columns, key)
    finally:
        file.delete()


@contextmanager
def record_set(
    session: DuckDBSession,
    file: ExportFile,
    *,
    key: Sequence[str] = (),
    types: Mapping[str, ColumnType] | None = None,
    selected: Collection[str] | None = None,
) -> Iterator[RecordSet]:
    """Give the rows to emit of an export of the stream `plan`; the file is deleted at the end.

    Args:
        session: The session of DuckDB.
        file: The export.
        key: The names of the key columns.
        types: Types by column; text for the others.
        selected: The names of the selected columns; None for all.
    """
    columns = columns_of(file.header, types, key)
    columns = [column for column in columns if selected is None or column.name in selected]
    row_key = RowKey(tuple(key))
    with validated_export(session, file, columns, row_key) as export:
        occurrences = number_identical_rows(export, columns) if row_key.is_keyless and export.may_repeat else None
        yield RecordSet(export.table, columns, row_key, occurrences)

"""The ways out of a checked export, as records, RECORD lines, JSON lines or Parquet; all give the same rows."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tap_pigment.columns import KEYLESS, Column, ColumnType
from tap_pigment.naming import CONTENT_HASH, OCCURRENCE
from tap_pigment.sql import (
    WHOLE,
    cheap_hash,
    content_hash,
    native_value,
    quoted_name,
    quoted_text,
    record_line,
    value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import duckdb

    from tap_pigment.export import Export

_LINE_END = "\n"


class Outlet:
    """The selected columns of a checked export, and the columns that the tap adds.

    Args:
        export: The export.
        columns: The columns to emit.
        key: Names of the key's columns, or `KEYLESS`.
    """

    def __init__(self, export: Export, columns: Sequence[Column], key: Sequence[str]) -> None:
        self._export = export
        self._columns = columns
        self._added = KEYLESS if tuple(key) == KEYLESS else (CONTENT_HASH,)

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield each row as a record: the columns, typed, then the added ones."""
        names = [*(column.name for column in self._columns), *self._added]
        converters = [
            *(_CONVERTERS.get(column.type, _as_it_is) for column in self._columns),
            *(_as_it_is for _ in self._added),
        ]
        values = ", ".join([*map(value, self._columns), *map(quoted_name, self._added)])
        for rows in self._blocks(values):
            for row in rows:
                yield {
                    name: None if found is None else convert(found)
                    for name, convert, found in zip(names, converters, row, strict=True)
                }

    def record_blocks(self, stream: str, *, version: int | None, time_extracted: str) -> Iterator[tuple[bytes, int]]:
        """Yield blocks of RECORD messages, a line each, and how many there are in each block."""
        message: dict[str, Any] = {"type": "RECORD", "stream": stream, "record": "\0"}
        if version is not None:
            message["version"] = version
        message["time_extracted"] = time_extracted
        before, after = json.dumps(message, separators=(",", ":")).split(json.dumps("\0"))
        line = self._line(before + "{", "}" + after + _LINE_END)
        # As bytes, which spares decoding and encoding each line.
        for rows in self._blocks(f"encode({line})"):
            yield b"".join([line for (line,) in rows]), len(rows)

    def _blocks(self, selected: str) -> Iterator[list[Any]]:
        """Yield all rows of what is selected, some at a time."""
        result = self._export.execute(f"SELECT {selected} FROM {self._rows()}")
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
        return self._export.rows

    @property
    def block_rows(self) -> int:
        """How many rows to fetch at once."""
        return self._export.block_rows

    def json_lines(self) -> duckdb.DuckDBPyConnection:
        """Return a result of one column: each row's record as JSON with a line end, as bytes."""
        return self._export.execute(f"SELECT encode({self._line('{', '}' + _LINE_END)}) FROM {self._rows()}")

    def stage_typed(self) -> None:
        """Put the typed rows where `write_parquet` takes them from.

        Raises:
            CellTypeError: If a whole number has more than 64 bits.
        """
        self._export.check_width([column for column in self._columns if column.type is ColumnType.INTEGER])
        values = [f"{native_value(column)} AS {quoted_name(column.name)}" for column in self._columns]
        selected = ", ".join([*values, *map(quoted_name, self._added)])
        self._export.execute(f"CREATE OR REPLACE TEMP TABLE staged AS SELECT {selected} FROM {self._rows()}")

    def write_parquet(self, path: Path, codec: str, start: int, rows: int) -> int:
        """Write staged rows, from the row `start` on (from 0), to a file, and return how many they were."""
        (written,) = self._export.values(
            f"COPY (SELECT * FROM staged WHERE rowid BETWEEN {start} AND {start + rows - 1}) "
            f"TO {quoted_text(str(path))} (FORMAT parquet, COMPRESSION {quoted_text(codec)})"
        )
        return int(written)

    def new_file(self, suffix: str) -> Path:
        """Return the path of a new file beside the spool, which only the user can read."""
        path = self._export.spool.path.with_suffix(suffix)
        path.touch(mode=0o600)
        return path

    def _line(self, before: str, after: str) -> str:
        return record_line(
            self._columns,
            before=before,
            after=after,
            hash_text=quoted_name(CONTENT_HASH),
            occurrence=quoted_name(OCCURRENCE) if OCCURRENCE in self._added else None,
        )

    def _rows(self) -> str:
        """Return the SQL of the rows, with `contentHash`, and `occurrence` where it is added."""
        table = self._export.table
        hashed = f"{content_hash(self._columns)} AS {quoted_name(CONTENT_HASH)}"
        if OCCURRENCE not in self._added:
            return f"(SELECT *, {hashed} FROM {table})"
        if not self._export.has_repeats:
            return f"(SELECT *, {hashed}, 1 AS {OCCURRENCE} FROM {table})"
        self._number_identical_rows()
        return f"""(
            SELECT * EXCLUDE (row, numbered_row, number), {hashed}, coalesce(number, 1) AS {OCCURRENCE}
            FROM (SELECT *, row_number() OVER () AS row FROM {table})
            LEFT JOIN numbers ON numbered_row = row
        )"""

    def _number_identical_rows(self) -> None:
        """Number identical rows 1, 2, 3, in a table of its own that has no other rows and no cells."""
        cheap = cheap_hash(self._columns)
        table = self._export.table
        self._export.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE numbers AS
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


def _number(text: str) -> float:
    return int(text) if re.fullmatch(WHOLE, text) else float(text)


def _as_it_is(found: Any) -> Any:  # noqa: ANN401 - whatever DuckDB gives.
    return found


_CONVERTERS: Mapping[ColumnType, Callable[[Any], Any]] = {ColumnType.NUMBER: _number, ColumnType.INTEGER: int}

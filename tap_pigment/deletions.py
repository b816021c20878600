"""Rows that are gone, as their key and the time at which that was seen."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_pigment.columns import KEYLESS, Column
from tap_pigment.lines import WholeLines
from tap_pigment.naming import CONTENT_HASH, DELETED_AT, OCCURRENCE
from tap_pigment.sql import json_value, quoted_name, quoted_text, value
from tap_pigment.values import record_maker

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_pigment.difference import Selection
    from tap_pigment.engine import Engine

_BLOCK_ROWS = 4_000


@dataclass(frozen=True)
class Deletions:
    """The rows that are gone from an export.

    Attributes:
        engine: What has them.
        gone: Their keys: the cells of the key's columns, or `contentHash` and `occurrence`.
        columns: The columns that are emitted.
        key: Names of the key's columns, or `KEYLESS`.
        deleted_at: When it was seen that they are gone, as ISO 8601.
    """

    engine: Engine
    gone: Selection
    columns: Sequence[Column]
    key: Sequence[str]
    deleted_at: str

    def record_blocks(self, before: str, after: str) -> Iterator[tuple[bytes, int]]:
        """Yield blocks of RECORD messages, a line each, and how many there are in each block.

        Args:
            before: JSON from the start of the message to before the brace that opens the record.
            after: JSON from after the brace that closes the record to the end of the message.
        """
        parts = [quoted_text(before + "{")]
        for name, key_value in self._key_values():
            parts += [quoted_text(f"{json.dumps(name)}:"), key_value, quoted_text(",")]
        parts.append(quoted_text(f'"{DELETED_AT}":{json.dumps(self.deleted_at)}}}{after}\n'))
        lines = WholeLines(self.engine.execute(f"SELECT encode(concat({', '.join(parts)})) FROM {self.gone.table}"))
        while (block := lines.fetch(_BLOCK_ROWS))[1]:
            yield block

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield each as a record in which every column outside of the key is null, for stream maps to look at."""
        blank = dict.fromkeys([*(column.name for column in self.columns), CONTENT_HASH])
        added = KEYLESS if tuple(self.key) == KEYLESS else ()
        key = record_maker(self._key_columns, added)
        values = ", ".join([*map(value, self._key_columns), *map(quoted_name, added)])
        result = self.engine.execute(f"SELECT {values} FROM {self.gone.table}")
        while rows := result.fetchmany(_BLOCK_ROWS):
            for row in rows:
                yield {**blank, **key(row), DELETED_AT: self.deleted_at}

    @property
    def _key_columns(self) -> list[Column]:
        return [column for column in self.columns if column.name in self.key]

    def _key_values(self) -> list[tuple[str, str]]:
        """Return the name of each column of the key, and the SQL of its value as JSON."""
        if tuple(self.key) == KEYLESS:
            return [(CONTENT_HASH, f"concat('\"', {quoted_name(CONTENT_HASH)}, '\"')"), (OCCURRENCE, OCCURRENCE)]
        return [(column.name, json_value(column)) for column in self._key_columns]

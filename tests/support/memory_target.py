"""A target in memory, which does what target-postgres does: merges by key, and marks deleted rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Row = dict[str, Any]


class MemoryTarget:
    """Tables by stream, and the last state whose records were loaded.

    Args:
        batch_rows: How many records it collects before it merges them into their tables; None for all before a STATE.

    Attributes:
        state: The last state.
    """

    def __init__(self, batch_rows: int | None = 1) -> None:
        self.state: dict[str, Any] | None = None
        self._tables: dict[str, dict[tuple[Any, ...], Row]] = {}
        self._schemas: dict[str, dict[str, Any]] = {}
        self._collected: list[dict[str, Any]] = []
        self._batch_rows = batch_rows

    def load(self, messages: Iterable[dict[str, Any]]) -> None:
        """Load messages, and drop the records that are collected and not merged at the end."""
        for message in messages:
            match message["type"]:
                case "SCHEMA":
                    self._schemas[message["stream"]] = message
                    self._tables.setdefault(message["stream"], {})
                case "RECORD":
                    self._collected.append(message)
                    if self._batch_rows and len(self._collected) >= self._batch_rows:
                        self._merge()
                case "STATE":
                    self._merge()
                    self.state = message["value"]
        self._collected.clear()

    def load_lines(self, lines: Iterable[bytes]) -> None:
        """Load messages from lines, but for a line without its end."""
        self.load(json.loads(line) for line in lines if line.endswith(b"\n"))

    def live(self, stream: str) -> list[Row]:
        """Return the rows that are not marked as deleted, without the columns that the tap adds."""
        added = {"contentHash", "occurrence", "_sdc_deleted_at"}
        return [
            {name: cell for name, cell in row.items() if name not in added}
            for row in self._tables.get(stream, {}).values()
            if row["_sdc_deleted_at"] is None
        ]

    def _merge(self) -> None:
        for message in self._collected:
            schema = self._schemas[message["stream"]]
            record = message["record"]
            identity = tuple(record[name] for name in schema["key_properties"])
            assert None not in identity
            # Targets that write columns by position need every column in every record.
            assert record.keys() == schema["schema"]["properties"].keys()
            self._tables[message["stream"]][identity] = record
        self._collected.clear()

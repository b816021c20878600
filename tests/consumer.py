"""A target in memory, which does what target-postgres does: merges by key, and marks what is gone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Row = dict[str, Any]


class Consumer:
    """Tables by stream, and the state of what has reached them.

    Args:
        batch_rows: How many records are held back before they reach their table; None for as long as no state comes.
    """

    def __init__(self, batch_rows: int | None = 1) -> None:
        self.state: dict[str, Any] | None = None
        self._tables: dict[str, dict[tuple[Any, ...], Row]] = {}
        self._schemas: dict[str, dict[str, Any]] = {}
        self._held: list[dict[str, Any]] = []
        self._batch_rows = batch_rows

    def take(self, messages: Iterable[dict[str, Any]]) -> None:
        """Take messages until there are no more, or die with those that are held."""
        for message in messages:
            match message["type"]:
                case "SCHEMA":
                    self._schemas[message["stream"]] = message
                    self._tables.setdefault(message["stream"], {})
                case "RECORD":
                    self._held.append(message)
                    if self._batch_rows and len(self._held) >= self._batch_rows:
                        self._apply()
                case "STATE":
                    self._apply()
                    self.state = message["value"]
        self._held.clear()

    def take_lines(self, lines: Iterable[bytes]) -> None:
        """Take messages as lines; one that is cut is none."""
        self.take(json.loads(line) for line in lines if line.endswith(b"\n"))

    def live(self, stream: str) -> list[Row]:
        """Return the rows that are not marked as gone, without the columns that the tap adds."""
        added = {"contentHash", "occurrence", "_sdc_deleted_at"}
        return [
            {name: cell for name, cell in row.items() if name not in added}
            for row in self._tables[stream].values()
            if row["_sdc_deleted_at"] is None
        ]

    def _apply(self) -> None:
        for message in self._held:
            schema = self._schemas[message["stream"]]
            record = message["record"]
            identity = tuple(record[name] for name in schema["key_properties"])
            assert None not in identity
            # A column that a record lacks is null in the table.
            row = {name: record.get(name) for name in schema["schema"]["properties"]}
            assert row.keys() >= record.keys()
            self._tables[message["stream"]][identity] = row
        self._held.clear()

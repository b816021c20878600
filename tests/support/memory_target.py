"""A target in memory, which does what target-postgres does: merges by key, and marks deleted rows."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterable

Row = dict[str, Any]


class MemoryTarget:
    """Tables by stream, and the last state whose records were loaded.

    It reads the files of BATCH messages, and deletes the rows of other versions at ACTIVATE_VERSION.

    Args:
        batch_rows: How many records it collects before it merges them into their tables; None for all before a STATE.

    Attributes:
        state: The last state.
    """

    def __init__(self, batch_rows: int | None = 1) -> None:
        self.state: dict[str, Any] | None = None
        self._tables: dict[str, dict[tuple[Any, ...], Row]] = {}
        self._versions: dict[str, dict[tuple[Any, ...], Any]] = {}
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
                case "BATCH":
                    for url in message["manifest"]:
                        rows = _file_rows(Path(urlsplit(url).path))
                        self._collected += [{"stream": message["stream"], "record": row} for row in rows]
                case "ACTIVATE_VERSION":
                    self._merge()
                    self._delete_other_versions(message["stream"], message["version"])
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
            if row.get("_sdc_deleted_at") is None
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
            self._versions.setdefault(message["stream"], {})[identity] = message.get("version")
        self._collected.clear()

    def _delete_other_versions(self, stream: str, version: int) -> None:
        versions = self._versions.get(stream, {})
        self._tables[stream] = {
            identity: row for identity, row in self._tables[stream].items() if versions[identity] == version
        }


def _file_rows(path: Path) -> list[Row]:
    """Return the rows of a BATCH file, with dates as records have them."""
    if path.suffix != ".parquet":
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    with duckdb.connect() as connection:
        result = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
        names = [column[0] for column in result.description]
        return [
            {name: cell.isoformat() if isinstance(cell, date) else cell for name, cell in zip(names, row, strict=True)}
            for row in result.fetchall()
        ]

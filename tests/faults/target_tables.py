"""The tables of a target after a run, which show the rows that were lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.taps import Message

Rows = dict[str, str | None]


class TargetTables:
    """Tables of a target that deletes rows at ACTIVATE_VERSION, and those whose record marks them as deleted.

    Attributes:
        bookmarks: The bookmarks of the last state.
    """

    def __init__(self) -> None:
        self._tables: dict[str, dict[tuple[Any, ...], tuple[int | None, dict[str, Any]]]] = {}
        self.bookmarks: dict[str, Any] = {}

    def load(self, messages: Sequence[Message]) -> None:
        """Load the messages of a tap."""
        keys: dict[str, list[str]] = {}
        for message in messages:
            match message["type"]:
                case "SCHEMA":
                    keys[message["stream"]] = message["key_properties"]
                    self._tables.setdefault(message["stream"], {})
                case "RECORD":
                    record = message["record"]
                    key = tuple(record[name] for name in keys[message["stream"]])
                    if record.get("_sdc_deleted_at") is None:
                        self._tables[message["stream"]][key] = (message.get("version"), record)
                    else:
                        self._tables[message["stream"]].pop(key, None)
                case "ACTIVATE_VERSION":
                    table = self._tables[message["stream"]]
                    for key in [key for key, (version, _) in table.items() if version != message["version"]]:
                        del table[key]
                case "STATE":
                    self.bookmarks = message["value"]["bookmarks"]

    def rows(self, stream: str) -> Rows:
        """Return the rows of a table: names by code."""
        return {record["Code"]: record["Name"] for record in self.records(stream)}

    def records(self, stream: str) -> list[dict[str, Any]]:
        """Return the records of a table."""
        return [record for _, record in self._tables.get(stream, {}).values()]

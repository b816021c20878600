"""Change detection, run after run: a list of countries, and the state that each run leaves for the next."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.conftest import of_type, written

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tap_pigment.tap import TapPigment
    from tests.conftest import MakeTap, Message
    from tests.pigment import Pigment

COUNTRIES = "Code;Name;Size\r\nFR;France;1.5\r\nDE;Deutschland;2.5\r\nIT;Italia;3.5\r\n"
CHANGED = "Code;Name;Size\r\nFR;France;1.5\r\nDE;Germany;2.5\r\nES;España;4.5\r\n"


class Nights:
    """Runs of the tap on one list of countries, each from the state that the one before has left."""

    def __init__(self, pigment: Pigment, tap: MakeTap, settings: Mapping[str, Any]) -> None:
        self.pigment = pigment
        self.block = pigment.add_list("Countries", COUNTRIES)
        self.settings = settings
        self.state: dict[str, Any] = {}
        self.catalog: dict[str, Any] | None = None
        self._tap = tap

    def tap(self, **settings: Any) -> TapPigment:  # noqa: ANN401 - JSON.
        """Return the tap of the next run."""
        return self._tap(catalog=self.catalog, state=self.state, **{**self.settings, **settings})

    def run(self, **settings: Any) -> list[Message]:  # noqa: ANN401 - JSON.
        """Run once and return what was written, without the state that was given."""
        running = self.tap(**settings)
        given = json.dumps(self.state)
        running.sync_all()
        messages = written(running)
        self.state = next((m["value"] for m in reversed(messages) if m["type"] == "STATE"), self.state)
        return [m for m in messages if m["type"] != "STATE" or json.dumps(m["value"]) != given]

    def night(self, body: str, **settings: Any) -> list[Message]:  # noqa: ANN401 - JSON.
        """Put an export into Pigment and run."""
        self.pigment.exports[self.block] = body.encode()
        return self.run(**settings)

    @property
    def bookmark(self) -> dict[str, Any]:
        """The bookmark of the countries."""
        found: dict[str, Any] = self.state["bookmarks"]["countries"]
        return found


def rows(messages: list[Message]) -> list[dict[str, Any]]:
    """Return the records without their hash."""
    return [
        {name: cell for name, cell in message["record"].items() if name != "contentHash"}
        for message in of_type(messages, "RECORD")
    ]


def snapshots(store: Path) -> list[str]:
    """Return the names of the snapshots that are kept."""
    return sorted(path.stem for path in store.rglob("*.parquet"))

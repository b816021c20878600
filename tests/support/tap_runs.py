"""Runs of the tap on a list of countries, one after the other or overlapping, and the state that each returns."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.pigment import Pigment
from tests.support.taps import TIMEOUT_SECONDS, of_type, written

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping
    from pathlib import Path

    from tap_pigment.tap import TapPigment
    from tests.support.taps import MakeTap, Message

    AsgiMessage = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[AsgiMessage]]
    Send = Callable[[AsgiMessage], Awaitable[None]]

COUNTRIES = "Code;Name;Size\r\nFR;France;1.5\r\nDE;Deutschland;2.5\r\nIT;Italia;3.5\r\n"
CHANGED = "Code;Name;Size\r\nFR;France;1.5\r\nDE;Germany;2.5\r\nES;España;4.5\r\n"


class TapRuns:
    """Runs of the tap on one list of countries, each from the state of the one before.

    Attributes:
        state: The state of the next run.
        catalog: The catalog of the next run; None for discovery.
    """

    def __init__(self, pigment: Pigment, tap: MakeTap, settings: Mapping[str, Any]) -> None:
        self.pigment = pigment
        self.block = pigment.add_list("Countries", COUNTRIES)
        self.settings = settings
        self.state: dict[str, Any] = {}
        self.catalog: dict[str, Any] | None = None
        self._tap = tap

    def put(self, body: str) -> None:
        """Put an export into Pigment."""
        self.pigment.exports[self.block] = body.encode()

    def tap(self, **settings: Any) -> TapPigment:  # noqa: ANN401 - JSON.
        """Return the tap of the next run."""
        return self._tap(catalog=self.catalog, state=self.state, **{**self.settings, **settings})

    def run(self, **settings: Any) -> list[Message]:  # noqa: ANN401 - JSON.
        """Run, keep the last state, and return the messages."""
        running = self.tap(**settings)
        given = self.state
        running.sync_all()
        messages = written_after(given, running)
        self.state = of_type(messages, "STATE")[-1]["value"]
        return messages

    def run_with(self, body: str, **settings: Any) -> list[Message]:  # noqa: ANN401 - JSON.
        """Put an export into Pigment and run."""
        self.put(body)
        return self.run(**settings)

    def lose(self, body: str) -> list[Message]:
        """Run with an export, but keep the state of before."""
        before = self.state
        messages = self.run_with(body)
        self.state = before
        return messages

    @property
    def bookmark(self) -> dict[str, Any]:
        """The bookmark of the countries."""
        found: dict[str, Any] = self.state["bookmarks"]["countries"]
        return found


def written_after(state: Mapping[str, Any], tap: TapPigment) -> list[Message]:
    """Return the messages of a tap, without the state that it was given and writes first."""
    messages = written(tap)
    if not state:
        return messages
    assert messages[0] == {"type": "STATE", "value": state}
    return messages[1:]


def rows(messages: list[Message]) -> list[dict[str, Any]]:
    """Return the records without their hash."""
    return [
        {name: cell for name, cell in message["record"].items() if name != "contentHash"}
        for message in of_type(messages, "RECORD")
    ]


def snapshots(store: Path) -> list[str]:
    """Return the names of the snapshots in a store."""
    return sorted(path.stem for path in store.rglob("*.parquet"))


@dataclass
class HeldResponse:
    """A response that the server does not send before it is released.

    Attributes:
        requested: Set once the request has arrived; the response is made then.
        released: Set to send the response.
    """

    requested: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)


class HoldingPigment(Pigment):
    """A Pigment that can hold the response to one request."""

    def __init__(self) -> None:
        super().__init__()
        self._held: HeldResponse | None = None
        self._held_path = ""

    def hold_next(self, path_part: str) -> HeldResponse:
        """Hold the response to the next request whose path holds `path_part`."""
        self._held = HeldResponse()
        self._held_path = path_part
        return self._held

    def hold_next_export(self) -> HeldResponse:
        """Hold the response to the next request for an export."""
        return self.hold_next("/export/")

    async def __call__(self, scope: AsgiMessage, receive: Receive, send: Send) -> None:
        """Answer one request, later if its response is held."""
        held = self._held
        if held is None or self._held_path not in scope.get("path", ""):
            await super().__call__(scope, receive, send)
            return
        self._held = None
        messages: list[AsgiMessage] = []

        async def collect(message: AsgiMessage) -> None:
            messages.append(message)

        await super().__call__(scope, receive, collect)
        held.requested.set()
        while not held.released.is_set():  # noqa: ASYNC110 - a thread sets it, and the server may be stopped before.
            await asyncio.sleep(0.001)
        for message in messages:
            await send(message)


class OverlappingRun:
    """A run in a thread of its own, which waits for its export until `finish` is called.

    Args:
        pigment: The Pigment, which holds the export.
        tap: The tap.
        state: The state that the tap was given.
    """

    def __init__(self, pigment: HoldingPigment, tap: TapPigment, state: Mapping[str, Any]) -> None:
        self._held = pigment.hold_next_export()
        self._tap = tap
        self._state = state
        self._errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._held.requested.wait(TIMEOUT_SECONDS)

    def _run(self) -> None:
        try:
            self._tap.sync_all()
        except BaseException as error:  # noqa: BLE001 - raised by `finish`.
            self._errors.append(error)

    def finish(self) -> list[Message]:
        """Send the export, wait for the end of the run, and return its messages."""
        self._held.released.set()
        self._thread.join(TIMEOUT_SECONDS)
        assert not self._thread.is_alive()
        if self._errors:
            raise self._errors[0]
        return written_after(self._state, self._tap)

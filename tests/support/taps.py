"""Taps in this process and in processes of their own, and the messages that they wrote."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Protocol

from singer_sdk.io_base import SingerWriter

from tap_pigment.output import BlockWriter

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping, Sequence

    from tap_pigment.tap import TapPigment

Message = dict[str, Any]

TIMEOUT_SECONDS = 5


class MakeTap(Protocol):
    """Makes a tap in this process, whose waits take no time."""

    def __call__(
        self, *, catalog: Mapping[str, Any] | None = None, state: Mapping[str, Any] | None = None, **settings: object
    ) -> TapPigment:
        """Return the tap."""


class RunTap(Protocol):
    """Runs the tap in this process and returns its messages."""

    def __call__(
        self, *, catalog: Mapping[str, Any] | None = None, state: Mapping[str, Any] | None = None, **settings: object
    ) -> list[Message]:
        """Sync all selected streams; waits take no time."""


class Discover(Protocol):
    """Runs discovery and returns the catalog."""

    def __call__(self, **settings: object) -> dict[str, Any]:
        """Discover; waits take no time."""


class RunCommand(Protocol):
    """Runs the tap's command in a process of its own."""

    def __call__(
        self, *options: str, config: Mapping[str, Any] | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Return the finished process with its output."""


class Clock:
    """A clock that only waits move; they take no time.

    Attributes:
        now: The seconds that have passed.
        waits: The seconds of each wait.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        """Return the seconds that have passed."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let some seconds pass."""
        self.waits.append(seconds)
        self.now += seconds


class RecordWriter(SingerWriter):
    """Keeps messages as a target would read them. It takes no blocks, so the tap writes record by record."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []

    def write_message(self, message: Any) -> None:  # noqa: ANN401 - the SDK's signature.
        """Keep a message, written as JSON and read again."""
        self.messages.append(json.loads(self.format_message(message)))


class Recorder(RecordWriter, BlockWriter):
    """Keeps messages as a target would read them, also those in blocks."""

    def write_block(self, block: bytes) -> None:
        """Keep the messages of a block."""
        self.messages += [json.loads(line) for line in block.splitlines()]


def eventually(condition: Callable[[], bool], seconds: float = TIMEOUT_SECONDS) -> bool:
    """Return whether a condition becomes true in time."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
    return condition()


def written(tap: TapPigment) -> list[Message]:
    """Return the messages that a tap has written so far."""
    assert isinstance(tap.message_writer, Recorder)
    return tap.message_writer.messages


def records(messages: Sequence[Message], stream: str) -> list[dict[str, Any]]:
    """Return the records of a stream without the columns that the tap adds."""
    added = {"contentHash", "occurrence"}
    return [
        {name: value for name, value in message["record"].items() if name not in added}
        for message in messages
        if message["type"] == "RECORD" and message["stream"] == stream
    ]


def of_type(messages: Sequence[Message], message_type: str) -> list[Message]:
    """Return the messages of one type."""
    return [message for message in messages if message["type"] == message_type]


def deselect(catalog: dict[str, Any], stream: str, *columns: str) -> None:
    """Deselect a stream of a catalog, or some of its columns."""
    entry = next(entry for entry in catalog["streams"] if entry["tap_stream_id"] == stream)
    breadcrumbs = [["properties", column] for column in columns] or [[]]
    for item in entry["metadata"]:
        if item["breadcrumb"] in breadcrumbs:
            item["metadata"]["selected"] = False

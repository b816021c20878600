"""What the tests share: a Pigment on localhost, and the tap run against it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from singer_sdk.io_base import SingerWriter

from tap_pigment.sandbox.server import serving
from tap_pigment.tap import TapPigment
from tap_pigment.writer import BlockWriter
from tests.pigment import API_KEY, APPLICATION_ID, Pigment
from tests.wire import Authority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

Message = dict[str, Any]

PATIENCE_SECONDS = 5


class MakeTap(Protocol):
    """Makes a tap in this process, which waits for nothing between tries."""

    def __call__(
        self, *, catalog: Mapping[str, Any] | None = None, state: Mapping[str, Any] | None = None, **settings: object
    ) -> TapPigment:
        """Return the tap."""


class RunTap(Protocol):
    """Runs the tap in this process and returns what it writes."""

    def __call__(
        self, *, catalog: Mapping[str, Any] | None = None, state: Mapping[str, Any] | None = None, **settings: object
    ) -> list[Message]:
        """Sync all selected streams, waiting for nothing between tries."""


class Discover(Protocol):
    """Runs discovery and returns the catalog."""

    def __call__(self, **settings: object) -> dict[str, Any]:
        """Discover, waiting for nothing between tries."""


class RunCommand(Protocol):
    """Runs the tap's command in a process of its own."""

    def __call__(
        self, *options: str, config: Mapping[str, Any] | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Return the ended process, its output captured."""


class Clock:
    """A clock that stands still, but for waits, which pass at once."""

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
    """Keeps the messages that the tap would write, as a target would read them; it knows nothing of blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []

    def write_message(self, message: Any) -> None:  # noqa: ANN401 - the SDK's signature.
        """Keep a message, after it has been through JSON."""
        self.messages.append(json.loads(self.format_message(message)))


class Recorder(RecordWriter, BlockWriter):
    """Keeps them too, and those that leave in blocks."""

    def write_block(self, block: bytes) -> None:
        """Keep the messages of a block."""
        self.messages += [json.loads(line) for line in block.splitlines()]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def pigment() -> Iterator[Pigment]:
    app = Pigment()
    with serving(app) as server:
        app.url = server.url
        yield app


@pytest.fixture
def config(pigment: Pigment) -> dict[str, Any]:
    return {"api_url": pigment.url, "api_key": API_KEY, "application_id": APPLICATION_ID}


@pytest.fixture
def clock() -> Clock:
    """The clock by which the tap waits."""
    return Clock()


@pytest.fixture
def waits(clock: Clock) -> list[float]:
    """The seconds that the tap has waited, which pass at once."""
    return clock.waits


@pytest.fixture
def tap(config: Mapping[str, Any], clock: Clock) -> MakeTap:
    def make(
        *, catalog: Mapping[str, Any] | None = None, state: Mapping[str, Any] | None = None, **settings: object
    ) -> TapPigment:
        return TapPigment(
            # So that what ends a stream is raised as it is. What becomes of the others is for tests of its own.
            config={**config, "on_stream_error": "stop", **settings},
            catalog=json.loads(json.dumps(catalog)) if catalog else None,
            state=dict(state or {}),
            message_writer=Recorder(),
            setup_mapper=True,
            clock=clock,
            sleep=clock.sleep,
        )

    return make


@pytest.fixture
def run_tap(tap: MakeTap) -> RunTap:
    def run(
        *, catalog: Mapping[str, Any] | None = None, state: Mapping[str, Any] | None = None, **settings: object
    ) -> list[Message]:
        running = tap(catalog=catalog, state=state, **settings)
        running.sync_all()
        return written(running)

    return run


@pytest.fixture
def discover(tap: MakeTap) -> Discover:
    def run(**settings: object) -> dict[str, Any]:
        catalog: dict[str, Any] = json.loads(tap(catalog=None, state=None, **settings).catalog_json_text)
        return catalog

    return run


@pytest.fixture
def run_command(tmp_path: Path, config: Mapping[str, Any]) -> RunCommand:
    right_config = config

    def run(
        *options: str, config: Mapping[str, Any] | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "config.json"
        path.write_text(json.dumps(right_config if config is None else config))
        return subprocess.run(
            [sys.executable, "-m", "tap_pigment", "--config", str(path), *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            env={**os.environ, "NO_COLOR": "1"},
        )

    return run


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
    """Return whether a condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
    return condition()


def written(tap: TapPigment) -> list[Message]:
    """Return what a tap has written so far."""
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

"""The fixtures of all tests: a Pigment on localhost, and the tap run against it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.sandbox.server import serving
from tap_pigment.tap import TapPigment
from tests.support.pigment import API_KEY, APPLICATION_ID, Pigment
from tests.support.shared_clock import SharedClock
from tests.support.taps import Clock, Discover, MakeTap, Message, Recorder, RunCommand, RunTap, eventually, written
from tests.support.wire import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


UNIT_TESTS = Path(__file__).parent / "unit"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start servers: all but the unit tests."""
    for item in items:
        if not item.path.is_relative_to(UNIT_TESTS):
            item.add_marker(pytest.mark.servers)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def pigment_class() -> type[Pigment]:
    """The class of the Pigment; a module that needs another one replaces this fixture."""
    return Pigment


@pytest.fixture
def pigment(pigment_class: type[Pigment]) -> Iterator[Pigment]:
    app = pigment_class()
    with serving(app) as server:
        app.url = server.url
        yield app
        # A run that ended early leaves downloads behind, and the server cannot close their connections.
        eventually(lambda: not any(thread.name.startswith("prefetch-") for thread in threading.enumerate()))


@pytest.fixture
def config(pigment: Pigment) -> dict[str, Any]:
    return {"api_url": pigment.url, "api_key": API_KEY, "application_id": APPLICATION_ID}


@pytest.fixture
def spool_dir(tmp_path: Path) -> Path:
    """An empty directory, for the setting of that name."""
    path = tmp_path / "spool"
    path.mkdir()
    return path


@pytest.fixture
def clock() -> Clock:
    """The clock by which the tap waits."""
    return Clock()


@pytest.fixture
def waits(clock: Clock) -> list[float]:
    """The seconds of each wait of the tap."""
    return clock.waits


@pytest.fixture
def shared_clock() -> SharedClock:
    """A clock for several threads."""
    return SharedClock()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads, which nothing waits for at the end."""
    threads = ThreadPoolExecutor(8)
    yield threads
    threads.shutdown(wait=False, cancel_futures=True)


@pytest.fixture
def tap(config: Mapping[str, Any], clock: Clock) -> MakeTap:
    def make(
        *, catalog: Mapping[str, Any] | None = None, state: Mapping[str, Any] | None = None, **settings: object
    ) -> TapPigment:
        return TapPigment(
            # So that the error of a stream is raised; `test_stream_failures` tests the default.
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
    default_config = config

    def run(
        *options: str, config: Mapping[str, Any] | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "config.json"
        path.write_text(json.dumps(default_config if config is None else config))
        return subprocess.run(
            [sys.executable, "-m", "tap_pigment", "--config", str(path), *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            env={**os.environ, "NO_COLOR": "1"},
        )

    return run

"""The state decides: whatever is killed, at whatever step of a run, the next whole run gives the export."""

from __future__ import annotations

import copy
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import eventually, of_type, written
from tests.consumer import Consumer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.conftest import MakeTap, Message
    from tests.pigment import Pigment

Tables = dict[str, list[tuple[str, ...]]]

HEADERS = {"countries": ("Code", "Name"), "entries": ("Text", "Amount"), "same": ("Code",)}
BEFORE: Tables = {
    "countries": [("A", "Albania"), ("B", "Belgium"), ("C", "Chile"), ("D", "Denmark")],
    "entries": [("x", "1"), ("x", "1"), ("x", "1"), ("y", "2")],
    "same": [("S",)],
}
AFTER: Tables = {
    "countries": [("D", "Denmark"), ("C", "Chile!"), ("B", "Belgique"), ("E", "Egypt"), ("F", "France")],
    "entries": [("z", "3"), ("x", "1"), ("y", "2"), ("y", "2"), ("y", "2")],
    "same": [("S",)],
}
MANY: Tables = {**AFTER, "countries": [(f"{number}", "x" * 100) for number in range(3_000)]}
SECONDS = 60
LINES = 16  # Of a run from BEFORE to AFTER.


class Runs:
    """Runs of the tap, in this process or in one that can be killed, from any state and with any store.

    Attributes:
        settings: The settings of all runs.
        store: Where the snapshots are.
    """

    def __init__(self, pigment: Pigment, tap: MakeTap, config: Mapping[str, Any], folder: Path) -> None:
        self._pigment = pigment
        self._tap = tap
        self._folder = folder
        self.store = folder / "store"
        self._blocks = {
            "countries": pigment.add_list("Countries", ""),
            "entries": pigment.add("Entries", "TransactionList", ""),
            "same": pigment.add_list("Same", ""),
        }
        self.settings = {
            **config,
            "change_detection": "row",
            "infer_types": False,
            "max_shrink_percent": 100,
            "parallel_exports": 1,
            "spool_dir": str(folder),
        }

    def put(self, tables: Tables) -> None:
        """Put tables into Pigment."""
        for stream, rows in tables.items():
            lines = [";".join(row) for row in (HEADERS[stream], *rows)]
            self._pigment.exports[self._blocks[stream]] = "".join(f"{line}\r\n" for line in lines).encode()

    def whole(self, state: Mapping[str, Any] | None, store: Path) -> list[Message]:
        """Run in this process to the end and return the messages."""
        running = self._tap(state=state, **{**self.settings, "snapshot_uri": str(store)})
        running.sync_all()
        return written(running)

    def started(self, state: Mapping[str, Any] | None, store: Path, output: int) -> subprocess.Popen[bytes]:
        """Start a run in a process of its own, whose standard output goes where it is told to."""
        config, before = self._folder / "config.json", self._folder / "state.json"
        config.write_text(json.dumps({**self.settings, "snapshot_uri": str(store)}))
        before.write_text(json.dumps(state or {}))
        command = [sys.executable, "-m", "tap_pigment", "--config", str(config), "--state", str(before)]
        return subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)


@pytest.fixture
def runs(pigment: Pigment, tap: MakeTap, config: Mapping[str, Any], tmp_path: Path) -> Runs:
    """Return runs of three streams, of which one stays as it is."""
    return Runs(pigment, tap, config, tmp_path)


def assert_equal(consumer: Consumer, tables: Tables) -> None:
    """Assert that the live rows of all tables are these."""
    for stream, rows in tables.items():
        assert sorted(tuple(row.values()) for row in consumer.live(stream)) == sorted(rows)


def loaded_before(runs: Runs, batch_rows: int | None) -> Consumer:
    """Return a target into which a first run has gone."""
    consumer = Consumer(batch_rows)
    runs.put(BEFORE)
    consumer.take(runs.whole(None, runs.store))
    assert_equal(consumer, BEFORE)
    return consumer


@pytest.mark.parametrize("batch_rows", [1, 2, None], ids=["one by one", "in pairs", "in whole"])
def test_a_target_that_is_killed_after_any_line_of_a_run_is_made_whole_by_the_next(
    runs: Runs, batch_rows: int | None, tmp_path: Path
) -> None:
    before = loaded_before(runs, batch_rows)
    runs.put(AFTER)
    with (tmp_path / "messages").open("wb") as output:
        assert runs.started(before.state, runs.store, output.fileno()).wait(SECONDS) == 0
    lines = (tmp_path / "messages").read_bytes().splitlines(keepends=True)
    assert len(lines) == LINES

    for taken in range(LINES + 1):
        store = tmp_path / f"store after {taken}"
        shutil.copytree(runs.store, store)
        consumer = copy.deepcopy(before)
        consumer.take_lines(lines[:taken])

        consumer.take(runs.whole(consumer.state, store))

        assert_equal(consumer, AFTER)
        assert of_type(runs.whole(consumer.state, store), "RECORD") == []


def test_nights_on_which_the_target_dies_one_after_the_other_lose_nothing(runs: Runs) -> None:
    consumer = loaded_before(runs, 1)

    for number, tables in enumerate([AFTER, BEFORE, MANY, AFTER, BEFORE, MANY]):
        runs.put(tables)
        messages = runs.whole(consumer.state, runs.store)
        consumer.take(messages[: (number * 7) % len(messages)])
    consumer.take(runs.whole(consumer.state, runs.store))

    assert_equal(consumer, MANY)


def is_asked(pigment: Pigment, _: Path) -> bool:
    """Return whether the export of an unknown run has been asked for."""
    return bool(pigment.requested("/export/"))


def has_begun_a_snapshot(_: Pigment, store: Path) -> bool:
    """Return whether something new is in the store."""
    return len(list((store / "countries").iterdir())) > 1


@pytest.mark.parametrize("is_reached", [is_asked, has_begun_a_snapshot])
def test_a_tap_that_is_killed_before_or_after_its_snapshot_is_made_whole_by_the_next_run(
    runs: Runs, pigment: Pigment, is_reached: Callable[[Pigment, Path], bool], tmp_path: Path
) -> None:
    consumer = loaded_before(runs, 1)
    runs.put(MANY)
    pigment.requests.clear()

    with (tmp_path / "messages").open("wb") as output:
        process = runs.started(consumer.state, runs.store, output.fileno())
        assert eventually(lambda: is_reached(pigment, runs.store), SECONDS)
        assert killed(process) in {0, -signal.SIGKILL}
    consumer.take_lines((tmp_path / "messages").read_bytes().splitlines(keepends=True))
    consumer.take(runs.whole(consumer.state, runs.store))

    assert_equal(consumer, MANY)


@pytest.mark.parametrize("count", [0, 1, 100, 70_000, 200_000])
def test_a_tap_that_is_killed_while_it_writes_is_made_whole_by_the_next_run(runs: Runs, count: int) -> None:
    consumer = loaded_before(runs, 1)
    runs.put(MANY)
    process = runs.started(consumer.state, runs.store, subprocess.PIPE)
    assert process.stdout

    # A reader that stops lets the tap get no further than the pipe is long.
    read = process.stdout.read(count)
    assert killed(process) == -signal.SIGKILL
    with process.stdout as rest:
        read += rest.read()
    consumer.take_lines(read.splitlines(keepends=True))
    consumer.take(runs.whole(consumer.state, runs.store))

    assert_equal(consumer, MANY)


def test_a_tap_that_is_killed_at_moments_drawn_at_random_is_made_whole_by_the_next_run(
    runs: Runs, tmp_path: Path
) -> None:
    draw = random.Random(1)  # noqa: S311 - moments, not secrets.
    consumer = loaded_before(runs, 1)
    start = time.monotonic()
    runs.started(None, tmp_path / "elsewhere", subprocess.DEVNULL).wait(SECONDS)
    seconds = time.monotonic() - start

    for number in range(8):
        runs.put(MANY if number % 2 else AFTER)
        with (tmp_path / "messages").open("wb") as output:
            process = runs.started(consumer.state, runs.store, output.fileno())
            time.sleep(draw.uniform(seconds / 2, seconds))
            killed(process)
        consumer.take_lines((tmp_path / "messages").read_bytes().splitlines(keepends=True))
    consumer.take(runs.whole(consumer.state, runs.store))

    assert_equal(consumer, MANY)


def killed(process: subprocess.Popen[bytes]) -> int:
    """Kill a process, if it has not ended, and return its exit code."""
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
    return process.wait(SECONDS)

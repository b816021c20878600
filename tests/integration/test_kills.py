"""Kills of the target and of the tap at every step: the next complete run makes the table equal the export."""

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

from tests.support.memory_target import MemoryTarget
from tests.support.tap_runs import HoldingPigment, snapshots, written_after
from tests.support.taps import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.taps import Discover, MakeTap, Message

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
# Their records are longer than a pipe, so that a tap whose output nobody reads never ends.
MANY: Tables = {**AFTER, "countries": [(f"{number}", "x" * 100) for number in range(3_000)]}
MANY_OTHERS: Tables = {**BEFORE, "countries": [(f"{number}", "y" * 100) for number in range(1_000, 4_000)]}
SECONDS = 60
# Of a run from BEFORE to AFTER: the given state, two streams with 5 records each, and the state of the third.
LINES = 1 + (1 + 5 + 1) + (1 + 5 + 1) + 1


@pytest.fixture
def pigment_class() -> type[HoldingPigment]:
    """A Pigment that can hold an export back."""
    return HoldingPigment


class Runs:
    """Runs of the tap, in this process or in one that can be killed, from any state and with any store.

    Attributes:
        store: The store of snapshots.
    """

    def __init__(
        self, pigment: HoldingPigment, tap: MakeTap, discover: Discover, config: Mapping[str, Any], folder: Path
    ) -> None:
        self._pigment = pigment
        self._tap = tap
        self._folder = folder
        self.store = folder / "store"
        self._blocks = {
            "countries": pigment.add_list("Countries", ""),
            "entries": pigment.add("Entries", "TransactionList", ""),
            "same": pigment.add_list("Same", ""),
        }
        self._settings = {
            **config,
            "change_detection": "row",
            "infer_types": False,
            "max_shrink_percent": 100,
            "parallel_exports": 1,
            "spool_dir": str(folder),
        }
        self.put(BEFORE)
        self._catalog = discover(**self._settings, snapshot_uri=str(self.store))

    def put(self, tables: Tables) -> None:
        """Put tables into Pigment."""
        for stream, rows in tables.items():
            lines = [";".join(row) for row in (HEADERS[stream], *rows)]
            self._pigment.exports[self._blocks[stream]] = "".join(f"{line}\r\n" for line in lines).encode()

    def complete(self, state: Mapping[str, Any] | None, store: Path) -> list[Message]:
        """Run in this process to the end and return the messages."""
        running = self._tap(catalog=self._catalog, state=state, **{**self._settings, "snapshot_uri": str(store)})
        running.sync_all()
        return written_after(state or {}, running)

    def started(self, state: Mapping[str, Any] | None, store: Path, output: int) -> subprocess.Popen[bytes]:
        """Start a run in a process of its own, with its standard output to a file descriptor or a pipe."""
        files = {
            "config": {**self._settings, "snapshot_uri": str(store)},
            "catalog": self._catalog,
            "state": state or {},
        }
        command = [sys.executable, "-m", "tap_pigment"]
        for name, content in files.items():
            path = self._folder / f"{name}.json"
            path.write_text(json.dumps(content))
            command += [f"--{name}", str(path)]
        return subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)


@pytest.fixture
def runs(pigment: HoldingPigment, tap: MakeTap, discover: Discover, config: Mapping[str, Any], tmp_path: Path) -> Runs:
    """Runs of three streams, of which one never changes."""
    return Runs(pigment, tap, discover, config, tmp_path)


def assert_equal(target: MemoryTarget, tables: Tables) -> None:
    """Assert that the live rows of all tables are these."""
    for stream, rows in tables.items():
        assert sorted(tuple(row.values()) for row in target.live(stream)) == sorted(rows)


def loaded_before(runs: Runs, batch_rows: int | None) -> MemoryTarget:
    """Return a target that has loaded a first run."""
    target = MemoryTarget(batch_rows)
    runs.put(BEFORE)
    target.load(runs.complete(None, runs.store))
    assert_equal(target, BEFORE)
    return target


def killed(process: subprocess.Popen[bytes]) -> bytes:
    """Kill a process whose output is a pipe, and return the rest of the output.

    The process must not have ended by itself.
    """
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(SECONDS) == -signal.SIGKILL
    assert process.stdout
    with process.stdout as output:
        return output.read()


# The target is killed


@pytest.mark.parametrize("batch_rows", [1, None], ids=["single rows", "all rows"])
def test_target_killed_after_any_line_is_repaired_by_the_next_run(
    runs: Runs, batch_rows: int | None, tmp_path: Path
) -> None:
    before = loaded_before(runs, batch_rows)
    runs.put(AFTER)
    with (tmp_path / "messages").open("wb") as output:
        assert runs.started(before.state, runs.store, output.fileno()).wait(SECONDS) == 0
    lines = (tmp_path / "messages").read_bytes().splitlines(keepends=True)
    assert len(lines) == LINES

    for loaded in range(LINES + 1):
        store = tmp_path / f"store after {loaded}"
        shutil.copytree(runs.store, store)
        target = copy.deepcopy(before)
        target.load_lines(lines[:loaded])

        target.load(runs.complete(target.state, store))
        assert_equal(target, AFTER)


def test_targets_killed_in_six_runs_are_repaired_by_the_seventh(runs: Runs) -> None:
    target = loaded_before(runs, 1)

    for number, tables in enumerate([AFTER, BEFORE, MANY, AFTER, BEFORE, MANY]):
        runs.put(tables)
        messages = runs.complete(target.state, runs.store)
        target.load(messages[: (number * 7) % len(messages)])
    target.load(runs.complete(target.state, runs.store))

    assert_equal(target, MANY)


# The tap is killed


def test_tap_killed_before_its_snapshot_is_repaired_by_the_next_run(runs: Runs, pigment: HoldingPigment) -> None:
    target = loaded_before(runs, 1)
    stored = snapshots(runs.store)
    runs.put(MANY)
    held = pigment.hold_next_export()
    process = runs.started(target.state, runs.store, subprocess.PIPE)
    assert held.requested.wait(SECONDS)

    output = killed(process)
    held.released.set()

    assert snapshots(runs.store) == stored
    target.load_lines(output.splitlines(keepends=True))
    assert_equal(target, BEFORE)
    target.load(runs.complete(target.state, runs.store))
    assert_equal(target, MANY)


def test_tap_killed_after_its_snapshot_is_repaired_by_the_next_run(runs: Runs) -> None:
    target = loaded_before(runs, 1)
    stored = snapshots(runs.store)
    runs.put(MANY)
    process = runs.started(target.state, runs.store, subprocess.PIPE)

    assert eventually(lambda: len(snapshots(runs.store)) > len(stored), SECONDS)
    output = killed(process)

    target.load_lines(output.splitlines(keepends=True))
    target.load(runs.complete(target.state, runs.store))
    assert_equal(target, MANY)


@pytest.mark.parametrize("count", [0, 1, 100, 70_000, 200_000])
def test_tap_killed_while_it_writes_is_repaired_by_the_next_run(runs: Runs, count: int) -> None:
    target = loaded_before(runs, 1)
    runs.put(MANY)
    process = runs.started(target.state, runs.store, subprocess.PIPE)
    assert process.stdout

    # The tap gets no further than the length of the pipe.
    read = process.stdout.read(count)
    read += killed(process)

    target.load_lines(read.splitlines(keepends=True))
    target.load(runs.complete(target.state, runs.store))
    assert_equal(target, MANY)


def test_taps_killed_at_random_moments_are_repaired_by_the_next_run(runs: Runs, tmp_path: Path) -> None:
    draw = random.Random(1)  # noqa: S311 - moments, not secrets.
    target = loaded_before(runs, 1)
    start = time.monotonic()
    assert runs.started(None, tmp_path / "another store", subprocess.DEVNULL).wait(SECONDS) == 0
    seconds = time.monotonic() - start

    for number in range(8):
        runs.put(MANY_OTHERS if number % 2 else MANY)
        process = runs.started(target.state, runs.store, subprocess.PIPE)
        time.sleep(draw.uniform(seconds / 2, seconds))
        target.load_lines(killed(process).splitlines(keepends=True))
    target.load(runs.complete(target.state, runs.store))

    assert_equal(target, MANY_OTHERS)

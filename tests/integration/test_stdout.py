"""Failures of stdout: the run ends at once with one line about the cause, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.taps import eventually, of_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.pigment import Pigment

SECONDS = 60
FULL = "stdout: the disk is full. Make room, or write the output to another disk."
CLOSED = "stdout: it is closed. Connect it to a target, a pipe or a file."
CLOSED_PIPE = "stdout: the target closed the pipe. Look at the target's own messages, and run again."
# More than a pipe holds.
NUMBERS = "Code\r\n" + "".join(f"{number}\r\n" for number in range(20_000))

PARQUET = {"encoding": {"format": "parquet"}, "storage": {"root": "batches"}}
SYNCS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "blocks": ((), {}),
    "records": ((), {"stream_maps": {"*": {"More": "1"}}}),
    "BATCH": ((), {"batch_config": PARQUET}),
}
OTHERS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "test": (("--test",), {}),
    "schemas": (("--test=schema",), {}),
    "discover": (("--discover",), {}),
    "check": (("--check",), {}),
    "snapshots": (("--snapshots", "list"), {"snapshot_uri": "snapshots"}),
    "about": (("--about",), {}),
    "help": (("--help",), {}),
}


@pytest.fixture
def config(
    pigment: Pigment, config: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """The config of a run of two streams, which begins with the long one."""
    pigment.add_list("Numbers", NUMBERS)
    pigment.add_list("Others", "Code\r\nA\r\n")
    monkeypatch.chdir(tmp_path)  # For stores.
    (tmp_path / "spool").mkdir()
    return {**config, "spool_dir": str(tmp_path / "spool")}


@pytest.fixture
def closed_pipe() -> Iterator[int]:
    """The end of a pipe whose other end is closed."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def command(config: Mapping[str, Any], *options: str) -> list[str]:
    """Return the command of a run."""
    Path("config.json").write_text(json.dumps(config), "utf-8")
    return [sys.executable, "-m", "tap_pigment", "--config", "config.json", *options]


def run(arguments: list[str], stdout: int, *, is_closed: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a command with a file or pipe as its stdout, or with a closed one."""
    return subprocess.run(
        arguments,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=SECONDS,
        env={**os.environ, "NO_COLOR": "1"},
        preexec_fn=(lambda: os.close(1)) if is_closed else None,
    )


def assert_only_error(log: str, message: str) -> None:
    """Assert that a log has one error, without a traceback, and that the spool directory is empty."""
    errors = [line.rpartition(" | ")[2] for line in log.splitlines() if " | ERROR " in line]
    assert errors == [message]
    assert "Traceback" not in log
    assert "Exception ignored" not in log
    assert list(Path("spool").iterdir()) == []


def assert_reported(log: str) -> None:
    """Assert that a run reported its streams, of which it did not begin the second, and its requests."""
    [report] = [line.partition("REPORT: ")[2] for line in log.splitlines() if "REPORT: " in line]
    assert [stream["result"] for stream in json.loads(report)["streams"]][1] == "not synced"
    assert "the other streams go on" not in log
    assert " MB received, " in log


@pytest.mark.parametrize(("options", "settings"), SYNCS.values(), ids=SYNCS)
def test_a_full_disk_ends_a_sync(
    config: Mapping[str, Any], options: tuple[str, ...], settings: Mapping[str, Any]
) -> None:
    with Path("/dev/full").open("w") as full:
        result = run(command({**config, **settings}, *options), full.fileno())

    assert result.returncode == 1
    assert_only_error(result.stderr, FULL)
    assert_reported(result.stderr)


@pytest.mark.parametrize(("options", "settings"), SYNCS.values(), ids=SYNCS)
def test_a_closed_pipe_ends_a_sync(
    config: Mapping[str, Any], options: tuple[str, ...], settings: Mapping[str, Any], closed_pipe: int
) -> None:
    result = run(command({**config, **settings}, *options), closed_pipe)

    assert result.returncode == 1
    assert_only_error(result.stderr, CLOSED_PIPE)
    assert_reported(result.stderr)


@pytest.mark.parametrize("settings", [settings for _, settings in list(SYNCS.values())[:2]], ids=["blocks", "records"])
def test_a_target_that_ends_after_a_line_ends_the_sync(config: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    with subprocess.Popen(
        command({**config, **settings}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    ) as running:
        assert running.stdout
        assert running.stderr
        first = running.stdout.readline()

        running.stdout.close()
        log = running.stderr.read()

    assert json.loads(first)["type"] == "SCHEMA"
    assert running.returncode == 1
    assert_only_error(log, CLOSED_PIPE)
    assert_reported(log)


@pytest.mark.parametrize(("options", "settings"), OTHERS.values(), ids=OTHERS)
def test_a_full_disk_and_a_closed_pipe_end_other_commands(
    config: Mapping[str, Any], options: tuple[str, ...], settings: Mapping[str, Any], closed_pipe: int
) -> None:
    if "snapshot_uri" in settings:
        run(command({**config, **settings, "change_detection": "row"}), subprocess.DEVNULL)
    arguments = command({**config, **settings}, *options)

    with Path("/dev/full").open("w") as full:
        at_full_disk = run(arguments, full.fileno())
    in_closed_pipe = run(arguments, closed_pipe)

    assert (at_full_disk.returncode, in_closed_pipe.returncode) == (1, 1)
    assert_only_error(at_full_disk.stderr, FULL)
    assert_only_error(in_closed_pipe.stderr, CLOSED_PIPE)


@pytest.mark.parametrize(("options", "settings"), [SYNCS["blocks"], *OTHERS.values()], ids=["sync", *OTHERS])
def test_a_closed_stdout_is_one_error_before_the_first_request(
    pigment: Pigment, config: Mapping[str, Any], options: tuple[str, ...], settings: Mapping[str, Any]
) -> None:
    result = run(command({**config, **settings}, *options), subprocess.DEVNULL, is_closed=True)

    assert result.returncode == 1
    assert_only_error(result.stderr, CLOSED)
    assert pigment.requests == []


def test_a_full_pipe_that_does_not_block_is_waited_for(config: Mapping[str, Any]) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with subprocess.Popen(command(config), stdout=writing, stderr=subprocess.PIPE, text=True) as running:
        was_full = eventually(lambda: not select.select([], [writing], [], 0)[1], SECONDS)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            messages = [json.loads(line) for line in pipe]
        _, log = running.communicate(timeout=SECONDS)

    assert was_full
    assert running.returncode == 0
    assert "Traceback" not in log
    assert len(of_type(messages, "RECORD")) == 20_001

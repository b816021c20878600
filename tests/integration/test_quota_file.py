"""`quota_file`: several processes share the requests of 5 minutes, whatever becomes of one of them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.pigment.quota import COUNTED_SECONDS
from tests.support.taps import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import MakeTap, RunCommand

PROCESSES = 4
QUOTA = 30
WAITS = f"requests_per_window allows {QUOTA} in 5 minutes"
SPEED = 3_000
# Prints the times of requests, in seconds of a clock that is faster than time.
TAKER = f"""
import logging, sys, time
from tap_pigment.pigment.quota import RequestQuota
from tap_pigment.settings import Settings
moments = []
def now():
    moments.append(time.time() * {SPEED})
    return moments[-1]
config = {{"api_key": "pgmt_Abc", "application_id": "a", "requests_per_window": {QUOTA}, "quota_file": sys.argv[1]}}
quota = RequestQuota(Settings.from_config(config), logging.getLogger(), clock=now)
for _ in range(60):
    while wait := quota.take():
        time.sleep(wait / {SPEED})
    print(moments[-1])
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a file that does not exist."""
    return tmp_path / "quota.db"


@pytest.fixture
def runs(
    pigment: Pigment, config: Mapping[str, Any], path: Path, tmp_path: Path
) -> Iterator[list[subprocess.Popen[str]]]:
    """Start taps that together need more requests than the quota allows."""
    for number in range(QUOTA):
        pigment.add_list(f"List {number}", "Code;Name\r\nA;a\r\n")
    config_file = tmp_path / "config.json"
    config_file.write_text(json.dumps({**config, "requests_per_window": QUOTA, "quota_file": str(path)}))
    command = [sys.executable, "-m", "tap_pigment", "--config", str(config_file)]
    started = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    yield started
    for run in started:
        run.kill()
        run.communicate()


def is_waiting(run: subprocess.Popen[str]) -> bool:
    """Return whether a run waits for the quota, as soon as it does or has ended."""
    assert run.stderr
    return any(WAITS in line for line in run.stderr)


def test_no_window_of_four_processes_has_more_requests_than_one_quota(path: Path) -> None:
    takers = [
        subprocess.Popen([sys.executable, "-c", TAKER, str(path)], stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    outputs = [taker.communicate(timeout=60)[0] for taker in takers]

    times = sorted(float(line) for output in outputs for line in output.splitlines())
    assert len(times) == PROCESSES * 60
    millisecond = 0.001
    assert all(
        later - earlier >= COUNTED_SECONDS - millisecond for earlier, later in zip(times, times[QUOTA:], strict=False)
    )


def test_four_taps_send_no_more_than_one_quota_and_survivors_of_a_kill_go_on(
    runs: list[subprocess.Popen[str]], pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any], path: Path
) -> None:
    assert all(is_waiting(run) for run in runs)
    # A run waits in one thread, and may be about to send the last requests in others.
    assert eventually(lambda: len(pigment.requests) >= QUOTA)
    assert len(pigment.requests) == QUOTA

    for run in runs:
        run.kill()
    checked = run_command("--check", config={**config, "requests_per_window": QUOTA + 3, "quota_file": str(path)})

    assert len(pigment.requests) == QUOTA + 3
    assert checked.returncode == 0
    assert f"requests_per_window allows {QUOTA + 3} in 5 minutes" in checked.stdout


def test_a_tap_waits_for_the_requests_of_an_earlier_one(
    pigment: Pigment, tap: MakeTap, waits: list[float], path: Path
) -> None:
    pigment.add_list("Countries", "Code;Name\r\nFR;France\r\n")
    for _ in range(2):
        tap(requests_per_window=4, quota_file=str(path)).sync_all()

    assert len(pigment.requests) == 6
    assert waits == [pytest.approx(COUNTED_SECONDS, abs=1)]


def test_a_file_that_cannot_be_used_is_one_error_before_the_first_request(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any], tmp_path: Path
) -> None:
    pigment.add_list("Countries", "Code;Name\r\nFR;France\r\n")
    wrong = {**config, "quota_file": str(tmp_path / "missing" / "quota.db")}

    synced = run_command(config=wrong)
    checked = run_command("--check", config=wrong)

    problem = f"quota_file: cannot use {wrong['quota_file']}: No such file or directory. Set it to a file"
    assert (synced.returncode, checked.returncode) == (1, 1)
    assert synced.stderr.count(problem) == 1
    assert f"FAIL {problem}" in checked.stdout
    assert "Traceback" not in synced.stderr + checked.stderr
    assert pigment.requests == []

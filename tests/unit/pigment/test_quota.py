"""The quota: counted in memory by one run, and in a file by all runs of a machine."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from tap_pigment.errors import SettingsError
from tap_pigment.pigment.quota import COUNTED_SECONDS, RequestQuota
from tap_pigment.settings import Settings
from tests.support.taps import TIMEOUT_SECONDS, Clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

LOGGER = logging.getLogger("test-quota")
# Holds the lock in the middle of a change, and says so.
HOLDER = """
import sqlite3, sys, time
from filelock import FileLock
path = sys.argv[1]
with FileLock(path + ".lock"):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO rate_bucket VALUES ('request', 1)")
    print("locked", flush=True)
    time.sleep(600)
"""


def quota_of(requests: int, clock: Callable[[], float], path: Path | None = None, **options: float) -> RequestQuota:
    """Return a quota of so many requests, counted in a file if there is a path."""
    config = {"api_key": "pgmt_Abc", "application_id": "app-1", "requests_per_window": requests}
    settings = Settings.from_config(config | ({"quota_file": str(path)} if path else {}))
    return RequestQuota(settings, LOGGER, clock=clock, **options)


def newest_request(path: Path) -> int:
    """Return when the newest request in a file was counted, in milliseconds."""
    ((newest,),) = sqlite3.connect(path).execute("SELECT max(item_timestamp) FROM rate_bucket").fetchall()
    return int(newest)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a file that does not exist."""
    return tmp_path / "quota.db"


@pytest.fixture
def holder(path: Path) -> subprocess.Popen[str]:
    """Return another process, which holds the lock of the file."""
    quota_of(5, Clock(), path).take()
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "locked\n"
    return process


def test_quotas_in_memory_do_not_count_together() -> None:
    clock = Clock()
    first, second = quota_of(1, clock), quota_of(1, clock)

    assert [first.take(), second.take()] == [0, 0]


def test_quotas_in_one_file_count_together(path: Path) -> None:
    clock = Clock()
    first, second = quota_of(3, clock, path), quota_of(3, clock, path)

    waits = [quota.take() for quota in (first, second, first, second)]

    assert waits == [0, 0, 0, pytest.approx(COUNTED_SECONDS, abs=0.01)]
    assert first.used() == second.used() == 3


def test_each_run_keeps_its_own_limit_in_a_file_of_others(path: Path) -> None:
    clock = Clock()
    small, large = quota_of(2, clock, path), quota_of(5, clock, path)

    assert [large.take() for _ in range(3)] == [0, 0, 0]
    assert small.take() > 0
    assert large.take() == 0


def test_a_request_in_a_file_counts_until_its_window_has_passed(path: Path) -> None:
    clock = Clock()
    quota = quota_of(1, clock, path)
    quota.take()

    clock.now += COUNTED_SECONDS - 0.1
    wait = quota.take()
    clock.now += wait

    assert 0 < wait <= 0.2
    assert quota.take() == 0


def test_a_file_is_used_by_the_time_of_day_which_all_processes_share(path: Path) -> None:
    before = int(time.time() * 1_000)
    quota_of(5, time.monotonic, path).take()

    assert before <= newest_request(path) <= time.time() * 1_000


def test_a_closed_file_opens_again_with_its_counts(path: Path) -> None:
    quota = quota_of(2, Clock(), path)
    quota.take()

    quota.close()
    quota.take()

    assert quota.used() == 2


def test_requests_of_the_future_are_dropped_with_a_warning(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    later, now = Clock(), Clock()
    later.now = 3600
    assert quota_of(1, later, path).take() == 0

    assert quota_of(1, now, path).take() == 0
    assert caplog.messages == [
        "quota_file: it has requests of the future, because the clock was set back. Counting starts again."
    ]


def test_a_killed_process_leaves_no_lock_and_no_half_change(path: Path, holder: subprocess.Popen[str]) -> None:
    quota = quota_of(5, Clock(), path)

    holder.kill()
    holder.communicate()

    assert quota.take() == 0
    assert quota.used() == 2


def test_a_lock_that_another_process_keeps_is_an_error_that_says_so(path: Path, holder: subprocess.Popen[str]) -> None:
    opened, unopened = (quota_of(5, Clock(), path, max_lock_seconds=0.2) for _ in range(2))
    message = "another run has kept .*quota.db.lock for 0 s. Look for a run that is suspended"
    try:
        with pytest.raises(SettingsError, match=message):
            unopened.open()
    finally:
        holder.kill()
        holder.communicate()
    opened.open()


def test_no_thread_waits_longer_for_the_lock_than_agreed(path: Path, pool: ThreadPoolExecutor) -> None:
    quota = quota_of(5, Clock(), path, max_lock_seconds=0.2)
    quota.open()

    with FileLock(f"{path}.lock"):
        taken = pool.submit(quota.take)
        with pytest.raises(SettingsError, match="another run has kept"):
            taken.result(TIMEOUT_SECONDS)
        quota.close()

    assert quota.take() == 0


def test_a_request_counts_from_when_it_may_be_sent_and_not_from_when_it_waits_for_the_lock(
    path: Path, pool: ThreadPoolExecutor
) -> None:
    clock = Clock()
    quota = quota_of(5, clock, path)
    quota.open()

    with FileLock(f"{path}.lock"):
        taken = pool.submit(quota.take)
        time.sleep(0.1)  # Long enough to wait for the lock.
        clock.now = 7.0

    assert taken.result(TIMEOUT_SECONDS) == 0
    assert newest_request(path) == 7_000


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.mkdir(), "cannot use .*: unable to open database file. Set it to a file"),
        (lambda path: path.parent.rmdir() or path.parent.touch(), "cannot use .*: Not a directory. Set it to a file"),
        (lambda path: path.parent.rmdir(), "cannot use .*: No such file or directory. Set it to a file in an existing"),
        (lambda path: path.write_bytes(b"Code;Name\r\n" * 1_000), "holds no counts of requests: file is not a data"),
        (
            lambda path: sqlite3.connect(path).execute("CREATE TABLE rate_bucket (other)").connection.close(),
            "cannot use .*: no such column: item_timestamp. Set it",
        ),
    ],
    ids=["a directory", "a file as directory", "no directory", "other content", "another table"],
)
def test_a_file_that_cannot_be_used_is_named_with_the_cause(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "folder" / "quota.db"
    path.parent.mkdir()
    make(path)

    with pytest.raises(SettingsError, match=f"^quota_file: .*{message}"):
        quota_of(5, Clock(), path).open()

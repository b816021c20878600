"""Signals: they end discovery, `--check` and waits at once, and leave nothing behind."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.errors import ApiKeyError, RunStoppedError, counted
from tap_pigment.pigment import PigmentClient
from tap_pigment.sandbox.server import serving
from tap_pigment.settings import Settings
from tap_pigment.tap import TapPigment
from tests.support.pigment import Answer
from tests.support.tap_runs import HoldingPigment
from tests.support.taps import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LOGGER = logging.getLogger("test-signals")
SECONDS = 60
# Far less than the timeout of a request, and far more than the end of a run takes.
SECONDS_TO_END = 20


@pytest.fixture
def pigment_class() -> type[HoldingPigment]:
    """A Pigment that can hold a response."""
    return HoldingPigment


@pytest.fixture
def pigment(pigment: HoldingPigment) -> HoldingPigment:
    """A Pigment with two lists."""
    pigment.add_list("Countries", "Code;Name\r\nFR;France\r\n")
    pigment.add_list("Months", "Month\r\nJan\r\n")
    return pigment


@pytest.fixture
def config(config: Mapping[str, Any], spool_dir: Path) -> dict[str, Any]:
    """The config of a tap that waits long for each response."""
    return {**config, "request_timeout_seconds": 300, "spool_dir": str(spool_dir)}


@contextmanager
def started(config: Mapping[str, Any], folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Start the tap in a process of its own, which ends with the block at the latest."""
    (folder / "config.json").write_text(json.dumps(config))
    # Without coverage: its tracer holds a lock that is never released if the signal interrupts it there.
    environment = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}
    with subprocess.Popen(
        [sys.executable, "-m", "tap_pigment", "--config", str(folder / "config.json"), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment, "NO_COLOR": "1"},
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def wait_for_line(running: subprocess.Popen[str], text: str) -> None:
    """Read the log up to a line that holds a text."""
    assert running.stderr
    assert any(text in line for line in running.stderr)


def catalog_of(config: Mapping[str, Any], folder: Path) -> str:
    """Return the catalog that discovery writes."""
    with started(config, folder, "--discover") as running:
        catalog, _ = running.communicate(timeout=SECONDS)
    return catalog


def ended(running: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """Send a signal, and return the exit code and the rest of the log."""
    running.send_signal(number)
    _, log = running.communicate(timeout=SECONDS_TO_END)
    return running.returncode, log


def problems(log: str) -> list[str]:
    """Return the errors and warnings in a log, which has no traceback."""
    assert "Traceback" not in log
    assert "Exception ignored" not in log
    return [line.rpartition(" | ")[2] for line in log.splitlines() if " | ERROR " in line or " | WARNING " in line]


def summary(log: str) -> str:
    """Return the requests and retries that a log reports; metrics of other threads may follow."""
    [line] = [line for line in log.splitlines() if " MB received, " in line]
    return line.rpartition(" | ")[2].partition(", ")[0]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
@pytest.mark.parametrize(("held_path", "requests"), [("/blocks", 1), ("/export/", 3)])
def test_a_signal_ends_discovery_at_once(  # noqa: PLR0913, PLR0917 - fixtures and the case.
    pigment: HoldingPigment,
    config: Mapping[str, Any],
    tmp_path: Path,
    held_path: str,
    requests: int,
    number: signal.Signals,
    code: int,
) -> None:
    held = pigment.hold_next(held_path)
    with started(config, tmp_path, "--discover") as running:
        assert held.requested.wait(SECONDS)
        assert eventually(lambda: len(pigment.requests) == requests, SECONDS)

        exit_code, log = ended(running, number)
        held.released.set()

    assert exit_code == code
    assert problems(log) == [f"Stopped by {number.name}."]
    assert summary(log) == counted(requests, "request") + " (0 retries)"


@pytest.mark.parametrize("options", [(), ("--test",)], ids=["sync", "test"])
def test_a_signal_ends_the_discovery_of_a_run_at_once(
    pigment: HoldingPigment, config: Mapping[str, Any], tmp_path: Path, spool_dir: Path, options: tuple[str, ...]
) -> None:
    held = pigment.hold_next_export()
    with started(config, tmp_path, *options) as running:
        assert held.requested.wait(SECONDS)

        exit_code, log = ended(running, signal.SIGTERM)
        held.released.set()

    assert exit_code == 143
    assert problems(log) == ["Stopped by SIGTERM."]
    assert list(spool_dir.iterdir()) == []


@pytest.mark.parametrize("held_path", ["/blocks", "/export/"])
def test_a_signal_ends_discovery_over_http_2_at_once(
    pigment: HoldingPigment,
    config: Mapping[str, Any],
    tmp_path: Path,
    held_path: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = pigment.hold_next(held_path)
    with serving(pigment, tls=True) as server:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.ca_file))
        monkeypatch.setenv("NO_PROXY", "localhost")
        with started({**config, "api_url": server.url}, tmp_path, "--discover") as running:
            assert held.requested.wait(SECONDS)

            exit_code, log = ended(running, signal.SIGTERM)
            held.released.set()

    assert exit_code == 143
    assert problems(log) == ["Stopped by SIGTERM."]


@pytest.mark.parametrize("held_path", ["/applications", "/blocks", "/export/"])
def test_a_signal_ends_a_check_at_once(
    pigment: HoldingPigment, config: Mapping[str, Any], tmp_path: Path, held_path: str
) -> None:
    held = pigment.hold_next(held_path)
    with started(config, tmp_path, "--check") as running:
        assert held.requested.wait(SECONDS)

        exit_code, log = ended(running, signal.SIGTERM)
        held.released.set()

    assert exit_code == 143
    assert problems(log) == ["Stopped by SIGTERM."]


@pytest.mark.parametrize(("failing_path", "requests"), [("/blocks", "1 request"), ("/export/", "3 requests")])
def test_a_signal_ends_the_wait_for_a_retry_which_is_not_counted(
    pigment: HoldingPigment, config: Mapping[str, Any], tmp_path: Path, failing_path: str, requests: str
) -> None:
    pigment.always_answer(failing_path, Answer(503, headers={"Retry-After": "200"}))
    with started({**config, "parallel_exports": 2}, tmp_path, "--discover") as running:
        for _ in pigment.blocks if failing_path == "/export/" else [""]:
            wait_for_line(running, "try 1 of 4 failed, waiting 200.0 s")

        exit_code, log = ended(running, signal.SIGTERM)

    assert exit_code == 143
    assert problems(log) == ["Stopped by SIGTERM."]
    assert summary(log) == f"{requests} (0 retries)"


def test_a_stopped_sync_reports_what_was_sent_and_received(
    pigment: HoldingPigment, config: Mapping[str, Any], tmp_path: Path, spool_dir: Path
) -> None:
    (tmp_path / "catalog.json").write_text(catalog_of(config, tmp_path))
    pigment.requests.clear()
    held = pigment.hold_next_export()
    with started(config, tmp_path, "--catalog", str(tmp_path / "catalog.json")) as running:
        assert held.requested.wait(SECONDS)
        assert eventually(lambda: len(pigment.requests) == 3, SECONDS)

        exit_code, log = ended(running, signal.SIGTERM)
        held.released.set()

    assert exit_code == 143
    assert problems(log) == ["Stopped by SIGTERM. Streams without a STATE are incomplete."]
    assert summary(log) == "3 requests (0 retries)"
    assert list(spool_dir.iterdir()) == []


def test_two_signals_are_one_message_and_leave_nothing_behind(
    pigment: HoldingPigment, config: Mapping[str, Any], tmp_path: Path, spool_dir: Path
) -> None:
    held = pigment.hold_next_export()
    with started(config, tmp_path) as running:
        assert held.requested.wait(SECONDS)

        running.send_signal(signal.SIGINT)
        exit_code, log = ended(running, signal.SIGTERM)
        held.released.set()

    # Python may handle the second one first; one that arrives when everything is closed ends the process by itself.
    assert exit_code in {130, 143, -signal.SIGTERM}
    assert problems(log) in [["Stopped by SIGINT."], ["Stopped by SIGTERM."]]
    assert list(spool_dir.iterdir()) == []


def test_ctrl_c_before_the_config_is_read_ends_the_command_without_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    os.mkfifo(path)
    with (
        subprocess.Popen(
            [sys.executable, "-m", "tap_pigment", "--config", str(path)], stderr=subprocess.PIPE, text=True
        ) as running,
        path.open("w"),
    ):  # Once the tap has opened it to read.
        exit_code, log = ended(running, signal.SIGINT)

    assert exit_code == -signal.SIGINT  # Shells make 130 of it.
    assert log == ""


# A client that is stopped


def test_a_stopped_client_sends_no_retry_and_reports_no_failure(
    pigment: HoldingPigment, config: Mapping[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with serving(pigment, tls=True) as server, pytest.MonkeyPatch.context() as environment:
        environment.setenv("REQUESTS_CA_BUNDLE", str(server.ca_file))
        environment.setenv("NO_PROXY", "localhost")
        client = PigmentClient(Settings.from_config({**config, "api_url": server.url}), LOGGER)
        held = pigment.hold_next("/applications")
        with ThreadPoolExecutor(1) as pool:
            listing = pool.submit(client.applications)
            assert held.requested.wait(SECONDS)

            client.cancel()
            error = listing.exception(SECONDS)
            held.released.set()

    assert isinstance(error, RunStoppedError)
    assert str(client.stats).startswith("1 request (0 retries), ")
    assert [record.getMessage() for record in caplog.records if record.name == LOGGER.name] == []


def test_failed_discovery_sends_no_more_requests(pigment: HoldingPigment, config: Mapping[str, Any]) -> None:
    pigment.always_answer("/export/list/00000001", Answer(401))
    tap = TapPigment(config=config, setup_mapper=False)

    with pytest.raises(ApiKeyError):
        _ = tap.streams

    with pytest.raises(RunStoppedError):
        tap.run_context.client.applications()
    assert pigment.requested("/applications") == []

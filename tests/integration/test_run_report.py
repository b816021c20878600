"""What the log of a run says while it goes on and at its end."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.errors import StreamsFailedError
from tap_pigment.sandbox.server import serving
from tap_pigment.tap import TapPigment
from tests.support.pigment import Answer
from tests.support.tap_runs import HoldingPigment, TapRuns
from tests.support.taps import Recorder, eventually

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.shared_clock import SharedClock
    from tests.support.taps import Discover, MakeTap, RunCommand

COUNTRIES = "Code;Name\r\nFR;France\r\nDE;Deutschland\r\n"


def report_of(caplog: pytest.LogCaptureFixture) -> dict[str, dict[str, Any]]:
    """Return the last report by stream, with the totals under `all`."""
    [*_, message] = [message for message in caplog.messages if message.startswith("REPORT: ")]
    report = json.loads(message.removeprefix("REPORT: "))
    return {row["stream"]: row for row in report["streams"]} | {"all": report["totals"]}


def test_each_export_is_reported_when_it_begins_and_arrives(
    pigment: Pigment, tap: MakeTap, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    pigment.add_list("Countries", COUNTRIES)
    months = pigment.add_list("Months", "Month\r\nJan\r\n")
    running = tap()
    pigment.always_answer(months, Answer(body=b"Month\r\nJan\r\n", headers={"Content-Type": "text/csv"}))

    running.sync_all()

    assert "countries: export 1 of 2 begins" in caplog.messages
    assert any(re.fullmatch(r"countries: export 1 of 2 arrived: 38 B in \d+\.\d s", text) for text in caplog.messages)
    assert "months: export 2 of 2 begins" in caplog.messages


def test_results_of_complete_unchanged_and_failed_streams(
    pigment: Pigment, discover: Discover, tap: MakeTap, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    pigment.add_list("Countries", COUNTRIES)
    months = pigment.add_list("Months", "Month\r\nJan\r\n")
    settings: dict[str, Any] = {"change_detection": "stream", "on_stream_error": "continue", "max_retries": 2}
    catalog = discover()
    first = tap(catalog=catalog, **settings)
    first.sync_all()
    pigment.always_answer(months, Answer(500))
    second = tap(catalog=catalog, state=first.state, **settings)

    with pytest.raises(StreamsFailedError) as caught:
        second.sync_all()

    report = report_of(caplog)
    assert report["countries"].items() >= {"rows": 0, "bytes": 38, "tries": 1, "result": "unchanged"}.items()
    assert report["months"].items() >= {"rows": 0, "bytes": 0, "tries": 3, "result": "failed"}.items()
    assert report["all"].items() >= {"streams": 2, "unchanged": 1, "failed": 1, "tries": 4}.items()
    assert str(caught.value).splitlines() == [
        "1 of 2 streams failed. The others are complete.",
        "  months  Pigment failed (500). Run again later.",
    ]
    assert caplog.text.count("months: failed; the other streams go on") == 1


def test_deleted_rows_are_counted_where_rows_are_compared(
    pigment: Pigment, tap: MakeTap, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    runs = TapRuns(pigment, tap, {"change_detection": "row", "snapshot_uri": str(tmp_path)})
    runs.run_with(COUNTRIES)

    runs.run_with("Code;Name\r\nFR;Frankreich\r\n")

    assert report_of(caplog)["countries"].items() >= {"rows": 2, "deleted": 1, "result": "complete"}.items()


def test_a_stream_that_fails_in_discovery_is_in_the_report(
    pigment: Pigment, tap: MakeTap, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    pigment.add_list("Countries", COUNTRIES)
    secret = pigment.add_list("Salaries", "Name\r\nAda\r\n")
    pigment.always_answer(secret, Answer(403))
    running = tap(on_stream_error="continue")

    with pytest.raises(StreamsFailedError):
        running.sync_all()

    assert {name: row.get("result") for name, row in report_of(caplog).items()} == {
        "countries": "complete",
        "salaries": "failed",
        "all": None,
    }


def test_the_record_count_is_a_total(pigment: Pigment, run_command: RunCommand) -> None:
    pigment.add_list("Numbers", "Code\r\n" + "".join(f"{number}\r\n" for number in range(3_000)))

    ended = run_command()

    metrics = [json.loads(text) for text in re.findall(r"METRIC: (\{.*\})", ended.stderr)]
    assert [metric["value"] for metric in metrics if metric["metric"] == "record_count"] == [3_000]


@pytest.fixture
def holding() -> HoldingPigment:
    """A Pigment that can hold an export."""
    app = HoldingPigment()
    app.add_list("Countries", COUNTRIES)
    return app


def test_a_long_export_is_reported_again_and_again(
    holding: HoldingPigment, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with serving(holding) as server:
        settings = {**config, "api_url": server.url}
        running = TapPigment(config=settings, message_writer=Recorder(), progress_seconds=0.05)
        held = holding.hold_next_export()
        thread = threading.Thread(target=running.sync_all)
        thread.start()
        waiting = "countries: waiting for Pigment's response, 0 s"

        assert eventually(lambda: caplog.messages.count(waiting) >= 3)
        held.released.set()
        thread.join()

    count = len(caplog.messages)
    assert not eventually(lambda: len(caplog.messages) > count, seconds=0.2)


def test_a_wait_for_the_quota_does_not_read_as_a_slow_response(
    pigment: Pigment, config: Mapping[str, Any], shared_clock: SharedClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    pigment.add_list("Countries", COUNTRIES)
    running = TapPigment(
        config=dict(config),
        message_writer=Recorder(),
        progress_seconds=0.05,
        clock=shared_clock,
        sleep=shared_clock.sleep,
    )
    assert running.streams
    pigment.answer_next_exports(Answer(429, headers={"Retry-After": "200"}))
    thread = threading.Thread(target=running.sync_all)
    thread.start()

    assert eventually(lambda: caplog.messages.count("countries: waiting for the quota, 0 s") >= 3)
    shared_clock.advance(200)
    thread.join()

    assert "countries: waiting for Pigment's response, 0 s" not in caplog.messages
    assert report_of(caplog)["countries"]["result"] == "complete"


def test_a_long_discovery_is_reported_again_and_again(
    holding: HoldingPigment, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    holding.add_list("Months", "Month\r\nJan\r\n")
    with serving(holding) as server:
        running = TapPigment(config={**config, "api_url": server.url}, progress_seconds=0.05, setup_mapper=False)
        held = holding.hold_next_export()
        thread = threading.Thread(target=lambda: running.streams)
        thread.start()
        try:
            assert eventually(lambda: caplog.messages.count("Discovery: 1 of 2 blocks read so far, 0 s") >= 3)
        finally:
            held.released.set()
            thread.join()

    [*_, last] = [message for message in caplog.messages if message.startswith("Discovery: ")]
    assert re.fullmatch(r"Discovery: 2 blocks read in \d+\.\d s", last)


def test_a_terminal_shows_the_streams_at_work(pigment: Pigment, config: Mapping[str, Any], tmp_path: Path) -> None:
    pigment.add_list("Countries", COUNTRIES)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(dict(config)))
    master, slave = pty.openpty()
    shown = bytearray()

    def watch() -> None:
        while True:
            try:
                chunk = os.read(master, 65536)
            except OSError:  # The other end is closed.
                return
            if not chunk:
                return
            shown.extend(chunk)

    thread = threading.Thread(target=watch)
    with (tmp_path / "out.jsonl").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tap_pigment", "--config", str(path)],
            stdout=out,
            stderr=slave,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "200"},
        )
        os.close(slave)
        thread.start()
        code = process.wait(timeout=60)
    thread.join()
    os.close(master)

    text = shown.decode()
    assert code == 0
    assert "Discovery  0 of 1 block read so far, 0 s" in text
    assert "1 of 1 done" in text
    assert "\x1b[" in text  # The display is drawn and removed.
    assert re.search(r"countries: export 1 of 1 arrived: 38 B", text)
    assert '"type":"RECORD"' in (tmp_path / "out.jsonl").read_text()


def test_a_pipe_never_imports_the_display(pigment: Pigment, config: Mapping[str, Any], tmp_path: Path) -> None:
    pigment.add_list("Countries", COUNTRIES)
    script = (
        "import json, sys; from tap_pigment.tap import TapPigment; "
        "TapPigment(config=json.load(open(sys.argv[1]))).sync_all(); print('rich' in sys.modules, file=sys.stderr)"
    )
    path = tmp_path / "config.json"
    path.write_text(json.dumps(dict(config)))

    ended = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)

    assert ended.stderr.splitlines()[-1] == "False"
    assert "\x1b[" not in ended.stderr

"""The report of a run: its table, the same as JSON, and the texts of progress."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from tap_pigment.errors import OutputError
from tap_pigment.run_report import Result, RunReport, Stage, StreamProgress, as_json, size_text, table_lines
from tests.support.taps import Clock

LOGGER = logging.getLogger("test-run-report")


def progress(name: str, **values: object) -> StreamProgress:
    """Return the progress of a stream."""
    return StreamProgress(name, LOGGER, Clock(), **values)  # type: ignore[arg-type] # Members by name.


STREAMS = [
    progress("countries", tries=1, received_bytes=412, seconds=0.11, emitted_rows=9, result=Result.COMPLETE),
    progress(
        "gl_transactions",
        tries=2,
        received_bytes=310_200_000,
        seconds=1042.03,
        emitted_rows=3_000_120,
        deleted_rows=120,
        result=Result.COMPLETE,
    ),
    progress("months", tries=1, received_bytes=1_500, seconds=0.2, result=Result.UNCHANGED),
    progress("p_l", tries=4, received_bytes=0, seconds=9.96, result=Result.FAILED),
    progress("zones"),
]


def test_table_has_a_line_for_each_stream_and_one_for_all() -> None:
    assert table_lines(STREAMS, 1043.5) == [
        "stream           rows emitted  deleted     bytes  seconds  tries  result",
        "countries                   9              412 B      0.1      1  complete",
        "gl_transactions     3,000,120      120  310.2 MB  1,042.0      2  complete",
        "months                      0             1.5 kB      0.2      1  unchanged",
        "p_l                         0                0 B     10.0      4  failed",
        "zones                       0                0 B      0.0      0  not synced",
        (
            "all                 3,000,129      120  310.2 MB  1,043.5      8  1 not synced, 2 complete, 1 unchanged, "
            "1 failed"
        ),
    ]


def test_json_has_the_numbers_of_the_table() -> None:
    report = json.loads(json.dumps(as_json(STREAMS, 1043.5, ["HR"])))

    assert report["streams"][1] == {
        "stream": "gl_transactions",
        "rows": 3_000_120,
        "deleted": 120,
        "bytes": 310_200_000,
        "seconds": 1042.03,
        "tries": 2,
        "part": 1,
        "parts": 1,
        "result": "complete",
    }
    assert report["streams"][0]["deleted"] is None
    assert report["failed_applications"] == ["HR"]
    assert report["totals"] == {
        "streams": 5,
        "not_synced": 1,
        "complete": 2,
        "unchanged": 1,
        "stopped": 0,
        "failed": 1,
        "rows": 3_000_129,
        "deleted": 120,
        "bytes": 310_201_912,
        "seconds": 1043.5,
        "tries": 8,
    }


def test_a_stream_in_parts_shows_how_far_its_download_came() -> None:
    failed = progress("plan", part=3, parts=60, tries=6, seconds=9.96, result=Result.FAILED)

    _, line, last = table_lines([failed], 10)

    assert line == "plan               0             0 B     10.0      6  failed, part 3 of 60"
    assert last.endswith("1 failed")
    assert (failed.to_json()["part"], failed.to_json()["parts"]) == (3, 60)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (1_234_567, "1.2 MB"),
        (7_000_000_000, "7.0 GB"),
        (5_000_000_000_000_000, "5,000.0 TB"),
    ],
)
def test_sizes_have_a_unit(size_bytes: int, text: str) -> None:
    assert size_text(size_bytes) == text


@pytest.mark.parametrize(
    ("stage", "values", "text"),
    [
        (Stage.DOWNLOADING, {}, "waiting for Pigment's response, 12 s"),
        (Stage.DOWNLOADING, {"received_bytes": 34_500_000}, "34.5 MB received so far, 12 s"),
        (Stage.DOWNLOADING, {"awaited": "the quota"}, "waiting for the quota, 12 s"),
        (Stage.DOWNLOADING, {"awaited": "the quota", "received_bytes": 9}, "waiting for the quota, 12 s"),
        (
            Stage.DOWNLOADING,
            {"awaited": "the quota", "part": 3, "parts": 60},
            "part 3 of 60, waiting for the quota, 12 s",
        ),
        (Stage.DOWNLOADING, {"part": 3, "parts": 60}, "part 3 of 60, waiting for Pigment's response, 12 s"),
        (
            Stage.DOWNLOADING,
            {"part": 3, "parts": 60, "received_bytes": 34_500_000, "bytes_before": 1_000},
            "part 3 of 60, 34.5 MB received so far, 12 s",
        ),
        (Stage.VALIDATING, {}, "validating, 12 s"),
        (Stage.EMITTING, {"rows": 3_000_000, "emitted_rows": 1_200}, "1,200 of 3,000,000 rows emitted so far, 12 s"),
    ],
)
def test_progress_says_what_a_stream_does_and_for_how_long(stage: Stage, values: dict[str, Any], text: str) -> None:
    clock = Clock()
    stream = StreamProgress("gl", LOGGER, clock, **values)

    with stream.during(stage):
        clock.sleep(12)

        assert stream.state_text() == text

    assert (stream.stage, stream.seconds) == (Stage.IDLE, 12)


def test_a_request_that_is_sent_waits_for_the_quota_no_more() -> None:
    stream = progress("gl")

    with stream.during(Stage.DOWNLOADING):
        stream.begin_wait("the quota")
        waiting = stream.state_text()
        stream.begin_try()

        assert (waiting, stream.state_text()) == ("waiting for the quota, 0 s", "waiting for Pigment's response, 0 s")


def test_a_download_is_reported_when_it_begins_and_when_it_has_arrived(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = Clock()
    report = RunReport(LOGGER, clock=clock)

    with report.running(["countries", "gl"]), report.stream("gl").downloading():
        for _ in range(2):
            report.stream("gl").begin_try()
            clock.sleep(2)
            report.stream("gl").add_received(1_500_000)

    assert caplog.messages[:2] == [
        "gl: export 2 of 2 begins",
        "gl: export 2 of 2 arrived: 1.5 MB in 4.0 s (2 tries)",
    ]


def test_bytes_and_tries_of_all_parts_are_added_up(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stream = progress("gl")

    with stream.downloading():
        for part, tries in ((1, [9]), (1, [5, 700]), (2, [30])):  # The first begins once more.
            stream.begin_part(part, 2)
            for size_bytes in tries:
                stream.begin_try()
                stream.add_received(size_bytes)

    assert (stream.received_bytes, stream.tries) == (730, 4)
    assert caplog.messages[-1] == "gl: export arrived: 730 B in 0.0 s (2 parts, 4 tries)"


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (None, Result.COMPLETE),
        (ValueError("x"), Result.FAILED),
        (SystemExit(143), Result.STOPPED),
        (OutputError("stdout: it is closed."), Result.STOPPED),
    ],
)
def test_the_result_is_how_a_sync_ends(error: BaseException | None, result: Result) -> None:
    stream = progress("gl")

    def sync() -> None:
        with stream.syncing():
            if error:
                raise error

    if error:
        with pytest.raises(type(error)):
            sync()
    else:
        sync()

    assert stream.result is result


def test_the_table_is_logged_however_the_run_ends(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    report = RunReport(LOGGER)

    with pytest.raises(SystemExit), report.running(["countries"], failed=["zones"]):
        raise SystemExit(143)

    table, as_record = caplog.messages
    assert table.splitlines()[0] == "Streams of this run:"
    assert [line.split()[0] for line in table.splitlines()[2:]] == ["countries", "zones", "all"]
    totals = json.loads(as_record.removeprefix("REPORT: "))["totals"]
    assert (totals["not_synced"], totals["failed"]) == (1, 1)

"""Exports in slices: one request each, one table behind the download, and errors that name the slices."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.errors import (
    KeysNotUniqueError,
    MalformedExportError,
    SettingsError,
    ShrunkExportError,
    StreamsFailedError,
)
from tap_pigment.exports.spool_directory import remove_dead
from tests.support.pigment import CSV, Answer
from tests.support.sliced_pigment import SlicedPigment
from tests.support.taps import of_type, records, written

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.taps import Clock, Discover, MakeTap, RunCommand, RunTap

SECONDS = 60


@pytest.fixture
def pigment_class() -> type[SlicedPigment]:
    """A Pigment whose lists are exported in slices."""
    return SlicedPigment


@pytest.fixture
def config(config: Mapping[str, Any], spool_dir: Path) -> dict[str, Any]:
    """A config that spools where the test looks."""
    return {**config, "spool_dir": str(spool_dir)}


def csv(*rows: str, header: str = "Code;Name") -> str:
    """Return the export of some rows."""
    return "".join(f"{line}\r\n" for line in (header, *rows))


def overrides(slices: list[dict[str, Any]], stream: str = "plan", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON.
    return {stream: {"slices": slices, **more}}


# One table


def test_sixty_slices_are_one_table_within_a_small_quota(
    pigment: SlicedPigment, tap: MakeTap, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    slices = pigment.add_slices("Plan", "DimensionList", [csv(f"{number};a", f"{number}b;") for number in range(60)])
    request = {"propertyTechnicalNames": ["Name"]}
    running = tap(requests_per_window=20, stream_overrides=overrides(slices, request=request))

    running.sync_all()

    messages = written(running)
    expected = [row for n in range(60) for row in ({"Code": f"{n}", "Name": "a"}, {"Code": f"{n}b", "Name": None})]
    assert records(messages, "plan") == expected
    assert [message["type"] for message in messages if message["type"] != "RECORD"] == [
        "SCHEMA",
        "ACTIVATE_VERSION",
        "STATE",
    ]
    assert messages[-1]["value"]["bookmarks"]["plan"]["rows"] == 120
    # The first one is sampled first.
    assert pigment.slices_requested() == [part["listFilter"][0] for part in (slices[0], *slices)]
    assert all(request.body["propertyTechnicalNames"] == ["Name"] for request in pigment.requested("/export/"))
    assert clock.now == pytest.approx(909, abs=1)
    metrics = [json.loads(text.removeprefix("METRIC: ")) for text in caplog.messages if text.startswith("METRIC: ")]
    assert {metric["tags"]["stream"] for metric in metrics} == {"metadata", "discovery", "plan"}
    assert any("plan: export 1 of 1 arrived: " in text and "(60 parts)" in text for text in caplog.messages)
    [report] = [text for text in caplog.messages if text.startswith("REPORT: ")]
    [row] = json.loads(report.removeprefix("REPORT: "))["streams"]
    assert (row["tries"], row["parts"], row["part"]) == (60, 60, 60)
    assert row["bytes"] == sum(map(len, pigment.bodies.values()))


def test_time_extracted_is_that_of_the_first_slice(pigment: SlicedPigment, run_tap: RunTap) -> None:
    slices = pigment.add_slices("Plan", "DimensionList", [csv("A;a"), csv("B;b")])
    arrivals: list[datetime] = []
    answer = pigment.answer

    def noted(request: Any) -> Answer:  # noqa: ANN401 - see `Pigment.answer`.
        found = answer(request)
        arrivals.append(datetime.now().astimezone())
        return found

    pigment.answer = noted  # type: ignore[method-assign] # This Pigment alone notes when it responds.
    messages = run_tap(stream_overrides=overrides(slices))

    times = {datetime.fromisoformat(message["time_extracted"]) for message in of_type(messages, "RECORD")}
    assert len(times) == 1
    assert arrivals[-2] <= times.pop() <= arrivals[-1]


def test_a_slice_may_be_empty_and_lack_its_final_line_end(pigment: SlicedPigment, run_tap: RunTap) -> None:
    bodies = ["Code;Name\r\nA;a", "\ufeffCode;Name", "\ufeffCode;Name\r\nB;b\r\n", "Code;Name", "Code;Name\r\nC;c"]
    slices = pigment.add_slices("Plan", "DimensionList", bodies)

    messages = run_tap(stream_overrides=overrides(slices))

    assert [record["Code"] for record in records(messages, "plan")] == ["A", "B", "C"]


# Retries and failures


def test_only_the_truncated_slice_is_requested_again(
    pigment: SlicedPigment, run_tap: RunTap, discover: Discover
) -> None:
    slices = pigment.add_slices("Plan", "DimensionList", [csv("A;a"), csv("B;b", "C;c"), csv("D;d")])
    catalog = discover(stream_overrides=overrides(slices))
    pigment.requests.clear()
    pigment.answer_next(slices[1], Answer(body=csv("B;b", "C;c").encode(), headers=CSV, cut_after=16))

    messages = run_tap(catalog=catalog, stream_overrides=overrides(slices))

    assert [record["Code"] for record in records(messages, "plan")] == ["A", "B", "C", "D"]
    assert pigment.slices_requested() == [slices[number]["listFilter"][0] for number in (0, 1, 1, 2)]


def test_a_slice_that_fails_for_good_fails_its_stream_and_no_other(
    pigment: SlicedPigment, tap: MakeTap, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    slices = pigment.add_slices("Plan", "DimensionList", [csv("A;a"), csv("B;b"), csv("C;c")])
    pigment.add_list("Zones", "Zone\r\nZ\r\n")
    pigment.answer_next(slices[1], *[Answer(500)] * 4)
    running = tap(stream_overrides=overrides(slices), on_stream_error="continue")

    with pytest.raises(StreamsFailedError) as caught:
        running.sync_all()

    assert str(caught.value).splitlines()[1] == "  plan  slices[1]: Pigment failed (500). Run again later."
    assert {message["stream"] for message in of_type(written(running), "RECORD")} == {"zones"}
    assert {message["stream"] for message in of_type(written(running), "SCHEMA")} == {"zones"}
    assert slices[2]["listFilter"][0] not in pigment.slices_requested()
    assert "plan: slices[1]: try 1 of 4 failed" in caplog.text
    assert "failed, part 2 of 3" in caplog.text


@pytest.mark.parametrize(
    ("header", "difference"),
    [
        ("Code;Title;Size", "it lacks Name and it has Title, Size in addition"),
        ("Name;Code", "it has the same columns in another order, or some of them twice"),
    ],
)
def test_slices_with_different_headers_are_an_error_before_the_next_request(
    pigment: SlicedPigment, tap: MakeTap, header: str, difference: str
) -> None:
    slices = pigment.add_slices("Plan", "DimensionList", [csv("A;a"), csv(header=header), csv("C;c")])
    running = tap(stream_overrides=overrides(slices))

    with pytest.raises(SettingsError) as caught:
        running.sync_all()

    assert str(caught.value) == (
        f"plan: the header of slices[1] is not that of slices[0]: {difference}. Nothing was emitted. Correct "
        "stream_overrides.plan.slices, so that all request the same columns."
    )
    assert written(running) == []
    assert slices[2]["listFilter"][0] not in pigment.slices_requested()


def test_a_malformed_row_is_named_with_its_slice(pigment: SlicedPigment, run_tap: RunTap) -> None:
    slices = pigment.add_slices("Plan", "DimensionList", [csv("A;a"), csv("B;b", "C")])

    with pytest.raises(MalformedExportError, match=r"^plan: slices\[1\]: row 2 \(line 3\) has 1 fields"):
        run_tap(stream_overrides=overrides(slices))


# Overlaps


def test_a_key_in_two_slices_is_an_error_that_names_them_and_the_row(pigment: SlicedPigment, tap: MakeTap) -> None:
    bodies = [csv("A;a", "B;b"), csv(), csv("C;c", "D;d", "B;x")]
    running = tap(stream_overrides=overrides(pigment.add_slices("Plan", "DimensionList", bodies)))

    with pytest.raises(KeysNotUniqueError) as caught:
        running.sync_all()

    assert str(caught.value) == (
        "plan: slices overlap: 2 of 5 rows share a key (Code) with a row of another slice, first row 2 of slices[0] "
        "with row 3 of slices[2]. Correct stream_overrides.plan.slices, so that each row is in one of them; or set "
        "key_columns to the columns that identify a row of all slices."
    )
    assert written(running) == []


def test_identical_rows_of_two_slices_without_a_key_are_emitted_with_a_warning(
    pigment: SlicedPigment, run_tap: RunTap, caplog: pytest.LogCaptureFixture
) -> None:
    bodies = [csv("A;a", "A;a", "B;b"), csv("C;c", "B;b")]
    slices = pigment.add_slices("Plan", "TransactionList", bodies)

    messages = run_tap(stream_overrides=overrides(slices))

    assert [record["Code"] for record in records(messages, "plan")] == ["A", "A", "B", "C", "B"]
    assert [message["record"]["occurrence"] for message in of_type(messages, "RECORD")] == [1, 2, 1, 1, 2]
    assert (
        "plan: 2 rows are identical to a row of another slice, first row 3 of slices[0] and row 2 of slices[1]. They "
        "may be real, so all are emitted. If slices overlap, correct stream_overrides.plan.slices."
    ) in caplog.messages


# What comes behind the download


def test_changed_and_deleted_rows_are_found_over_all_slices(
    pigment: SlicedPigment, tap: MakeTap, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    slices = pigment.add_slices("Plan", "DimensionList", [csv("A;a", "B;b"), csv("C;c"), csv("D;d")])
    settings: dict[str, Any] = {
        "stream_overrides": overrides(slices),
        "change_detection": "row",
        "snapshot_uri": str(tmp_path / "snapshots"),
    }
    first = tap(**settings)
    first.sync_all()
    same = tap(state=first.state, **settings)
    same.sync_all()
    pigment.put(slices[0], csv("B;b"))
    pigment.put(slices[2], csv("D;new", "E;e"))
    changed = tap(state=same.state, **settings)
    changed.sync_all()

    assert of_type(written(same), "RECORD") == []
    assert "plan: unchanged since the last run, to the byte; no records emitted" in caplog.messages
    assert [
        (row["Code"], row["Name"], row["_sdc_deleted_at"] is None) for row in records(written(changed), "plan")
    ] == [
        ("A", None, False),
        ("D", "new", True),
        ("E", "e", True),
    ]


def test_the_shrink_guard_looks_at_the_sum_of_the_slices(pigment: SlicedPigment, tap: MakeTap) -> None:
    slices = pigment.add_slices("Plan", "DimensionList", [csv("A;a", "B;b"), csv("C;c"), csv("D;d")])
    first = tap(stream_overrides=overrides(slices))
    first.sync_all()
    pigment.put(slices[0], csv())
    half = tap(state=first.state, stream_overrides=overrides(slices))
    half.sync_all()
    pigment.put(slices[0], csv("A;a", "B;b"))
    whole = tap(state=half.state, stream_overrides=overrides(slices))
    whole.sync_all()

    with pytest.raises(ShrunkExportError, match="plan: the export lost 3 of the 4 rows of the last run"):
        tap(state=whole.state, stream_overrides=overrides(slices[2:])).sync_all()


def test_batch_files_hold_the_rows_of_all_slices(pigment: SlicedPigment, run_tap: RunTap, tmp_path: Path) -> None:
    slices = pigment.add_slices("Plan", "DimensionList", [csv("A;a", "B;b"), csv("C;c")])
    batch_config = {"encoding": {"format": "jsonl"}, "storage": {"root": (tmp_path / "batches").as_uri()}}

    messages = run_tap(stream_overrides=overrides(slices), batch_config=batch_config)

    [batch] = of_type(messages, "BATCH")
    [path] = (tmp_path / "batches").iterdir()
    assert batch["manifest"] == [path.as_uri()]
    assert [json.loads(line)["Code"] for line in path.read_text().splitlines()] == ["A", "B", "C"]


# The settings


def test_mistakes_in_a_slice_are_named_before_the_first_request(
    pigment: SlicedPigment, run_command: RunCommand, config: Mapping[str, Any]
) -> None:
    slices = pigment.add_slices("Plan", "DimensionList", [csv("A;a"), csv("B;b")])
    wrong = overrides([slices[0], {"listFilter": ["FR"]}, slices[0]])

    ended = run_command("--check", config={**config, "stream_overrides": wrong})

    assert ended.returncode == 1
    assert 'stream_overrides.plan.slices[1].listFilter[0]: "FR" is not a UUID.' in ended.stderr
    assert "stream_overrides.plan.slices[2]: it exports the same rows as slices[0]" in ended.stderr
    assert pigment.requests == []


def test_slices_of_a_view_fail_its_stream(
    pigment: SlicedPigment, run_command: RunCommand, config: Mapping[str, Any]
) -> None:
    pigment.add_list("Zones", "Zone\r\nZ\r\n")
    pigment.add_view("Saved", csv("A;a"))
    settings = {"block_types": ["DimensionList", "View"], "stream_overrides": overrides([{}], "saved")}

    ended = run_command("--check", config={**config, **settings})

    assert (
        "FAIL stream_overrides.saved.slices: a view is exported as it is saved, and takes no slices. Remove them."
    ) in ended.stdout.splitlines()


# The end of a run


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_kill_between_two_slices_leaves_nothing_behind(
    pigment: SlicedPigment, config: Mapping[str, Any], tmp_path: Path, spool_dir: Path, number: signal.Signals
) -> None:
    slices = pigment.add_slices("Plan", "DimensionList", [csv("A;a"), csv("B;b"), csv("C;c")])
    pigment.answer_next(slices[2], Answer(503, headers={"Retry-After": "200"}))
    (tmp_path / "config.json").write_text(json.dumps({**config, "stream_overrides": overrides(slices)}))
    with subprocess.Popen(
        [sys.executable, "-m", "tap_pigment", "--config", str(tmp_path / "config.json")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr
        assert any("plan: slices[2]: try 1 of 4 failed, waiting 200.0 s" in line for line in running.stderr)
        exports = [path.read_bytes() for path in spool_dir.rglob("export-*")]
        running.send_signal(number)
        output, _ = running.communicate(timeout=SECONDS)

    if number is signal.SIGKILL:
        remove_dead(spool_dir)  # As the next run does.
    assert exports == [b"Code;Name\r\nA;a\r\nB;b\r\n"]
    assert output == ""
    assert running.returncode == (143 if number is signal.SIGTERM else -number)
    assert list(spool_dir.iterdir()) == []

"""Rows of other runs: of lost ones, any part of which may be loaded, and of overlapping ones, which may load late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.errors import ShrunkExportError
from tests.support.memory_target import MemoryTarget
from tests.support.tap_runs import CHANGED, COUNTRIES, HoldingPigment, OverlappingRun, TapRuns, rows, snapshots
from tests.support.taps import of_type

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.taps import Discover, MakeTap, Message


@pytest.fixture
def pigment_class() -> type[HoldingPigment]:
    """A Pigment that can hold an export back."""
    return HoldingPigment


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The store of snapshots."""
    return tmp_path / "snapshots"


@pytest.fixture
def runs(pigment: HoldingPigment, tap: MakeTap, store: Path) -> TapRuns:
    """Runs that compare row by row."""
    return TapRuns(pigment, tap, {"change_detection": "row", "snapshot_uri": str(store)})


@pytest.fixture
def after_lost_run(runs: TapRuns, caplog: pytest.LogCaptureFixture) -> TapRuns:
    """Runs of which the first is loaded, and the second emitted CHANGED and lost its state."""
    runs.run()
    runs.lose(CHANGED)
    caplog.clear()
    return runs


def emitted(messages: list[Message]) -> list[tuple[str, str | None]]:
    """Return code and name of each row; a deleted row has no name."""
    return sorted((row["Code"], row["Name"]) for row in rows(messages))


def kinds(messages: list[Message]) -> list[str]:
    """Return the types of the messages."""
    return [message["type"] for message in messages]


# Lost runs


def test_rows_that_differ_from_those_of_a_lost_run_are_emitted(
    after_lost_run: TapRuns, caplog: pytest.LogCaptureFixture
) -> None:
    messages = after_lost_run.run_with(COUNTRIES)

    assert emitted(messages) == [("DE", "Deutschland"), ("ES", None), ("IT", "Italia")]
    assert (
        "countries: the target may have loaded rows of 1 snapshot of other runs; rows that differ from them are "
        "emitted too"
    ) in caplog.messages


def test_a_lost_run_is_compared_with_twice_and_then_forgotten(
    after_lost_run: TapRuns, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = after_lost_run.run_with(COUNTRIES)
    second = after_lost_run.run()
    caplog.clear()
    third = after_lost_run.run()
    changed = after_lost_run.run_with(COUNTRIES.replace("Italia", "Italy"))

    assert emitted(first) == emitted(second) == [("DE", "Deutschland"), ("ES", None), ("IT", "Italia")]
    assert kinds(third) == ["STATE"]
    assert emitted(changed) == [("IT", "Italy")]
    assert "of other runs" not in caplog.text
    assert len(snapshots(store)) == 2


def test_rows_that_only_a_lost_run_emitted_are_deleted(after_lost_run: TapRuns) -> None:
    messages = after_lost_run.run_with(COUNTRIES.replace("Italia", "Italy"))

    assert emitted(messages) == [("DE", "Deutschland"), ("ES", None), ("IT", "Italy")]


@pytest.mark.parametrize("damage", ["truncated", "other columns"])
def test_unusable_snapshot_of_another_run_causes_a_full_send(
    after_lost_run: TapRuns, store: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    newest = max(store.rglob("*.parquet"))
    if damage == "truncated":
        newest.write_bytes(newest.read_bytes()[:-10])
    else:
        before = after_lost_run.state
        after_lost_run.run(stream_overrides={"countries": {"types": {"Size": "text"}}})
        after_lost_run.state = before
    caplog.clear()

    messages = after_lost_run.run_with(COUNTRIES)

    assert [row["Code"] for row in rows(messages) if row["_sdc_deleted_at"] is None] == ["FR", "DE", "IT"]
    assert "countries: full send, because " in caplog.text


def test_damaged_snapshot_of_another_run_is_retired_too(after_lost_run: TapRuns, store: Path) -> None:
    newest = max(store.rglob("*.parquet"))
    newest.write_bytes(newest.read_bytes()[:-10])

    messages = [after_lost_run.run_with(COUNTRIES) for _ in range(3)]

    assert [len(of_type(of_run, "RECORD")) for of_run in messages] == [3, 3, 0]
    assert newest.stem not in snapshots(store)


def test_rows_of_lost_runs_count_for_the_shrink_guard(runs: TapRuns) -> None:
    runs.run()
    runs.lose(COUNTRIES + "ES;España;4.5\r\nPT;Portugal;5.5\r\nAT;Austria;6.5\r\n")

    with pytest.raises(ShrunkExportError, match="the export lost 4 of the 6 rows of the last run"):
        runs.run_with("Code;Name;Size\r\nFR;France;1.5\r\nDE;Deutschland;2.5\r\n")

    assert emitted(runs.run(max_shrink_percent=100)) == [("AT", None), ("ES", None), ("IT", None), ("PT", None)]


def test_lost_first_run_leaves_no_rows_behind(runs: TapRuns) -> None:
    runs.lose(COUNTRIES)

    messages = runs.run_with(CHANGED)

    assert emitted(messages) == [("DE", "Germany"), ("ES", "España"), ("FR", "France"), ("IT", None)]


def test_lost_run_counts_though_its_clock_was_behind(runs: TapRuns, store: Path) -> None:
    runs.run()
    ahead = max(store.rglob("*.parquet"))
    name = f"29990101T000000000000Z-{ahead.stem.partition('-')[2]}"
    ahead.rename(ahead.with_stem(name))
    runs.bookmark["snapshot"] = name
    runs.lose(CHANGED)

    messages = runs.run_with(COUNTRIES)

    assert emitted(messages) == [("DE", "Deutschland"), ("ES", None), ("IT", "Italia")]


def test_lost_run_is_retired_though_its_clock_was_ahead(after_lost_run: TapRuns, store: Path) -> None:
    lost = max(store.rglob("*.parquet"))
    lost.rename(lost.with_stem(f"29990101T000000000000Z-{lost.stem.partition('-')[2]}"))
    after_lost_run.run_with(COUNTRIES)
    after_lost_run.run()

    again = after_lost_run.run_with(COUNTRIES.replace("Italia", "Italy"))

    assert emitted(again) == [("IT", "Italy")]


def test_export_is_not_unchanged_if_its_snapshot_is_missing(
    runs: TapRuns, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runs.run()
    for path in store.rglob("*.parquet"):
        path.unlink()

    messages = runs.run()

    assert emitted(messages) == [("DE", "Deutschland"), ("FR", "France"), ("IT", "Italia")]
    assert "countries: full send, because a snapshot cannot be used" in caplog.text


def test_rows_of_lost_runs_do_not_add_up_for_the_shrink_guard(runs: TapRuns) -> None:
    runs.settings = {**runs.settings, "stream_overrides": {"countries": {"key_columns": []}}}
    runs.run()
    for number in range(4):
        runs.lose(f"Code;Name;Size\r\nFR;{number};1.5\r\nDE;{number};2.5\r\nIT;Italia;3.5\r\n")

    with pytest.raises(ShrunkExportError, match="the export lost 2 of the 3 rows of the last run"):
        runs.run_with("Code;Name;Size\r\nFR;France;1.5\r\n")


def test_two_snapshots_remain_after_seven_lost_runs_and_three_good_ones(runs: TapRuns, store: Path) -> None:
    runs.run()
    for number in range(7):
        runs.lose(COUNTRIES.replace("Italia", f"Italia {number}"))
    stored = len(snapshots(store))

    for number in range(3):
        runs.run_with(COUNTRIES.replace("France", f"France {number}"))

    assert stored == 8
    assert len(snapshots(store)) == 2
    assert runs.bookmark["snapshot"] in snapshots(store)


# Overlapping runs


def export_of_b(size: str) -> str:
    """Return an export of two rows, of which B has a size."""
    return f"Code;Name;Size\r\nA;Albania;1.5\r\nB;Belgium;{size}\r\n"


def sizes(target: MemoryTarget) -> dict[str, Any]:
    """Return the size of each country in the table."""
    return {row["Code"]: row["Size"] for row in target.live("countries")}


@pytest.mark.parametrize("size", ["2.5", "1.0"], ids=["reverted", "changed twice"])
def test_late_rows_of_an_overlapping_run_are_repaired(
    runs: TapRuns, pigment: HoldingPigment, store: Path, discover: Discover, size: str
) -> None:
    runs.put(export_of_b(size))
    runs.catalog = discover(**runs.settings)
    target = MemoryTarget()
    target.load(runs.run())
    s0 = runs.state
    runs.put(export_of_b("20.5"))
    run_a = OverlappingRun(pigment, runs.tap(), s0)
    target.load(runs.run_with(export_of_b("2.5")))

    target.load(run_a.finish())
    damaged = sizes(target)
    repair = runs.run()
    target.load(repair)
    repaired = sizes(target)
    target.load(runs.run())
    third = runs.run()

    assert damaged == {"A": 1.5, "B": 20.5}
    assert emitted(repair) == [("B", "Belgium")]
    assert repaired == sizes(target) == {"A": 1.5, "B": 2.5}
    assert kinds(third) == ["STATE"]
    assert len(snapshots(store)) == 1


@pytest.mark.parametrize("size", ["2.5", "1.0"], ids=["reverted", "changed twice"])
def test_late_rows_of_a_run_that_was_overtaken_are_repaired(runs: TapRuns, store: Path, size: str) -> None:
    target = MemoryTarget()
    target.load(runs.run_with(export_of_b(size)))
    run_a = runs.lose(export_of_b("20.5"))
    run_b = runs.run_with(export_of_b("2.5"))
    target.load(run_b)

    target.load(run_a)
    damaged = sizes(target)
    repair = runs.run()
    target.load(repair)
    third, fourth = runs.run(), runs.run()

    assert emitted(run_b) == [("B", "Belgium")]
    assert damaged == {"A": 1.5, "B": 20.5}
    assert emitted(repair) == [("B", "Belgium")]
    assert sizes(target) == {"A": 1.5, "B": 2.5}
    assert kinds(third) == kinds(fourth) == ["STATE"]
    assert len(snapshots(store)) == 1


def test_overlapping_runs_compare_with_the_rows_of_each_other(
    runs: TapRuns, pigment: HoldingPigment, store: Path, discover: Discover
) -> None:
    runs.catalog = discover(**runs.settings)
    runs.run()
    runs.put(COUNTRIES + "PT;Portugal;1.0\r\n")
    held_back = OverlappingRun(pigment, runs.tap(), runs.state)
    meanwhile = runs.run_with(CHANGED)
    one = runs.state
    late = held_back.finish()
    other = of_type(late, "STATE")[-1]["value"]

    assert emitted(meanwhile) == [("DE", "Germany"), ("ES", "España"), ("IT", None)]
    assert emitted(late) == [("DE", "Deutschland"), ("ES", None), ("IT", "Italia"), ("PT", "Portugal")]
    for state in (one, other):
        assert state["bookmarks"]["countries"]["snapshot"] in snapshots(store)
    # From either state, the next run emits too what the other run may have loaded.
    runs.state = one
    assert emitted(runs.lose(CHANGED)) == [("DE", "Germany"), ("ES", "España"), ("IT", None), ("PT", None)]
    runs.state = other
    assert ("PT", "Lusitania") in emitted(runs.run_with(COUNTRIES + "PT;Lusitania;1.0\r\n"))

"""Plans of row changes: what is stored when, and what becomes of snapshots that cannot be read or removed."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from tap_pigment.changes import Lineage, SnapshotStore
from tap_pigment.changes.snapshot_file import read_snapshot
from tap_pigment.columns import RowKey
from tap_pigment.errors import KeysNotUniqueError, ShrunkExportError, StoreError
from tests.support.planned_runs import planned_runs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.planned_runs import PlannedRuns

KEYED = RowKey(("a",))
FIRST = [["1", "a"], ["2", "b"]]
SECOND = [["1", "a"], ["2", "B"]]
THIRD = [["1", "A"], ["2", "B"]]
MISSING = "20260131T000000000000Z-" + "0" * 32


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[PlannedRuns]:
    """Runs of a stream with a key."""
    with planned_runs(tmp_path / "runs", KEYED) as runs:
        yield runs


class StoreWithoutRemoval(SnapshotStore):
    """A store in which nothing can be removed."""

    def remove(self, stream: str, name: str) -> None:
        raise StoreError(f"{stream}/{name}: permission denied")


class StoreWithPhantom(SnapshotStore):
    """A store that lists a snapshot which another run removes at that moment."""

    def names(self, stream: str) -> list[str]:
        return [MISSING, *super().names(stream)]


def test_snapshot_is_stored_before_the_first_record_is_made(runs: PlannedRuns) -> None:
    with runs.planned(FIRST) as plan:
        assert runs.store.names("plan") == [plan.bookmark.snapshot]


def test_same_rows_in_other_bytes_keep_their_snapshot(runs: PlannedRuns) -> None:
    _, first = runs.run(FIRST)

    records, second = runs.run(FIRST, first, quoting=csv.QUOTE_ALL)

    assert records == []
    assert second.snapshot == first.snapshot
    assert second.body != first.body
    assert runs.store.names("plan") == [first.snapshot]


def test_same_rows_as_a_lost_run_get_a_snapshot_of_their_own(runs: PlannedRuns, tmp_path: Path) -> None:
    _, first = runs.run(FIRST)
    _, lost = runs.run(SECOND, first)
    _, second = runs.run(SECOND, first)

    records, third = runs.run(SECOND, second)

    assert records == []
    assert len({first.snapshot, lost.snapshot, second.snapshot, third.snapshot}) == 4
    assert lineage(runs, third.snapshot, tmp_path) == Lineage(
        base=second.snapshot,
        compared=(str(lost.snapshot),),
        retired=tuple(sorted([str(first.snapshot), str(lost.snapshot)])),
    )


def lineage(runs: PlannedRuns, name: str | None, folder: Path) -> Lineage:
    """Return the lineage of a stored snapshot."""
    path = folder / "fetched.parquet"
    runs.store.fetch("plan", str(name), path)
    with runs.session.for_stream("plan", memory_bytes=64 << 20) as database:
        return read_snapshot(database, path).lineage


@pytest.mark.parametrize(
    ("rows", "error"), [([["1", "a"], ["1", "b"]], KeysNotUniqueError), ([["1", "a"]], ShrunkExportError)]
)
def test_export_that_fails_stores_and_removes_nothing(
    tmp_path: Path, rows: list[list[str]], error: type[Exception]
) -> None:
    with planned_runs(tmp_path, KEYED, max_shrink_percent=10) as runs:
        _, first = runs.run(FIRST)
        _, second = runs.run(SECOND, first)

        with pytest.raises(error):
            runs.run(rows, second)

        assert set(runs.store.names("plan")) == {first.snapshot, second.snapshot}


def test_snapshot_that_cannot_be_removed_is_removed_by_a_later_run(
    runs: PlannedRuns, caplog: pytest.LogCaptureFixture
) -> None:
    _, first = runs.run(FIRST)
    _, second = runs.run(SECOND, first)
    right_store = runs.store
    runs.store = StoreWithoutRemoval(runs.store_uri)
    _, third = runs.run(THIRD, second)
    stayed = set(right_store.names("plan"))
    runs.store = right_store

    _, fourth = runs.run(FIRST, third)

    assert f"plan: an obsolete snapshot stays: plan/{first.snapshot}: permission denied" in caplog.messages
    assert stayed == {first.snapshot, second.snapshot, third.snapshot}
    assert set(runs.store.names("plan")) == {third.snapshot, fourth.snapshot}


def test_snapshot_removed_by_another_run_causes_a_full_send(
    runs: PlannedRuns, caplog: pytest.LogCaptureFixture
) -> None:
    _, first = runs.run(FIRST)
    runs.store = StoreWithPhantom(runs.store_uri)

    records, _ = runs.run(SECOND, first)

    assert [(record["a"], record["b"]) for record in records] == [("1", "a"), ("2", "B")]
    assert "plan: full send, because a snapshot cannot be used: " in caplog.text

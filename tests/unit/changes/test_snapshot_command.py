"""What `--snapshots` lists and removes: each snapshot, and those that no run needs any more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.changes import Lineage, SnapshotStore, list_snapshots, named_snapshots, prune_snapshots
from tap_pigment.errors import SnapshotError

if TYPE_CHECKING:
    from pathlib import Path


def stored(store: SnapshotStore, tmp_path: Path) -> list[str]:
    """Store three snapshots of countries and of cities, and return their names, the oldest first."""
    names = []
    for minute in (1, 2, 3):
        source = tmp_path / "source"
        source.write_text(f"snapshot {minute}")
        received_at = datetime(2026, 1, 31, 2, minute, tzinfo=UTC)
        names.append(store.put("countries", source, received_at))
        assert store.put("cities", source, received_at) == names[-1]
    return names


def no_lineage(stream: str, name: str) -> Lineage:
    """Fail, because the lineage of no snapshot is needed."""
    raise AssertionError(f"{stream}/{name}")


def state(**named: str) -> dict[str, Any]:
    return {"bookmarks": {stream: {"v": 1, "rows": 3, "snapshot": name} for stream, name in named.items()}}


def test_snapshots_are_listed_with_time_and_size(store: SnapshotStore, tmp_path: Path) -> None:
    names = stored(store, tmp_path)

    lines = list(list_snapshots(store, {"countries": names[1]}))

    assert lines == [
        f"cities  {names[0]}  2026-01-31 02:01:00 UTC  10 bytes",
        f"cities  {names[1]}  2026-01-31 02:02:00 UTC  10 bytes",
        f"cities  {names[2]}  2026-01-31 02:03:00 UTC  10 bytes",
        f"countries  {names[0]}  2026-01-31 02:01:00 UTC  10 bytes",
        f"countries  {names[1]}  2026-01-31 02:02:00 UTC  10 bytes  named by the state",
        f"countries  {names[2]}  2026-01-31 02:03:00 UTC  10 bytes",
    ]


def test_named_snapshot_that_the_store_lacks_is_listed(store: SnapshotStore) -> None:
    [line] = list_snapshots(store, {"countries": "20260131T020100000000Z-" + "0" * 32})

    assert line == (
        "countries  20260131T020100000000Z-00000000000000000000000000000000  named by the state and missing: "
        "the next run does a full send"
    )


def test_base_and_retired_snapshots_of_the_named_one_are_pruned(store: SnapshotStore, tmp_path: Path) -> None:
    names = stored(store, tmp_path)
    lineages = {("countries", names[1]): Lineage(base=names[0], retired=(names[2],))}

    lines = list(prune_snapshots(store, {"countries": names[1]}, lambda stream, name: lineages[stream, name]))

    assert lines == [
        "cities  skipped: the state names none of its 3 snapshots",
        f"countries  {names[0]}  2026-01-31 02:01:00 UTC  10 bytes  removed",
        f"countries  {names[2]}  2026-01-31 02:03:00 UTC  10 bytes  removed",
    ]
    assert store.names("countries") == [names[1]]
    assert store.names("cities") == names


def test_state_of_another_store_prunes_nothing(store: SnapshotStore, tmp_path: Path) -> None:
    names = stored(store, tmp_path)

    lines = list(prune_snapshots(store, {"countries": "20270131T020100000000Z-" + "0" * 32}, no_lineage))

    assert lines == [
        "cities  skipped: the state names none of its 3 snapshots",
        "countries  skipped: the state names none of its 3 snapshots",
    ]
    assert store.names("countries") == store.names("cities") == names


def test_snapshots_of_a_stream_whose_named_one_is_unusable_are_skipped(store: SnapshotStore, tmp_path: Path) -> None:
    names = stored(store, tmp_path)

    def lineage(stream: str, _name: str) -> Lineage:
        if stream == "cities":
            raise SnapshotError("its format is unknown")
        return Lineage(base=names[0])

    lines = list(prune_snapshots(store, {"cities": names[1], "countries": names[1]}, lineage))

    assert lines == [
        f"cities  skipped: {names[1]} cannot be used: its format is unknown. The next run does a full send",
        f"countries  {names[0]}  2026-01-31 02:01:00 UTC  10 bytes  removed",
    ]
    assert store.names("cities") == names


def test_snapshots_of_other_runs_are_not_pruned(store: SnapshotStore, tmp_path: Path) -> None:
    names = stored(store, tmp_path)

    lines = list(prune_snapshots(store, {"countries": names[1]}, lambda _stream, _name: Lineage(base=names[0])))

    assert len(lines) == 2
    assert store.names("countries") == names[1:]


def test_other_files_are_neither_listed_nor_pruned(store: SnapshotStore, tmp_path: Path) -> None:
    names = stored(store, tmp_path)
    others = ["notes.txt", "countries/0.parquet", f"deeper/countries/{names[0]}.parquet", f"{names[0]}.parquet"]
    for path in others:
        (tmp_path / "store" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "store" / path).write_text("not a snapshot")

    listed = list(list_snapshots(store, {}))
    list(prune_snapshots(store, {"countries": names[2]}, lambda _stream, _name: Lineage(names[1], (), (names[0],))))

    assert len(listed) == 2 * len(names)
    assert all((tmp_path / "store" / path).exists() for path in others)


def test_new_store_is_empty(store: SnapshotStore) -> None:
    assert list(list_snapshots(store, {})) == []


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (state(countries="20260131T020100000000Z-" + "a" * 32), {"countries": "20260131T020100000000Z-" + "a" * 32}),
        (state(countries="../elsewhere"), {}),
        ({"bookmarks": {"countries": {"v": 1, "rows": 3}, "cities": {}}}, {}),
        ({}, {}),
        ({"bookmarks": None}, {}),
        ({"bookmarks": "countries"}, {}),
        ({"bookmarks": {"countries": None}}, {}),
        ({"bookmarks": {"countries": ["v"]}}, {}),
    ],
)
def test_state_names_only_what_has_the_form_of_a_snapshot(given: dict[str, Any], named: dict[str, str]) -> None:
    assert named_snapshots(given) == named

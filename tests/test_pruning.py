"""Snapshots are listed, and removed once no run will ask for them again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.pruning import listed, named_snapshots, pruned
from tap_pigment.snapshots import SnapshotStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.conftest import RunCommand

MINUTES = (1, 2, 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the snapshots are."""
    return tmp_path / "snapshots"


@pytest.fixture
def store(folder: Path) -> SnapshotStore:
    """A store of snapshots."""
    return SnapshotStore(str(folder))


@pytest.fixture
def names(store: SnapshotStore, tmp_path: Path) -> list[str]:
    """The names of three snapshots of countries and of cities, the oldest first."""
    found = []
    for minute in MINUTES:
        source = tmp_path / "source"
        source.write_text(f"snapshot {minute}")
        made_at = datetime(2026, 1, 31, 2, minute, tzinfo=UTC)
        found.append(store.put("countries", source, made_at))
        assert store.put("cities", source, made_at) == found[-1]
    return found


def state(**named: str) -> dict[str, Any]:
    """Return a state that names these snapshots."""
    return {"bookmarks": {stream: {"v": 1, "rows": 3, "snapshot": name} for stream, name in named.items()}}


def kept(folder: Path) -> list[str]:
    """Return the snapshots that are there."""
    return sorted(f"{path.parent.name}/{path.stem}" for path in folder.rglob("*.parquet"))


def test_snapshots_are_listed_with_time_and_size_and_those_that_the_state_names(
    store: SnapshotStore, names: list[str]
) -> None:
    lines = list(listed(store, {"countries": names[1]}))

    assert lines == [
        f"cities  {names[0]}  2026-01-31 02:01:00 UTC  10 bytes",
        f"cities  {names[1]}  2026-01-31 02:02:00 UTC  10 bytes",
        f"cities  {names[2]}  2026-01-31 02:03:00 UTC  10 bytes",
        f"countries  {names[0]}  2026-01-31 02:01:00 UTC  10 bytes",
        f"countries  {names[1]}  2026-01-31 02:02:00 UTC  10 bytes  named by the state",
        f"countries  {names[2]}  2026-01-31 02:03:00 UTC  10 bytes",
    ]


def test_one_that_the_state_names_and_the_store_lacks_is_listed_as_such(store: SnapshotStore) -> None:
    (line,) = listed(store, {"countries": "20260131T020100000000Z-" + "0" * 32})

    assert line == (
        "countries  20260131T020100000000Z-00000000000000000000000000000000  named by the state and not there: "
        "the next run sends all rows"
    )


def test_what_is_older_than_the_named_one_is_removed_and_what_is_newer_stays(
    store: SnapshotStore, folder: Path, names: list[str]
) -> None:
    lines = list(pruned(store, {"countries": names[1]}))

    assert lines == [
        "left alone: cities, as the state names none of its 3 snapshots",
        f"removed: countries  {names[0]}  2026-01-31 02:01:00 UTC  10 bytes",
    ]
    assert kept(folder) == [*(f"cities/{name}" for name in names), *(f"countries/{name}" for name in names[1:])]


def test_the_state_of_another_store_removes_nothing(store: SnapshotStore, folder: Path, names: list[str]) -> None:
    lines = list(pruned(store, {"countries": "20270131T020100000000Z-" + "0" * 32}))

    assert len(lines) == 2
    assert len(kept(folder)) == 2 * len(names)


def test_files_of_others_are_neither_listed_nor_removed(store: SnapshotStore, folder: Path, names: list[str]) -> None:
    others = ["notes.txt", "countries/0.parquet", f"deeper/countries/{names[0]}.parquet", f"{names[0]}.parquet"]
    for path in others:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("of others")

    lines = [*listed(store, {}), *pruned(store, {"countries": names[2]})]

    assert sum("countries" in line for line in lines) == 3 + 2
    assert all((folder / path).exists() for path in others)


def test_a_store_that_nothing_was_put_into_is_empty(store: SnapshotStore) -> None:
    assert list(listed(store, {})) == []


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (state(countries="20260131T020100000000Z-" + "a" * 32), {"countries": "20260131T020100000000Z-" + "a" * 32}),
        (
            {"singer_state": state(countries="20260131T020100000000Z-" + "a" * 32)},
            {"countries": "20260131T020100000000Z-" + "a" * 32},
        ),
        (state(countries="../elsewhere"), {}),
        ({"bookmarks": {"countries": {"v": 1, "rows": 3}, "cities": {}}}, {}),
        ({}, {}),
        ({"singer_state": None}, {}),
        ({"singer_state": ["bookmarks"]}, {}),
        ({"singer_state": {"bookmarks": None}}, {}),
        ({"bookmarks": None}, {}),
        ({"bookmarks": "countries"}, {}),
        ({"bookmarks": {"countries": None}}, {}),
        ({"bookmarks": {"countries": ["v"]}}, {}),
    ],
)
def test_a_state_names_snapshots_that_look_like_it(given: dict[str, Any], named: dict[str, str]) -> None:
    assert named_snapshots(given) == named


# The command


@pytest.fixture
def row_config(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return settings with a place for snapshots."""
    return {**config, "change_detection": "row", "snapshot_uri": str(folder)}


def test_the_command_lists_and_prunes_and_asks_pigment_for_nothing(
    run_command: RunCommand, row_config: dict[str, Any], names: list[str], folder: Path, tmp_path: Path
) -> None:
    offline = {**row_config, "api_url": "http://127.0.0.1:9"}
    (tmp_path / "state.json").write_text(json.dumps(state(countries=names[2], cities=names[1])))
    option = ("--state", str(tmp_path / "state.json"))

    before = run_command("--snapshots", "list", *option, config=offline)
    pruning = run_command("--snapshots", "prune", *option, config=offline)
    after = run_command("--snapshots", "list", config=offline)

    assert [before.returncode, pruning.returncode, after.returncode] == [0, 0, 0]
    assert len(before.stdout.splitlines()) == 6
    assert before.stdout.count("named by the state") == 2
    assert pruning.stdout.count("removed: ") == 3
    assert len(after.stdout.splitlines()) == 3
    assert kept(folder) == [f"cities/{names[1]}", f"cities/{names[2]}", f"countries/{names[2]}"]


def test_the_command_prunes_nothing_without_a_state(
    run_command: RunCommand, row_config: dict[str, Any], names: list[str], folder: Path
) -> None:
    ended = run_command("--snapshots", "prune", config=row_config)

    assert ended.returncode == 1
    assert "--snapshots prune: add --state with the last state" in ended.stderr
    assert len(kept(folder)) == 2 * len(names)


def test_the_command_needs_a_place_to_look_at(run_command: RunCommand) -> None:
    ended = run_command("--snapshots", "list")

    assert ended.returncode == 1
    assert "there are none without snapshot_uri" in ended.stderr
    assert "Traceback" not in ended.stderr

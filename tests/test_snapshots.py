"""A store of snapshots gives back what was put there, or says why not."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tap_pigment.errors import SnapshotError
from tap_pigment.snapshots import SnapshotStore

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    """A store of snapshots."""
    return SnapshotStore(str(tmp_path / "store"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file that others may read."""
    path = tmp_path / "source"
    path.write_bytes(b"snapshot")
    path.chmod(0o644)
    return path


def no_links(*_: object, **__: object) -> None:
    """Refuse to give a file a second name, as between two disks."""
    raise OSError(errno.EXDEV, "Invalid cross-device link")


def kept(tmp_path: Path) -> list[Path]:
    """Return all files of the store."""
    return [path for path in (tmp_path / "store").rglob("*") if path.is_file()]


@pytest.mark.parametrize("can_link", [True, False], ids=["linked", "copied, for there are no links"])
def test_what_is_put_there_comes_back_and_outlives_its_source(
    store: SnapshotStore, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, can_link: bool
) -> None:
    if not can_link:
        monkeypatch.setattr(os, "link", no_links)
    name = store.put("gl", source, NOW)
    source.unlink()

    store.fetch("gl", name, tmp_path / "fetched")

    assert (tmp_path / "fetched").read_bytes() == b"snapshot"
    assert [path.stat().st_mode & 0o777 for path in kept(tmp_path)] == [0o600]


@pytest.mark.parametrize("is_there", [False, True], ids=["linked", "copied, for a file is there"])
def test_a_snapshot_that_is_fetched_is_not_lost_when_the_store_loses_it(
    store: SnapshotStore, source: Path, tmp_path: Path, *, is_there: bool
) -> None:
    name = store.put("gl", source, NOW)
    if is_there:
        (tmp_path / "fetched").write_bytes(b"something else")

    store.fetch("gl", name, tmp_path / "fetched")
    store.remove("gl", name)

    assert (tmp_path / "fetched").read_bytes() == b"snapshot"
    assert kept(tmp_path) == []


def test_a_snapshot_that_was_replaced_is_refused(store: SnapshotStore, source: Path, tmp_path: Path) -> None:
    name = store.put("gl", source, NOW)
    (path,) = kept(tmp_path)
    path.unlink()
    path.write_bytes(b"replaced")

    with pytest.raises(SnapshotError, match="it is truncated or was replaced"):
        store.fetch("gl", name, tmp_path / "fetched")


def test_what_is_put_there_later_has_the_greater_name_whatever_the_clock_says(
    store: SnapshotStore, source: Path
) -> None:
    hours = (0, -1, 0, 9_000, 1)

    names = [store.put("gl", source, NOW + timedelta(hours=number)) for number in hours]

    assert names == sorted(set(names)) == store.names("gl")
    assert [name[:22] for name in names] == [
        "20260131T000000000000Z",
        "20260131T000000000001Z",
        "20260131T000000000002Z",
        "20270210T000000000000Z",
        "20270210T000000000001Z",
    ]


def test_names_of_other_streams_do_not_count(store: SnapshotStore, source: Path) -> None:
    store.put("payroll", source, NOW + timedelta(hours=1))

    assert store.put("gl", source, NOW).startswith("20260131T000000000000Z")


def test_a_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "gl").write_text("not a folder")

    with pytest.raises(SnapshotError, match=r"snapshot_uri: cannot list .*store: .*Not a directory"):
        SnapshotStore(str(tmp_path / "store")).names("gl")


@pytest.mark.parametrize("below", ["./store", "other/../store", "store/", "store//", "a b[x]*?", "é💙", "link"])
def test_a_store_has_what_was_put_there_however_its_address_is_written(
    source: Path, tmp_path: Path, below: str
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "other")
    store = SnapshotStore(f"{tmp_path}/{below}")

    name = store.put("gl", source, NOW)

    assert store.names("gl") == [name]
    assert [(entry.stream, entry.name, entry.size) for entry in store.entries()] == [("gl", name, 8)]


@pytest.mark.parametrize(
    "time", ["20269999T999999999999Z", "99991231T235959999999Z"], ids=["no time", "the last there is"]
)
def test_names_that_only_look_like_snapshots_are_left_alone(
    store: SnapshotStore, source: Path, tmp_path: Path, time: str
) -> None:
    (tmp_path / "store" / "gl").mkdir(parents=True)
    (tmp_path / "store" / "gl" / f"{time}-{'0' * 32}.parquet").write_text("")

    name = store.put("gl", source, NOW)

    assert store.names("gl") == [name]


def test_links_that_go_round_in_circles_are_left_alone(store: SnapshotStore, source: Path, tmp_path: Path) -> None:
    name = store.put("gl", source, NOW)
    (tmp_path / "store" / "gl" / "loop").symlink_to(tmp_path / "store" / "gl")
    (tmp_path / "store" / "gl" / "self").symlink_to(tmp_path / "store" / "gl" / "self")

    assert store.names("gl") == [name]
    assert [entry.name for entry in store.entries()] == [name]

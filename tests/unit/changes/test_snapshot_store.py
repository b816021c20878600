"""The store of snapshots: what is stored comes back, and is listed."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tap_pigment.changes import SnapshotStore
from tap_pigment.errors import SnapshotError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 1, 31, tzinfo=UTC)


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


@pytest.mark.parametrize("can_link", [True, False], ids=["linked", "copied, without links"])
def test_stored_snapshot_comes_back_and_outlives_its_source(
    store: SnapshotStore, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, can_link: bool
) -> None:
    if not can_link:
        monkeypatch.setattr(os, "link", no_links)
    name = store.put("gl", source, NOW)
    source.unlink()

    store.fetch("gl", name, tmp_path / "fetched")

    assert (tmp_path / "fetched").read_bytes() == b"snapshot"
    assert [path.stat().st_mode & 0o777 for path in kept(tmp_path)] == [0o600]


@pytest.mark.parametrize("is_there", [False, True], ids=["linked", "copied, over a file"])
def test_fetched_snapshot_outlives_its_removal_from_the_store(
    store: SnapshotStore, source: Path, tmp_path: Path, *, is_there: bool
) -> None:
    name = store.put("gl", source, NOW)
    if is_there:
        (tmp_path / "fetched").write_bytes(b"something else")

    store.fetch("gl", name, tmp_path / "fetched")
    store.remove("gl", name)

    assert (tmp_path / "fetched").read_bytes() == b"snapshot"
    assert kept(tmp_path) == []


def test_replaced_snapshot_is_refused(store: SnapshotStore, source: Path, tmp_path: Path) -> None:
    name = store.put("gl", source, NOW)
    (path,) = kept(tmp_path)
    path.unlink()
    path.write_bytes(b"replaced")

    with pytest.raises(SnapshotError, match="it is truncated or was replaced"):
        store.fetch("gl", name, tmp_path / "fetched")


def test_folder_that_cannot_be_listed_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "gl").write_text("not a folder")

    with pytest.raises(StoreError, match=r"gl: snapshot_uri: cannot list .*store: .*Not a directory"):
        SnapshotStore(str(tmp_path / "store")).names("gl")


@pytest.mark.parametrize("below", ["./store", "other/../store", "store/", "store//", "a b[x]*?", "é💙", "link"])
def test_address_may_be_written_in_any_form(source: Path, tmp_path: Path, below: str) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "other")
    store = SnapshotStore(f"{tmp_path}/{below}")

    name = store.put("gl", source, NOW)

    assert store.names("gl") == [name]
    assert [(entry.stream, entry.name, entry.size_bytes) for entry in store.entries()] == [("gl", name, 8)]


def test_file_that_only_looks_like_a_snapshot_is_ignored(store: SnapshotStore, source: Path, tmp_path: Path) -> None:
    (tmp_path / "store" / "gl").mkdir(parents=True)
    (tmp_path / "store" / "gl" / f"20269999T999999999999Z-{'0' * 32}.parquet").write_text("")

    name = store.put("gl", source, NOW)

    assert store.names("gl") == [name]


def test_links_that_form_circles_are_ignored(store: SnapshotStore, source: Path, tmp_path: Path) -> None:
    name = store.put("gl", source, NOW)
    (tmp_path / "store" / "gl" / "loop").symlink_to(tmp_path / "store" / "gl")
    (tmp_path / "store" / "gl" / "self").symlink_to(tmp_path / "store" / "gl" / "self")

    assert store.names("gl") == [name]
    assert [entry.name for entry in store.entries()] == [name]


def test_missing_snapshot_is_named(store: SnapshotStore, tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match=r"gl/20260131T000000000000Z-0+\.parquet does not exist$"):
        store.fetch("gl", "20260131T000000000000Z-" + "0" * 32, tmp_path / "fetched")


# What lies in a store and is no snapshot

NAME = "20260131T000000000000Z-" + "0" * 32


@pytest.mark.parametrize("can_link", [True, False], ids=["linked", "copied"])
@pytest.mark.parametrize("kind", ["named pipe", "directory", "link to a device", "link to itself"])
def test_entry_that_is_no_file_is_neither_listed_nor_read(
    store: SnapshotStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, *, can_link: bool
) -> None:
    if not can_link:
        monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "store" / "gl" / f"{NAME}.parquet"
    path.parent.mkdir(parents=True)
    match kind:
        case "named pipe":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case "link to itself":
            path.symlink_to(path)
        case _:
            path.symlink_to(os.devnull)

    with pytest.raises(SnapshotError, match=rf"{NAME}\.parquet is not a file$"):
        store.fetch("gl", NAME, tmp_path / "fetched")

    assert store.names("gl") == []
    assert list(store.entries()) == []


@pytest.mark.parametrize("stream", ["../../esc", "/etc", "..", "a/b", "a\0b", "x" * 151, "\ud800"])
def test_stream_that_cannot_name_a_folder_is_refused(store: SnapshotStore, source: Path, stream: str) -> None:
    for act in (
        lambda: store.put(stream, source, NOW),
        lambda: store.fetch(stream, NAME, source),
        lambda: store.remove(stream, NAME),
        lambda: store.names(stream),
    ):
        with pytest.raises(StoreError, match="snapshot_uri: files are named after the stream, and its name cannot be"):
            act()

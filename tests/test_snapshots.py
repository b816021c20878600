"""A store of snapshots gives back what was put there, or says why not."""

from __future__ import annotations

from datetime import UTC, datetime
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


def kept(tmp_path: Path) -> list[Path]:
    """Return all files of the store."""
    return [path for path in (tmp_path / "store").rglob("*") if path.is_file()]


@pytest.mark.parametrize("times", [1, 2], ids=["linked", "copied, for the name is taken"])
def test_what_is_put_there_comes_back_and_outlives_its_source(
    store: SnapshotStore, source: Path, tmp_path: Path, times: int
) -> None:
    (name,) = {store.put("gl", source, NOW) for _ in range(times)}
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

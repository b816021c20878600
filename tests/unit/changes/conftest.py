"""A store of snapshots on this disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_pigment.changes import SnapshotStore

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(str(tmp_path / "store"))

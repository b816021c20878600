"""Snapshots on disk: their description, and files that are none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import duckdb
import pytest

from tap_pigment.changes import Lineage, RecordSpec
from tap_pigment.changes.snapshot_file import Snapshot, read_snapshot, write_snapshot
from tap_pigment.columns import RowKey
from tap_pigment.errors import SnapshotError
from tests.support.export_files import COLUMNS, duckdb_session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_pigment.exports import StreamDatabase

SPEC = RecordSpec.of(COLUMNS, RowKey(("a",)), {})
LINEAGE = Lineage("S0", ("A", "B"), ("B",))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[StreamDatabase]:
    with duckdb_session(tmp_path) as session, session.for_stream("plan", memory_bytes=64 << 20) as stream_database:
        yield stream_database


def test_snapshot_is_read_as_it_was_written(tmp_path: Path, database: StreamDatabase) -> None:
    snapshot = Snapshot(tmp_path / "it's [one].parquet", SPEC, 2, LINEAGE)

    write_snapshot(database, snapshot, "(SELECT 'x' AS key_0 UNION ALL SELECT 'y')")

    assert read_snapshot(database, snapshot.path) == snapshot
    assert sorted(database.rows(f"FROM {snapshot.relation}")) == [("x",), ("y",)]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no snapshot at all" * 10], ids=["empty", "truncated", "foreign"])
def test_file_that_is_no_parquet_is_refused(tmp_path: Path, database: StreamDatabase, content: bytes) -> None:
    (tmp_path / "foreign.parquet").write_bytes(content)

    with pytest.raises(SnapshotError, match="its description is missing or damaged"):
        read_snapshot(database, tmp_path / "foreign.parquet")


@pytest.mark.parametrize(
    "description",
    [
        pytest.param(None, id="none"),
        pytest.param("no JSON", id="no JSON"),
        pytest.param("[]", id="another type"),
        pytest.param('{"format": 4}', id="nothing but the format"),
        pytest.param('{"format": 4, "spec": {}, "rows": 1, "lineage": {}}', id="an empty spec"),
    ],
)
def test_parquet_file_without_a_description_is_refused(
    tmp_path: Path, database: StreamDatabase, description: str | None
) -> None:
    path = tmp_path / "foreign.parquet"
    metadata = "" if description is None else f", KV_METADATA {{tap_pigment: '{description}'}}"
    duckdb.execute(f"COPY (SELECT 1 AS a) TO '{path}' (FORMAT parquet{metadata})")

    with pytest.raises(SnapshotError, match="its description is missing or damaged"):
        read_snapshot(database, path)


def test_snapshot_of_another_format_is_refused(tmp_path: Path, database: StreamDatabase) -> None:
    path = tmp_path / "newer.parquet"
    description = json.dumps({"format": 99})
    duckdb.execute(f"COPY (SELECT 1 AS a) TO '{path}' (FORMAT parquet, KV_METADATA {{tap_pigment: '{description}'}})")

    with pytest.raises(SnapshotError, match="its format, 99, is not known to this version of the tap"):
        read_snapshot(database, path)

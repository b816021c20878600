"""Snapshots on disk: their description, and files that are none."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

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
FIRST, SECOND, THIRD = (f"2026013{day}T000000000000Z-{'0' * 32}" for day in (0, 1, 1))
LINEAGE = Lineage(FIRST, (SECOND, THIRD), (THIRD,))
ROWS = "(SELECT uuid() AS fingerprint, unnest(['x', 'y']) AS key_0)"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[StreamDatabase]:
    with duckdb_session(tmp_path) as session, session.for_stream("plan", memory_bytes=64 << 20) as stream_database:
        yield stream_database


def test_snapshot_is_read_as_it_was_written(tmp_path: Path, database: StreamDatabase) -> None:
    snapshot = Snapshot(tmp_path / "it's [one].parquet", SPEC, 2, LINEAGE)

    write_snapshot(database, snapshot, ROWS)

    assert snapshot.path.exists()
    assert read_snapshot(database, snapshot.path) == snapshot
    assert sorted(key for _, key in database.rows(f"FROM {snapshot.relation}")) == ["x", "y"]


def test_snapshot_of_an_empty_export_is_read(tmp_path: Path, database: StreamDatabase) -> None:
    snapshot = Snapshot(tmp_path / "empty.parquet", SPEC, 0, LINEAGE)

    write_snapshot(database, snapshot, f"(FROM {ROWS} WHERE false)")

    assert read_snapshot(database, snapshot.path) == snapshot


def test_cells_of_a_key_that_repeat_take_little_room(tmp_path: Path, database: StreamDatabase) -> None:
    snapshot = Snapshot(tmp_path / "repeating.parquet", SPEC, 10_000, LINEAGE)
    accounts = "concat('Department of accounts payable ', unnest(range(10_000)) % 40)"

    write_snapshot(database, snapshot, f"(SELECT uuid() AS fingerprint, {accounts} AS key_0)")

    assert snapshot.path.stat().st_size < 18 * 10_000


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


DESCRIBED = {"format": 4, "spec": SPEC.to_json(), "rows": 2, "lineage": {"base": None, "compared": [], "retired": []}}


def planted(path: Path, rows: str, described: str) -> None:
    """Write a file that somebody else might put into the store."""
    metadata = f"KV_METADATA {{tap_pigment: '{described}'}}"
    duckdb.execute(f"COPY (FROM {rows}) TO '{path}' (FORMAT parquet, {metadata})")


def test_planted_snapshot_that_keeps_to_the_form_is_read(tmp_path: Path, database: StreamDatabase) -> None:
    planted(tmp_path / "x.parquet", ROWS, json.dumps(DESCRIBED))

    assert read_snapshot(database, tmp_path / "x.parquet").rows == 2


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param("(SELECT uuid() AS fingerprint, unnest([['x'], ['y']]) AS key_0)", id="nested key"),
        pytest.param("(SELECT uuid() AS fingerprint, unnest(['x', 'y']) AS key_0, 1 AS origin)", id="another column"),
        pytest.param("(SELECT unnest(['x', 'y']) AS key_0)", id="no fingerprint"),
        pytest.param("(SELECT 'f' AS fingerprint, unnest(['x', 'y']) AS key_0)", id="another type"),
        pytest.param("(SELECT uuid() AS fingerprint, unnest(['x', NULL]) AS key_0)", id="a key that is null"),
        pytest.param("(SELECT uuid() AS fingerprint, unnest(['x', 'y', 'z']) AS key_0)", id="more rows"),
    ],
)
def test_snapshot_with_other_rows_than_it_announces_is_refused(
    tmp_path: Path, database: StreamDatabase, rows: str
) -> None:
    planted(tmp_path / "x.parquet", rows, json.dumps(DESCRIBED))

    with pytest.raises(SnapshotError, match="its rows are damaged: they are not what its description announces"):
        read_snapshot(database, tmp_path / "x.parquet")


@pytest.mark.parametrize(
    "described",
    [
        pytest.param({"rows": -2}, id="negative count"),
        pytest.param({"rows": "2"}, id="a count in quotes"),
        pytest.param({"rows": True}, id="a count that is a flag"),
        pytest.param({"lineage": {"base": "../../victim/x", "compared": [], "retired": []}}, id="a path as base"),
        pytest.param({"lineage": {"base": None, "compared": [], "retired": ["../x"]}}, id="a path to retire"),
        pytest.param({"lineage": {"base": None, "compared": FIRST, "retired": []}}, id="a text for a list"),
        pytest.param({"lineage": {"base": 7, "compared": [], "retired": []}}, id="a number as base"),
        pytest.param({"lineage": []}, id="a list as lineage"),
        pytest.param({"spec": {**SPEC.to_json(), "columns": [["a"]]}}, id="a column without a type"),
    ],
)
def test_description_of_another_form_is_refused(
    tmp_path: Path, database: StreamDatabase, described: dict[str, Any]
) -> None:
    planted(tmp_path / "x.parquet", ROWS, json.dumps(DESCRIBED | described))

    with pytest.raises(SnapshotError, match="its description is missing or damaged"):
        read_snapshot(database, tmp_path / "x.parquet")


@pytest.mark.parametrize(
    "described",
    [pytest.param("[" * 100_000, id="deeply nested"), pytest.param("x" * (40 << 20), id="longer than any")],
)
def test_description_that_would_take_much_memory_is_refused(
    tmp_path: Path, database: StreamDatabase, described: str
) -> None:
    planted(tmp_path / "x.parquet", ROWS, described)

    with pytest.raises(SnapshotError, match="its description is missing or damaged"):
        read_snapshot(database, tmp_path / "x.parquet")


def test_snapshot_with_changed_bytes_leaves_the_database_usable(tmp_path: Path, database: StreamDatabase) -> None:
    fixed = "(SELECT CAST('00000000-0000-4000-8000-00000000000' || i AS UUID) AS fingerprint, 'k' || i AS key_0"
    planted(tmp_path / "x.parquet", f"{fixed} FROM range(2) numbers(i))", json.dumps(DESCRIBED))
    content = (tmp_path / "x.parquet").read_bytes()

    # One of these changes makes DuckDB 2.0.0 give up the whole database that reads the file.
    for place in range(90, 140):
        (tmp_path / "x.parquet").write_bytes(content[:place] + b"\x7f" + content[place + 1 :])
        with suppress(SnapshotError):
            assert read_snapshot(database, tmp_path / "x.parquet").rows == 2

    assert database.row("SELECT 1") == (1,)

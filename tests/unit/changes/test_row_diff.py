"""The rows emitted of a changed export, applied to the table of earlier ones, give the export."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_pigment.columns import RowKey
from tap_pigment.errors import KeysNotUniqueError
from tests.support.export_files import duckdb_session
from tests.support.planned_runs import PlannedRuns, Record, Rows, planned_runs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tap_pigment.changes import Bookmark

Table = dict[tuple[Any, ...], Record]

KEYED = RowKey(("a",))
KEYLESS = RowKey()
TEXTS = st.sampled_from(["", "a", "b", "ab", "1", "é😀", 'x"y', "a;b", "a\nb"])
KEYED_ROWS = st.dictionaries(TEXTS, TEXTS, max_size=6).map(lambda cells: [[key, cell] for key, cell in cells.items()])
# Few enough to repeat.
KEYLESS_ROWS = st.lists(st.sampled_from([["", ""], ["a", ""], ["", "a"], ['x"y', "a\nb"]]), max_size=8)
KINDS = pytest.mark.parametrize(
    ("key", "rows"), [(KEYED, KEYED_ROWS), (KEYLESS, KEYLESS_ROWS)], ids=["keyed", "keyless"]
)


def applied(table: Table, records: Sequence[Record], key: RowKey) -> Table:
    """Return a table into which a target merged records by their key, and from which it deleted marked rows."""
    merged = dict(table)
    for record in records:
        assert set(record) == {"a", "b", *key.added_columns, "_sdc_deleted_at"}
        identity = tuple(record[name] for name in key.primary_key)
        if record["_sdc_deleted_at"]:
            assert all(
                cell is None for name, cell in record.items() if name not in {*key.primary_key, "_sdc_deleted_at"}
            )
            merged.pop(identity, None)
        else:
            merged[identity] = record
    return merged


def live(records: Sequence[Record]) -> list[Record]:
    """Return the records that are not of deleted rows."""
    return [record for record in records if not record["_sdc_deleted_at"]]


@KINDS
def test_emitted_rows_make_the_table_equal_to_the_export(
    tmp_path_factory: pytest.TempPathFactory, key: RowKey, rows: st.SearchStrategy[Rows]
) -> None:
    @given(versions=st.lists(rows, min_size=3, max_size=3))
    @settings(max_examples=12, deadline=None)
    def law(versions: list[Rows]) -> None:
        folder = tmp_path_factory.mktemp("law")
        runs, full = PlannedRuns(folder / "runs", key, session), PlannedRuns(folder / "full", key, session)
        table: Table = {}
        bookmark: Bookmark | None = None
        for version in versions:
            records, bookmark = runs.run(version, bookmark)
            deleted = {tuple(r[name] for name in key.primary_key) for r in records if r["_sdc_deleted_at"]}
            assert deleted <= table.keys()
            table = applied(table, records, key)
            assert sorted([record["a"] or "", record["b"] or ""] for record in table.values()) == sorted(version)
        all_records, full_bookmark = full.run(versions[-1])
        assert table == applied({}, all_records, key)
        assert bookmark
        assert runs.snapshot_rows(bookmark) == full.snapshot_rows(full_bookmark)

    with duckdb_session(tmp_path_factory.mktemp("session")) as session:
        law()


@KINDS
def test_any_part_of_failed_runs_is_repaired_by_the_next_run(
    tmp_path_factory: pytest.TempPathFactory, key: RowKey, rows: st.SearchStrategy[Rows]
) -> None:
    @given(data=st.data(), versions=st.lists(rows, min_size=3, max_size=4))
    @settings(max_examples=12, deadline=None)
    def law(data: st.DataObject, versions: list[Rows]) -> None:
        folder = tmp_path_factory.mktemp("law")
        runs, full = PlannedRuns(folder / "runs", key, session), PlannedRuns(folder / "full", key, session)
        records, bookmark = runs.run(versions[0])
        table = applied({}, records, key)
        for version in versions[1:-1]:
            records, _lost = runs.run(version, bookmark)
            loaded = data.draw(st.lists(st.sampled_from(records), unique_by=id)) if records else []
            table = applied(table, loaded, key)

        records, _ = runs.run(versions[-1], bookmark)

        assert applied(table, records, key) == applied({}, full.run(versions[-1])[0], key)

    with duckdb_session(tmp_path_factory.mktemp("session")) as session:
        law()


@KINDS
def test_unchanged_rows_in_any_order_and_quoting_emit_nothing(
    tmp_path_factory: pytest.TempPathFactory, key: RowKey, rows: st.SearchStrategy[Rows]
) -> None:
    @given(data=st.data(), version=rows)
    @settings(max_examples=10, deadline=None)
    def law(data: st.DataObject, version: Rows) -> None:
        runs = PlannedRuns(tmp_path_factory.mktemp("law"), key, session)
        _, bookmark = runs.run(version)

        records, after = runs.run(data.draw(st.permutations(version)), bookmark, quoting=csv.QUOTE_ALL)

        assert records == []
        assert after.snapshot == bookmark.snapshot

    with duckdb_session(tmp_path_factory.mktemp("session")) as session:
        law()


def test_only_changed_rows_are_emitted(tmp_path: Path) -> None:
    with planned_runs(tmp_path, KEYED) as runs:
        _, bookmark = runs.run([["1", "a"], ["2", "b"], ["3", "c"]])

        records, _ = runs.run([["1", "a"], ["2", "B"], ["4", "d"]], bookmark)

    assert [(record["a"], record["b"]) for record in live(records)] == [("2", "B"), ("4", "d")]
    assert [record["a"] for record in records if record["_sdc_deleted_at"]] == ["3"]


def test_one_more_copy_of_a_row_without_a_key_is_one_record(tmp_path: Path) -> None:
    with planned_runs(tmp_path, KEYLESS) as runs:
        _, bookmark = runs.run([["x", "y"], ["x", "y"]])

        records, bookmark = runs.run([["x", "y"]] * 3, bookmark)
        fewer, _ = runs.run([["x", "y"]], bookmark)

    assert [(record["occurrence"], record["_sdc_deleted_at"]) for record in records] == [(3, None)]
    assert sorted(record["occurrence"] for record in fewer) == [2, 3]
    assert all(record["_sdc_deleted_at"] for record in fewer)


@pytest.mark.parametrize(
    "rows",
    [[["1", "a"], ["2", "b"], ["1", "c"]], [["1", "a"], ["2", "b"], ["2", "b"]], [["1", "a"], ["3", "c"], ["3", "d"]]],
    ids=["with an unchanged one", "both unchanged", "both new"],
)
def test_rows_that_come_to_share_a_key_are_an_error(tmp_path: Path, rows: Rows) -> None:
    with planned_runs(tmp_path, KEYED) as runs:
        _, bookmark = runs.run([["1", "a"], ["2", "b"]])

        with pytest.raises(KeysNotUniqueError, match=r"plan: 2 of 3 rows share a key \(a\)"):
            runs.run(rows, bookmark)


def test_fingerprints_are_the_documented_hashes(tmp_path: Path) -> None:
    with planned_runs(tmp_path / "keyed", KEYED) as runs:
        _, bookmark = runs.run([["1", ""]])
        [(fingerprint, key)] = runs.snapshot_rows(bookmark)
    with planned_runs(tmp_path / "keyless", KEYLESS) as runs:
        _, bookmark = runs.run([["1", ""], ["1", ""]])
        hashes = runs.snapshot_rows(bookmark)

    # md5 and sha256 of `1:a,1:1,1:b,-`.
    assert (fingerprint.hex, key) == ("051869b635d3004e1d158a6e8f40f972", "1")
    assert [(content_hash.hex(), occurrence) for content_hash, occurrence in hashes] == [
        ("1bf74c00f1ba600133f649c8f6a1cdcd9cf145d2478d742fa6af7d9a583845f6", 1),
        ("1bf74c00f1ba600133f649c8f6a1cdcd9cf145d2478d742fa6af7d9a583845f6", 2),
    ]

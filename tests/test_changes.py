"""What is sent of a changed export, applied to the table that the last one has made, gives the export."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_pigment.changes import Changes
from tap_pigment.columns import KEYLESS
from tap_pigment.deletions import Deletions
from tap_pigment.digest import digest
from tap_pigment.errors import KeysNotUniqueError, SnapshotError
from tap_pigment.former import Snapshot, read_snapshot
from tap_pigment.makeup import Makeup, digest_of
from tap_pigment.outlet import Outlet
from tap_pigment.picking import DEFAULT_LIMITS, Limits
from tap_pigment.sql import fingerprints
from tests.exports import COLUMNS, export_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tap_pigment.difference import Difference
    from tap_pigment.export import Export

Rows = list[list[str]]
Table = dict[tuple[Any, ...], dict[str, Any]]

MESSAGE = ('{"type":"RECORD","stream":"s","record":', "}")
NOW = datetime(2026, 1, 31, tzinfo=UTC).isoformat()
TEXTS = st.sampled_from(["", "a", "b", "ab", "1", "é😀", 'x"y', "a;b", "a\nb"])
KEYED_ROWS = st.dictionaries(TEXTS, TEXTS, max_size=6).map(lambda cells: [[key, cell] for key, cell in cells.items()])
# Few enough to repeat.
KEYLESS_ROWS = st.lists(st.sampled_from([["", ""], ["a", ""], ["", "a"], ['x"y', "a\nb"]]), max_size=8)

# Whatever there is room for, the same comes of it.
LIMITS = st.sampled_from(
    [
        DEFAULT_LIMITS,
        Limits(picked=0, changed=8, compared=8),
        Limits(picked=1, changed=2, compared=2),
        Limits(picked=1, changed=0, compared=1),
    ]
)


class Night:
    """A run: what it sends, and the snapshot that it leaves."""

    def __init__(
        self,
        folder: Path,
        rows: Rows,
        key: tuple[str, ...],
        *before: Path,
        quoted: Iterable[bool] = (),
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        folder.mkdir()
        self.snapshot = folder / "snapshot.parquet"
        # As on arrival: where there is a snapshot, only lines are counted.
        with export_of(folder, ["a", "b"], rows, quoted=quoted, counts_cells=not before) as export:
            makeup = Makeup.of(COLUMNS, key, {})
            formers = [read_snapshot(export.engine, path) for path in before]
            changes = Changes(export, COLUMNS, key, makeup, formers, is_all=True, limits=limits)
            changes.check()
            difference = changes.difference()
            self.sent = sent(export, difference, key)
            changes.write(self.snapshot, previous=None)
            self.digest = digest(export, COLUMNS, makeup)
            self.fingerprints = changes.fingerprints
            self.why_all = changes.why_all
            self.is_empty = difference.is_empty


def sent(export: Export, difference: Difference, key: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the records that leave, after a look that both ways out give the same."""
    records: list[dict[str, Any]] = []
    outlet = Outlet(export, COLUMNS, key, selection=difference.changed, tells_deletions=True)
    deletions = Deletions(export.engine, difference.gone, COLUMNS, key, NOW)
    if difference.changed is None or difference.changed.rows:
        lines = b"".join(block for block, _ in outlet.record_blocks(*MESSAGE))
        records = [json.loads(line)["record"] for line in lines.decode().split("\n")[:-1]]
        assert sorted(map(str, outlet.records())) == sorted(map(str, records))
    if not difference.gone.rows:
        return records
    lines = b"".join(block for block, _ in deletions.record_blocks(*MESSAGE))
    gone = [json.loads(line)["record"] for line in lines.decode().split("\n")[:-1]]
    filled = [{name: cell for name, cell in row.items() if cell is not None} for row in deletions.records()]
    assert sorted(map(str, filled)) == sorted(map(str, gone))
    return records + gone


def applied(table: Table, records: list[dict[str, Any]], key: tuple[str, ...]) -> Table:
    """Return a table into which a target has merged records by their key, and deleted what is marked."""
    merged = dict(table)
    for record in records:
        identity = tuple(record[name] for name in key)
        if record["_sdc_deleted_at"]:
            assert set(record) == {*key, "_sdc_deleted_at"}
            merged.pop(identity, None)  # After a night that failed it may not be there.
        else:
            merged[identity] = record
    return merged


@dataclass(frozen=True)
class Whole:
    """What a full send gives: the table, and the snapshot."""

    table: Table
    snapshot: Path


class Wholes:
    """Full sends, each made once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[str, Whole] = {}

    def of(self, rows: Rows, key: tuple[str, ...]) -> Whole:
        """Return what a full send of these rows gives."""
        name = json.dumps([rows, key])
        if name not in self._made:
            night = Night(self._folder / f"{len(self._made)}", rows, key)
            self._made[name] = Whole(applied({}, night.sent, key), night.snapshot)
        return self._made[name]


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> Wholes:
    """Return full sends, for comparison."""
    return Wholes(tmp_path_factory.mktemp("wholes"))


def rows_of(snapshot: Path) -> list[tuple[Any, ...]]:
    """Return the rows of a snapshot."""
    with duckdb.connect() as connection:
        return connection.execute("SELECT * FROM read_parquet(?) ORDER BY ALL", [str(snapshot)]).fetchall()


@pytest.mark.parametrize(("key", "rows"), [(("a",), KEYED_ROWS), (KEYLESS, KEYLESS_ROWS)], ids=["keyed", "keyless"])
def test_what_is_sent_makes_of_the_former_table_the_present_one(
    tmp_path_factory: pytest.TempPathFactory, wholes: Wholes, key: tuple[str, ...], rows: st.SearchStrategy[Rows]
) -> None:
    @given(first=rows, second=rows, third=rows, limits=LIMITS)
    @settings(max_examples=40, deadline=None)
    def law(first: Rows, second: Rows, third: Rows, limits: Limits) -> None:
        folder = tmp_path_factory.mktemp("law")
        table: Table = {}
        snapshots: list[Path] = []
        for number, version in enumerate([first, second, third]):
            night = Night(folder / f"{number}", version, key, *snapshots[-1:], limits=limits)
            gone = [record for record in night.sent if record["_sdc_deleted_at"]]
            assert {tuple(record[name] for name in key) for record in gone} <= table.keys()
            table = applied(table, night.sent, key)
            snapshots.append(night.snapshot)
            whole = wholes.of(version, key)
            assert table == whole.table
            assert rows_of(night.snapshot) == rows_of(whole.snapshot)

    law()


@pytest.mark.parametrize(("key", "rows"), [(("a",), KEYED_ROWS), (KEYLESS, KEYLESS_ROWS)], ids=["keyed", "keyless"])
def test_whatever_part_of_nights_that_failed_has_arrived_the_next_makes_the_table_the_present_one(
    tmp_path_factory: pytest.TempPathFactory, wholes: Wholes, key: tuple[str, ...], rows: st.SearchStrategy[Rows]
) -> None:
    @given(data=st.data(), versions=st.lists(rows, min_size=3, max_size=4), limits=LIMITS)
    @settings(max_examples=40, deadline=None)
    def law(data: st.DataObject, versions: list[Rows], limits: Limits) -> None:
        folder = tmp_path_factory.mktemp("law")
        table = wholes.of(versions[0], key).table
        snapshots = [wholes.of(versions[0], key).snapshot]
        for number, version in enumerate(versions[1:-1]):
            night = Night(folder / f"{number}", version, key, *snapshots, limits=limits)
            arrived = data.draw(st.lists(st.sampled_from(night.sent), unique_by=id)) if night.sent else []
            table = applied(table, arrived, key)
            snapshots.append(night.snapshot)

        last = Night(folder / "last", versions[-1], key, *snapshots, limits=limits)

        table = applied(table, last.sent, key)
        whole = wholes.of(versions[-1], key)
        assert table == whole.table
        assert rows_of(last.snapshot) == rows_of(whole.snapshot)

    law()


@pytest.mark.parametrize(("key", "rows"), [(("a",), KEYED_ROWS), (KEYLESS, KEYLESS_ROWS)], ids=["keyed", "keyless"])
def test_no_change_is_no_record_in_whatever_order_the_rows_come(
    tmp_path_factory: pytest.TempPathFactory, key: tuple[str, ...], rows: st.SearchStrategy[Rows]
) -> None:
    @given(data=st.data(), first=rows)
    @settings(max_examples=30, deadline=None)
    def law(data: st.DataObject, first: Rows) -> None:
        folder = tmp_path_factory.mktemp("law")
        before = Night(folder / "before", first, key)

        after = Night(folder / "after", data.draw(st.permutations(first)), key, before.snapshot)

        assert (after.sent, after.is_empty) == ([], True)
        assert after.digest == before.digest

    law()


@pytest.mark.parametrize(("key", "rows"), [(("a",), KEYED_ROWS), (KEYLESS, KEYLESS_ROWS)], ids=["keyed", "keyless"])
def test_cells_that_are_quoted_otherwise_are_no_change(
    tmp_path_factory: pytest.TempPathFactory, wholes: Wholes, key: tuple[str, ...], rows: st.SearchStrategy[Rows]
) -> None:
    quoted = st.lists(st.booleans(), max_size=8)

    @given(first=rows, second=rows, quotings=st.tuples(quoted, quoted, quoted))
    @settings(max_examples=30, deadline=None)
    def law(first: Rows, second: Rows, quotings: tuple[list[bool], ...]) -> None:
        folder = tmp_path_factory.mktemp("law")
        before = Night(folder / "before", first, key, quoted=quotings[0])
        again = Night(folder / "again", first, key, before.snapshot, quoted=quotings[1])
        after = Night(folder / "after", second, key, again.snapshot, quoted=quotings[2])

        former = applied({}, before.sent, key)
        table = applied(former, after.sent, key)
        live = [record for record in after.sent if not record["_sdc_deleted_at"]]
        assert again.sent == []
        assert table == wholes.of(second, key).table
        assert len(live) == len([identity for identity, row in table.items() if former.get(identity) != row])

    law()


@pytest.mark.parametrize("rows", [[["1", "a"]], [["1", "a\nb"]]], ids=["lines", "cells"])
def test_fingerprints_are_of_lines_where_every_row_is_one(tmp_path: Path, rows: Rows) -> None:
    night = Night(tmp_path / "night", rows, ("a",))

    made = "cells" if "\n" in rows[0][1] else f"lines {digest_of(['a', 'b'])}"
    assert night.fingerprints == f"{duckdb.__version__} {made}"


@pytest.mark.parametrize(
    "rows",
    [[["1", "a"], ["2", "b"], ["1", "c"]], [["1", "a"], ["2", "b"], ["2", "b"]], [["1", "a"], ["3", "c"], ["3", "d"]]],
    ids=["with one that is as it was", "both as they were", "both new"],
)
@pytest.mark.parametrize("end", ["", "\n"], ids=["lines", "cells"])
def test_rows_that_come_to_share_a_key_are_refused(tmp_path: Path, rows: Rows, end: str) -> None:
    versions = [[[key, cell + end] for key, cell in version] for version in ([["1", "a"], ["2", "b"]], rows)]
    before = Night(tmp_path / "before", versions[0], ("a",))

    with pytest.raises(KeysNotUniqueError, match=r"2 of 3 rows share a key \(a\)"):
        Night(tmp_path / "after", versions[1], ("a",), before.snapshot)


@given(first=KEYLESS_ROWS, second=KEYLESS_ROWS)
@settings(max_examples=40, deadline=None)
def test_the_digest_is_the_same_for_the_same_rows_and_for_no_others(
    tmp_path_factory: pytest.TempPathFactory, first: Rows, second: Rows
) -> None:
    folder = tmp_path_factory.mktemp("law")

    digests = [Night(folder / name, rows, KEYLESS).digest for name, rows in (("1", first), ("2", second))]

    assert (digests[0] == digests[1]) is (sorted(first) == sorted(second))


def test_identical_rows_do_not_cancel_each_other_out(tmp_path: Path) -> None:
    rows = [[["a", "b"]] * copies for copies in (0, 1, 2, 3, 4)]

    digests = {Night(tmp_path / str(len(copies)), copies, KEYLESS).digest for copies in rows}

    assert len(digests) == 5


@pytest.mark.parametrize("key", [("a",), KEYLESS], ids=["keyed", "keyless"])
def test_fingerprints_of_another_duckdb_are_not_believed(tmp_path: Path, wholes: Wholes, key: tuple[str, ...]) -> None:
    first = [["1", "a"], ["2", "b"], ["3", "c"]]
    second = [["1", "a"], ["2", "B"], ["4", "d"]]
    before = Night(tmp_path / "before", first, key)
    described_anew(before.snapshot, tmp_path / "older.parquet", fingerprints="0.0.1 cells")

    after = Night(tmp_path / "after", second, key, tmp_path / "older.parquet")

    whole = wholes.of(second, key)
    assert applied(wholes.of(first, key).table, after.sent, key) == whole.table
    assert sorted(record["a"] for record in after.sent if not record["_sdc_deleted_at"]) == ["2", "4"]
    assert rows_of(after.snapshot) == rows_of(whole.snapshot)


@pytest.mark.parametrize(
    ("second", "limits", "why"),
    [
        ([["1", "A"], ["2", "B"]], Limits(changed=1), "more than 1 have changed"),
        ([["1", "A"], ["2", "b"]], Limits(changed=1), None),
        ([["1", "a\nA"], ["2", "b"]], Limits(compared=1), "lines or columns have another form"),
        ([["1", "a\nA"], ["2", "b"]], Limits(compared=2), None),
    ],
)
def test_all_rows_are_sent_with_the_reason_where_there_is_no_room_to_tell_them_apart(
    tmp_path: Path, second: Rows, limits: Limits, why: str | None
) -> None:
    before = Night(tmp_path / "before", [["1", "a"], ["2", "b"]], ("a",))

    after = Night(tmp_path / "after", second, ("a",), before.snapshot, limits=limits)

    assert len(after.sent) == (2 if why else 1)
    assert (why or "") in (after.why_all or "")
    assert bool(why) is bool(after.why_all)


def test_the_fingerprints_of_one_column_are_two(tmp_path: Path) -> None:
    with export_of(tmp_path, ["a", "b"], [["x", "y"]]) as export:
        first, second = export.engine.values(f"SELECT {', '.join(fingerprints(COLUMNS[:1]))} FROM {export.table}")  # noqa: S608 - our names.

    assert first != second


def test_a_snapshot_of_another_format_is_refused(tmp_path: Path) -> None:
    night = Night(tmp_path / "night", [["1", "a"]], ("a",))
    described_anew(night.snapshot, tmp_path / "newer.parquet", format=99)

    with pytest.raises(SnapshotError, match="its format is 99"):
        Night(tmp_path / "next", [["1", "a"]], ("a",), tmp_path / "newer.parquet")


def described_anew(snapshot: Path, target: Path, **said: object) -> None:
    """Copy a snapshot with fingerprints that are wrong and another description."""
    with duckdb.connect() as connection:
        found = connection.execute("SELECT decode(value) FROM parquet_kv_metadata(?)", [str(snapshot)]).fetchone()
        assert found
        description = json.dumps(json.loads(found[0]) | said).replace("'", "''")
        wrong = f"SELECT * REPLACE (1 AS fingerprint_1, row_number() OVER () AS fingerprint_2) FROM '{snapshot}'"  # noqa: S608 - our names.
        metadata = f"KV_METADATA {{tap_pigment: '{description}'}}"
        connection.execute(f"COPY ({wrong}) TO '{target}' (FORMAT parquet, {metadata})")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not a snapshot at all" * 10])
def test_a_file_that_is_no_snapshot_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "foreign.parquet").write_bytes(content)
    refused = pytest.raises(SnapshotError, match="it has no description of ours")
    with export_of(tmp_path, ["a", "b"], []) as export, refused:
        read_snapshot(export.engine, tmp_path / "foreign.parquet")


def test_a_parquet_file_of_others_is_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.parquet"
    with export_of(tmp_path, ["a", "b"], []) as export:
        export.engine.execute(f"COPY (SELECT 1 AS a) TO '{foreign}' (FORMAT parquet)")

        with pytest.raises(SnapshotError, match="it has no description of ours"):
            read_snapshot(export.engine, foreign)


def test_a_snapshot_says_what_it_is_of(tmp_path: Path) -> None:
    night = Night(tmp_path / "night", [["1", "a"]], ("a",))
    with export_of(tmp_path, ["a", "b"], []) as export:
        snapshot = read_snapshot(export.engine, night.snapshot)

    makeup = Makeup((("a", "text", False), ("b", "text", True)), ("a",), Makeup.of([], [], {}).maps)
    assert snapshot == Snapshot(night.snapshot, makeup, snapshot.fingerprints, 1, None)

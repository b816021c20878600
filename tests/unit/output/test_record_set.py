"""Records of rows: selected columns, typed, with a documented hash and numbers of identical rows."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_pigment.columns import ColumnType, RowKey
from tap_pigment.errors import InvariantError
from tap_pigment.output import DeletedRows, RecordSet, RowSelection
from tests.support.export_files import (
    columns_of,
    csv_bytes,
    export_file,
    record_set,
    stream_database,
    validated_export,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from tap_pigment.exports import DuckDBSession

FEW = settings(max_examples=50, deadline=None)
CELL = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), max_size=8),
    st.text('";\n\r a1é🎉', max_size=6),
    st.sampled_from(["", "NULL", "007", "TRUE", "1E-05", "2024-02-29", " ", "\\", '"', "'", "\\N", "#"]),
)
# Names whose order by code points differs from other orders; none equals another without regard to case.
NAMES = ["b", "a", "É", "a_2", "Z", "🎉"]


def records(  # noqa: PLR0913 - an export, and the options of `record_set`.
    session: DuckDBSession,
    folder: Path,
    content: bytes,
    types: Mapping[str, ColumnType] | None = None,
    *,
    key: Sequence[str] = (),
    selected: Collection[str] | None = None,
) -> list[dict[str, Any]]:
    """Return the records of a body."""
    with record_set(session, export_file(folder, content), key=key, types=types, selected=selected) as rows:
        return list(rows.records())


def cells(found: Sequence[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """Return some fields of records."""
    return [tuple(record[name] for name in names) for record in found]


# Records


def test_a_blank_is_null_and_in_a_key_the_empty_text(session: DuckDBSession, tmp_path: Path) -> None:
    found = records(session, tmp_path, b'Code;Note\n;\nFR;""\n', key=("Code",))

    assert cells(found, "Code", "Note") == [("", None), ("FR", None)]


def test_a_keyed_record_has_its_columns_and_its_hash(session: DuckDBSession, tmp_path: Path) -> None:
    (record,) = records(session, tmp_path, b"Code;Note\nFR;x\n", key=("Code",))

    assert list(record) == ["Code", "Note", "contentHash"]


def test_a_keyless_record_has_its_number_too(session: DuckDBSession, tmp_path: Path) -> None:
    (record,) = records(session, tmp_path, b"Code;Note\nFR;x\n")

    assert list(record) == ["Code", "Note", "contentHash", "occurrence"]
    assert record["occurrence"] == 1


def test_a_record_is_not_deleted_where_deletions_are_marked(session: DuckDBSession, tmp_path: Path) -> None:
    file = export_file(tmp_path, b"Code;Note\nFR;x\n")
    columns, key = columns_of(file.header, key=("Code",)), RowKey(("Code",))

    with validated_export(session, file, columns, key) as export:
        (record,) = RecordSet(export.table, columns, key, marks_deletions=True).records()

    assert list(record) == ["Code", "Note", "contentHash", "_sdc_deleted_at"]
    assert record["_sdc_deleted_at"] is None


@pytest.mark.parametrize("content", [b"Code;Note\n", b"Code;Note"])
def test_a_header_alone_has_no_records(session: DuckDBSession, tmp_path: Path, content: bytes) -> None:
    assert records(session, tmp_path, content) == []


def test_rows_of_many_blocks_come_in_order(session: DuckDBSession, tmp_path: Path) -> None:
    body = b"n\n" + b"".join(b"%d\n" % number for number in range(10_000))

    found = records(session, tmp_path, body, {"n": ColumnType.INTEGER}, key=("n",))

    assert [record["n"] for record in found] == list(range(10_000))


def test_only_the_selected_columns_are_emitted_and_hashed(session: DuckDBSession, tmp_path: Path) -> None:
    selected = records(session, tmp_path, b"a;b;c\n1;2;3\n", key=("a",), selected={"a"})
    alone = records(session, tmp_path, b"a\n1\n", key=("a",))

    assert selected == alone


@FEW
@given(
    st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=6),
)
def test_records_have_the_cells_of_the_export(
    session: DuckDBSession, tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    table = [["number", "a", "b"], *[[str(number), *row] for number, row in enumerate(rows)]]

    found = records(session, tmp_path_factory.mktemp("table"), csv_bytes(table), key=("number",))

    assert cells(found, "number", "a", "b") == [
        (str(number), row[0] or None, row[1] or None) for number, row in enumerate(rows)
    ]


@pytest.mark.parametrize("key", [("a",), ()])
def test_a_selection_of_rows_is_emitted_in_order(session: DuckDBSession, tmp_path: Path, key: tuple[str, ...]) -> None:
    file = export_file(tmp_path, csv_bytes([["a"], *[[str(number)] for number in range(1_000)]]))
    columns, row_key = columns_of(file.header, key=key), RowKey(key)

    with validated_export(session, file, columns, row_key) as export:
        table = export.table.database.create_table("changed", "SELECT 999 AS row UNION ALL SELECT 7 UNION ALL SELECT 0")
        selection = RowSelection(table, 3)
        rows = RecordSet(export.table, columns, row_key, selection=selection)
        found = list(rows.records())

    assert rows.rows == 3
    assert [record["a"] for record in found] == ["0", "7", "999"]


@pytest.mark.parametrize(
    ("content", "key"), [(b'"a";"b"\r\n"1";"2"\r\n', ("a",)), (b'"a";"b"\r\n"1";"2"\r\n"3";"4"\r\n"5";"6"\r\n', ())]
)
def test_a_row_that_is_lost_or_added_on_the_way_is_a_bug(
    session: DuckDBSession, tmp_path: Path, content: bytes, key: tuple[str, ...]
) -> None:
    file = export_file(tmp_path, csv_bytes([["a", "b"], ["1", "2"], ["3", "4"]]))

    with record_set(session, file, key=key) as rows:
        file.path.write_bytes(content)
        with pytest.raises(InvariantError) as caught:
            list(rows.records())

    emitted = content.count(b"\n") - 1
    assert str(caught.value) == (f"plan: {emitted} of 2 rows were emitted. Please report this as a bug of tap-pigment.")


# Values


@pytest.mark.parametrize(
    ("text", "column_type", "expected"),
    [
        ("42", "number", 42),
        ("42", "integer", 42),
        ("-7", "number", -7),
        ("1.0", "number", 1.0),
        ("214875.99", "number", 214875.99),
        ("0.1", "number", 0.1),
        ("1E-05", "number", 0.00001),
        ("9007199254740993", "number", 9007199254740993),
        ("12345678901234567890", "integer", 12345678901234567890),
        ("TRUE", "boolean", True),
        ("FALSE", "boolean", False),
        ("2024-02-29", "date", "2024-02-29"),
        ("0001-01-01", "date", "0001-01-01"),
        ("007", "text", "007"),
        ("1E-05", "text", "1E-05"),
        ("", "number", None),
        ("", "integer", None),
        ("", "boolean", None),
        ("", "date", None),
        ("", "text", None),
    ],
)
def test_a_cell_becomes_a_value_of_its_type(
    session: DuckDBSession, tmp_path: Path, text: str, column_type: str, expected: object
) -> None:
    (record,) = records(session, tmp_path, csv_bytes([["a"], [text]]), {"a": ColumnType(column_type)})

    assert record["a"] == expected
    assert isinstance(record["a"], type(expected))
    assert isinstance(record["a"], bool) == isinstance(expected, bool)


@FEW
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_keep_every_digit_of_a_float(
    session: DuckDBSession, tmp_path_factory: pytest.TempPathFactory, numbers: list[float]
) -> None:
    table = [["row", "a"], *[[str(row), repr(number)] for row, number in enumerate(numbers)]]
    folder = tmp_path_factory.mktemp("numbers")

    found = records(session, folder, csv_bytes(table), {"a": ColumnType.NUMBER}, key=("row",))

    assert [record["a"] for record in found] == numbers
    assert [math.copysign(1, record["a"]) for record in found] == [math.copysign(1, number) for number in numbers]


# Identical rows


@FEW
@given(st.data(), st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=6))
def test_identical_rows_without_a_key_are_numbered(
    session: DuckDBSession, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, distinct: list[list[str]]
) -> None:
    rows = data.draw(st.lists(st.sampled_from(distinct), min_size=1, max_size=12))

    found = records(session, tmp_path_factory.mktemp("table"), csv_bytes([["a", "b"], *rows]))

    assert cells(found, "a", "b", "occurrence") == [
        (row[0] or None, row[1] or None, 1 + rows[:number].count(row)) for number, row in enumerate(rows)
    ]


def test_identical_rows_get_the_same_numbers_in_another_order(session: DuckDBSession, tmp_path: Path) -> None:
    first = records(session, tmp_path, b"a;b\nx;1\ny;2\nx;1\nz;3\ny;2\nx;1\n")
    second = records(session, tmp_path, b"a;b\nz;3\nx;1\nx;1\nx;1\ny;2\ny;2\n")

    keys = sorted(cells(first, "a", "occurrence"))
    assert keys == [("x", 1), ("x", 2), ("x", 3), ("y", 1), ("y", 2), ("z", 1)]
    assert sorted(cells(second, "contentHash", "occurrence")) == sorted(cells(first, "contentHash", "occurrence"))


def test_rows_that_differ_only_in_columns_not_selected_are_identical(session: DuckDBSession, tmp_path: Path) -> None:
    found = records(session, tmp_path, b"a;b\nx;1\nx;2\n", selected={"a"})

    assert cells(found, "a", "occurrence") == [("x", 1), ("x", 2)]


# Hashes, made with `printf '6:Amount,9:214875.99,7:Comment,-' | sha256sum` and the like


@pytest.mark.parametrize(
    ("table", "content_hash"),
    [
        pytest.param(
            [["Amount", "Comment"], ["214875.99", ""]],
            "85b3b9bbfe35ae1b81081329606d3d62e7def01abb0b1051e662076d02926af2",
            id="6:Amount,9:214875.99,7:Comment,-",
        ),
        pytest.param(
            [["Comment", "Amount"], ["", "214875.99"]],
            "85b3b9bbfe35ae1b81081329606d3d62e7def01abb0b1051e662076d02926af2",
            id="the columns the other way round",
        ),
        pytest.param(
            [["a"], ["1"]],
            "5451178dbc2d494bac221bc83f8ac911d1d75a1d2d385cb313dcabdb99012b41",
            id="1:a,1:1,",
        ),
        pytest.param(
            [["a"], [""]],
            "f37fe497c28aca05c554e58bb19b60e6a277e291f7f3cb8d027f704a63d6018b",
            id="1:a,-",
        ),
        pytest.param(
            [["a", "A"], ["2", "1"]],
            "3bb6ce942b096a86f6a986c519a41e644f8b2403732343dad5021b027405295a",
            id="1:A,1:1,1:a,1:2,",
        ),
        pytest.param(
            [["Été"], ["Éa€"]],
            "d2d6360d87761c20b34ce6cd9865a24c6329d49941a91635ecd9459f502ba648",
            id="5:Été,6:Éa€,",
        ),
        pytest.param(
            [["🎉", "z"], ["🎉🎉", "a;b"]],
            "5bb3bafe7750ca600dbfe0fa1a766dcc0b217e798584dcba88451e310690099f",
            id="1:z,3:a;b,4:🎉,8:🎉🎉,",
        ),
        pytest.param(
            [["a", "b"], ["1;2", "x\ny,"]],
            "e30780f08b079742402d2a453866d363cbfe81d61766330fef71c3f478f650ab",
            id="1:a,3:1;2,1:b,4:x(line feed)y,,",
        ),
        pytest.param(
            [["a", "b", "c"], ["007", "TRUE", "2024-02-29"]],
            "2d7b0d4702748fe315afbaa6445e66b40d97bc1f415ad53d66ae957d7178e05b",
            id="1:a,3:007,1:b,4:TRUE,1:c,10:2024-02-29,",
        ),
    ],
)
def test_the_hash_of_a_row_can_be_computed_with_sha256sum(
    session: DuckDBSession, tmp_path: Path, table: list[list[str]], content_hash: str
) -> None:
    (record,) = records(session, tmp_path, csv_bytes(table))
    (keyed,) = records(session, tmp_path, csv_bytes(table), key=table[0][:1])

    assert record["contentHash"] == content_hash
    assert keyed["contentHash"] == content_hash


def netstring(text: str) -> bytes:
    """Return a text as the documentation of `contentHash` describes it."""
    return b"%d:%s," % (len(text.encode()), text.encode())


@FEW
@given(
    st.lists(st.lists(CELL, min_size=6, max_size=6), min_size=1, max_size=5),
    st.sets(st.sampled_from(NAMES), min_size=1),
)
def test_the_hash_of_a_row_is_the_documented_one(
    session: DuckDBSession, tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], selected: set[str]
) -> None:
    table = [["number", *NAMES], *[[str(number), *row] for number, row in enumerate(rows)]]
    folder = tmp_path_factory.mktemp("hash")

    found = records(session, folder, csv_bytes(table), key=("number",), selected={"number", *selected})

    expected = []
    for number, row in enumerate(rows):
        by_name = {"number": str(number)} | {name: row[NAMES.index(name)] for name in selected}
        parts = [netstring(name) + (netstring(by_name[name]) if by_name[name] else b"-") for name in sorted(by_name)]
        expected.append(hashlib.sha256(b"".join(parts)).hexdigest())
    assert [record["contentHash"] for record in found] == expected


def test_the_hash_does_not_depend_on_types(session: DuckDBSession, tmp_path: Path) -> None:
    content = b"a;b;c\n1.50;TRUE;2024-02-29\n"
    types = {"a": ColumnType.NUMBER, "b": ColumnType.BOOLEAN, "c": ColumnType.DATE}

    (typed,) = records(session, tmp_path, content, types)
    (text,) = records(session, tmp_path, content)

    assert cells([typed], "a", "b", "c") == [(1.5, True, "2024-02-29")]
    assert typed["contentHash"] == text["contentHash"]


@FEW
@given(st.data(), st.lists(CELL, min_size=1, max_size=4))
def test_the_hash_does_not_depend_on_the_order_of_columns(
    session: DuckDBSession, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, row: list[str]
) -> None:
    pairs = list(zip(NAMES, row, strict=False))
    shuffled = data.draw(st.permutations(pairs))
    folder = tmp_path_factory.mktemp("order")

    (one,) = records(session, folder, csv_bytes([*zip(*pairs, strict=True)]))
    (other,) = records(session, folder, csv_bytes([*zip(*shuffled, strict=True)]))

    assert one["contentHash"] == other["contentHash"]


@FEW
@given(st.data(), st.integers(1, 3))
def test_the_hash_changes_with_any_cell(
    session: DuckDBSession, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, width: int
) -> None:
    different = data.draw(st.lists(st.tuples(*[CELL] * width), min_size=2, max_size=12, unique=True))

    found = records(session, tmp_path_factory.mktemp("change"), csv_bytes([NAMES[:width], *different]))

    assert len({record["contentHash"] for record in found}) == len(different)


def test_cells_that_are_alike_when_joined_have_different_hashes(session: DuckDBSession, tmp_path: Path) -> None:
    found = records(session, tmp_path, b'a;b\n"1,1:b,";\n1;"1:b,"\n"";-\n-;""\n')

    assert len({record["contentHash"] for record in found}) == 4


# Deleted rows


def test_a_deleted_row_has_its_key_and_otherwise_nulls(session: DuckDBSession, tmp_path: Path) -> None:
    file = export_file(tmp_path, b"b;n;a;x\n")
    columns = columns_of(file.header, {"n": ColumnType.INTEGER}, key=("b", "n", "a"))
    key = RowKey(("b", "n", "a"))

    with stream_database(session, file) as database:
        # The key's columns in the order of their names: a, b, n.
        table = database.create_table("deleted", "SELECT 'A' AS key_0, '' AS key_1, '007' AS key_2")
        found = list(DeletedRows(database, table, 1, columns, key, "2026-01-31T00:00:00+00:00").records())

    assert found == [
        {"b": "", "n": 7, "a": "A", "x": None, "contentHash": None, "_sdc_deleted_at": "2026-01-31T00:00:00+00:00"}
    ]


def test_a_deleted_keyless_row_has_its_hash_and_number(session: DuckDBSession, tmp_path: Path) -> None:
    file = export_file(tmp_path, b"a;b\n")

    with stream_database(session, file) as database:
        table = database.create_table("deleted", "SELECT unhex(repeat('AB', 32)) AS content_hash, 2 AS occurrence")
        rows = DeletedRows(database, table, 1, columns_of(file.header), RowKey(), "2026-01-31T00:00:00+00:00")
        found = list(rows.records())

    assert found == [
        {
            "a": None,
            "b": None,
            "contentHash": "ab" * 32,
            "occurrence": 2,
            "_sdc_deleted_at": "2026-01-31T00:00:00+00:00",
        }
    ]

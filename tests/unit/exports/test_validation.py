"""Validation of an export: cells fit their types, keys are unique, and an error names the first row at fault."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_pigment.columns import ColumnType, RowKey
from tap_pigment.errors import CellTypeError, KeysNotUniqueError, MalformedExportError
from tap_pigment.exports import (
    ExportFile,
    ExportPart,
    KeptColumns,
    check_64_bits,
    nul_warning,
    overlap_warning,
    validate,
)
from tap_pigment.output import number_identical_rows
from tests.support.export_files import columns_of, csv_bytes, export_file, stream_database, validated_export
from tests.unit.columns.cells import CELLS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tap_pigment.exports import DuckDBSession

FEW = settings(max_examples=50, deadline=None)
TYPES = [ColumnType.NUMBER, ColumnType.INTEGER, ColumnType.BOOLEAN, ColumnType.DATE]


def check(
    session: DuckDBSession,
    folder: Path,
    content: bytes,
    types: Mapping[str, ColumnType] | None = None,
    key: Sequence[str] = (),
) -> bool:
    """Validate a body as the export of the stream `plan`, and return whether rows may repeat."""
    file = export_file(folder, content)
    with validated_export(session, file, columns_of(file.header, types, key), RowKey(tuple(key))) as export:
        return export.may_repeat


# Types


@pytest.mark.parametrize("column_type", TYPES)
def test_cells_of_the_table_are_valid_exactly_where_they_fit(
    session: DuckDBSession, tmp_path: Path, column_type: ColumnType
) -> None:
    fitting = [text for text, types in CELLS if column_type in types]
    others = [text for text, types in CELLS if column_type not in types]

    check(session, tmp_path, csv_bytes([["a"], *[[text] for text in fitting]]), {"a": column_type})
    with pytest.raises(CellTypeError, match=rf"column a, row 1: .*\({len(others):,} rows in all\)"):
        check(session, tmp_path, csv_bytes([["a"], *[[text] for text in others]]), {"a": column_type})


@pytest.mark.parametrize("column_type", [ColumnType.INTEGER, ColumnType.NUMBER])
@pytest.mark.parametrize("digits", [310, 5_000])
def test_a_whole_number_that_no_float_can_hold_is_an_error(
    session: DuckDBSession, tmp_path: Path, digits: int, column_type: ColumnType
) -> None:
    with pytest.raises(CellTypeError):
        check(session, tmp_path, b"a\n" + b"1" * digits + b"\n", {"a": column_type})


@pytest.mark.parametrize(
    ("column_type", "noun"),
    [
        ("number", "not a number"),
        ("integer", "not a whole number"),
        ("boolean", "not TRUE or FALSE"),
        ("date", "not a date (YYYY-MM-DD)"),
    ],
)
def test_a_cell_that_does_not_fit_is_named_by_column_and_row(
    session: DuckDBSession, tmp_path: Path, column_type: str, noun: str
) -> None:
    content = b"Code;Salary\nA;\nB;98765x\nC;secret\n"

    with pytest.raises(CellTypeError) as caught:
        check(session, tmp_path, content, {"Salary": ColumnType(column_type)}, key=("Code",))

    assert str(caught.value) == (
        f"plan: column Salary, row 2: the cell is {noun} (2 rows in all). Nothing was emitted. Set "
        'stream_overrides.plan.types to {"Salary": "text"}, or correct the cell in Pigment.'
    )


def test_a_single_cell_that_does_not_fit_is_not_counted(session: DuckDBSession, tmp_path: Path) -> None:
    with pytest.raises(CellTypeError) as caught:
        check(session, tmp_path, b"Code;Salary\nA;1\nB;x\n", {"Salary": ColumnType.NUMBER})

    assert "in all" not in str(caught.value)


def test_the_first_row_that_does_not_fit_is_named_far_from_the_start(session: DuckDBSession, tmp_path: Path) -> None:
    content = b"a\n" + b"1\n" * 200_000 + b"x\n" * 2 + b"1\n" * 100_000

    with pytest.raises(CellTypeError, match=r"column a, row 200,001: the cell is not a number \(2 rows in all\)"):
        check(session, tmp_path, content, {"a": ColumnType.NUMBER})


def test_a_blank_in_a_typed_key_does_not_fit(session: DuckDBSession, tmp_path: Path) -> None:
    with pytest.raises(CellTypeError, match="column Day, row 2: the cell is blank, and so not a date"):
        check(session, tmp_path, b"Day;x\n2024-02-29;1\n;2\n", {"Day": ColumnType.DATE}, key=("Day",))


def test_a_malformed_row_is_reported_before_a_cell_that_does_not_fit(session: DuckDBSession, tmp_path: Path) -> None:
    with pytest.raises(MalformedExportError, match=r"plan: row 2 \(line 3\) has 1 fields"):
        check(session, tmp_path, b"a;b\nx;y\n1\n", {"a": ColumnType.NUMBER})


def test_columns_that_are_not_selected_are_not_validated(session: DuckDBSession, tmp_path: Path) -> None:
    file = export_file(tmp_path, b"a;b\n1;x\n1;y\n")
    selected = columns_of(file.header, {"b": ColumnType.NUMBER})[:1]

    with validated_export(session, file, selected, RowKey()) as export:
        assert export.may_repeat


@pytest.mark.parametrize(
    ("numbers", "count"),
    [(["9223372036854775807", "-9223372036854775808", ""], 0), (["9223372036854775808", "1", "1" * 300], 2)],
)
def test_whole_numbers_of_more_than_64_bits_are_counted(
    session: DuckDBSession, tmp_path: Path, numbers: list[str], count: int
) -> None:
    file = export_file(tmp_path, csv_bytes([["a", "b"], *[[number, "x"] for number in numbers]]))
    columns = columns_of(file.header, {"a": ColumnType.INTEGER})

    with validated_export(session, file, columns, RowKey()) as export:
        if not count:
            check_64_bits(export.table, columns)
            return
        with pytest.raises(CellTypeError) as caught:
            check_64_bits(export.table, columns)

    assert str(caught.value) == (
        "plan: column a: 2 whole numbers have more than 64 bits, the most in Parquet. Set stream_overrides.plan.types "
        'to {"a": "text"}, or use jsonl.'
    )


# NUL characters


def test_cells_with_nul_are_counted_and_the_first_is_named(session: DuckDBSession, tmp_path: Path) -> None:
    file = export_file(tmp_path, b'Code;Name;Note\nA;a;b\nB;c;"d\0;e"\nC;\0;\0\n\0;;\n')

    with validated_export(session, file, columns_of(file.header), RowKey()) as export:
        warning = nul_warning(export.table, columns_of(file.header))

    assert warning == (
        "plan: column Note, row 2: the cell holds a NUL character (3 rows in all). PostgreSQL refuses it: set "
        "sanitize_null_text_characters: true in target-postgres, or correct the cell in Pigment."
    )


def test_a_single_cell_with_nul_is_not_counted(session: DuckDBSession, tmp_path: Path) -> None:
    file = export_file(tmp_path, b"Code;Name\nA;\0\nB;b\n")

    with validated_export(session, file, columns_of(file.header), RowKey()) as export:
        warning = nul_warning(export.table, columns_of(file.header))

    assert warning
    assert warning.startswith("plan: column Name, row 1: the cell holds a NUL character. PostgreSQL")


@pytest.mark.parametrize("selected", [0, 1])
def test_cells_with_nul_that_are_not_emitted_are_no_warning(
    session: DuckDBSession, tmp_path: Path, selected: int
) -> None:
    file = export_file(tmp_path, b"Code;Na\0me;Note\nA;a;\0\n")
    columns = columns_of(file.header)[:selected]

    with validated_export(session, file, columns, RowKey()) as export:
        assert nul_warning(export.table, columns) is None


# Keys


def test_rows_that_share_a_key_are_counted_and_the_first_is_named(session: DuckDBSession, tmp_path: Path) -> None:
    content = b"Code;Month;x\nA;1;1\nB;1;1\nB;2;1\nC;1;1\nB;1;2\nC;1;3\nC;1;4\n"

    with pytest.raises(KeysNotUniqueError) as caught:
        check(session, tmp_path, content, key=("Code", "Month"))

    assert str(caught.value) == (
        "plan: 5 of 7 rows share a key (Code, Month), first at row 2. Set stream_overrides.plan.key_columns to the "
        "columns that identify a row, or to [] for none."
    )


def test_blank_keys_are_compared_too(session: DuckDBSession, tmp_path: Path) -> None:
    with pytest.raises(KeysNotUniqueError, match="2 of 3 rows share a key"):
        check(session, tmp_path, b"Code;x\n;1\nA;2\n;3\n", key=("Code",))


def test_whole_numbers_of_one_value_are_one_key(session: DuckDBSession, tmp_path: Path) -> None:
    with pytest.raises(KeysNotUniqueError, match=r"2 of 3 rows share a key \(Code\), first at row 1"):
        check(session, tmp_path, b"Code;x\n0;1\n7;2\n-0;3\n", {"Code": ColumnType.INTEGER}, key=("Code",))


@pytest.mark.parametrize(
    "codes",
    [
        ("12345678901234567890", "12345678901234567891"),
        ("9007199254740992", "9007199254740993"),
        ("10", "1"),
        ("-1", "1"),
    ],
)
def test_whole_numbers_of_two_values_are_two_keys(
    session: DuckDBSession, tmp_path: Path, codes: tuple[str, str]
) -> None:
    content = csv_bytes([["Code", "x"], *[[code, "1"] for code in codes]])

    assert not check(session, tmp_path, content, {"Code": ColumnType.INTEGER}, key=("Code",))


@pytest.mark.parametrize(
    "content",
    [
        b"a;b\n1;23\n12;3\n",
        b"a;b\n1;\n;1\n",
        b"a;b\nx;y\nX;y\n",
        b"a;b\nx;y\nx ;y\n",
        b"a;b\n1.5;x\n1.50;x\n",
        "a;b\né;x\ne\u0301;x\n".encode(),
    ],
)
def test_keys_that_differ_anywhere_are_unique(session: DuckDBSession, tmp_path: Path, content: bytes) -> None:
    assert not check(session, tmp_path, content, key=("a", "b"))


@FEW
@given(st.lists(st.lists(st.sampled_from(["", "a", "b", "ab", " "]), min_size=2, max_size=2), max_size=8))
def test_a_key_is_valid_exactly_where_it_is_unique(
    session: DuckDBSession, tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    folder = tmp_path_factory.mktemp("keys")
    content = csv_bytes([["a", "b"], *rows])

    if all(rows.count(row) == 1 for row in rows):
        assert not check(session, folder, content, key=("a", "b"))
        assert not check(session, folder, content)
    else:
        with pytest.raises(KeysNotUniqueError):
            check(session, folder, content, key=("a", "b"))
        assert check(session, folder, content)


# Parts


def in_parts(file: ExportFile, *rows: int) -> ExportFile:
    """Return an export whose parts have so many rows."""
    return replace(file, parts=tuple(ExportPart(f"slices[{number}]", count) for number, count in enumerate(rows)))


def key_error(session: DuckDBSession, folder: Path, content: bytes, *rows: int) -> str:
    """Return the error about the key of an export whose parts have so many rows."""
    file = in_parts(export_file(folder, content), *rows)
    with (
        pytest.raises(KeysNotUniqueError) as caught,
        validated_export(session, file, columns_of(file.header, key=("Code",)), RowKey(("Code",))),
    ):
        pass
    return str(caught.value)


def test_a_key_in_several_parts_is_named_by_the_first_two_of_its_places(session: DuckDBSession, tmp_path: Path) -> None:
    content = b"Code;x\nA;1\nB;1\nC;1\nB;2\nD;1\nB;3\nC;2\n"

    assert key_error(session, tmp_path, content, 0, 3, 0, 2, 2).startswith(
        "plan: slices overlap: 5 of 7 rows share a key (Code) with a row of another slice, first row 2 of slices[1] "
        "with row 1 of slices[3]. Correct "
    )


def test_a_key_that_repeats_within_a_part_is_no_overlap(session: DuckDBSession, tmp_path: Path) -> None:
    content = b"Code;x\nA;1\nB;1\nA;2\nC;1\nC;2\n"

    assert key_error(session, tmp_path, content, 2, 3) == (
        "plan: 4 of 5 rows share a key (Code), first at row 1 of slices[0]. Set stream_overrides.plan.key_columns to "
        "the columns that identify a row, or to [] for none."
    )


def test_a_cell_that_does_not_fit_is_named_by_its_place_in_its_part(session: DuckDBSession, tmp_path: Path) -> None:
    file = in_parts(export_file(tmp_path, b"a\n1\n2\nx\n"), 2, 1)

    with (
        pytest.raises(CellTypeError, match=r"^plan: column a, row 1 of slices\[1\]: the cell is not a number"),
        validated_export(session, file, columns_of(file.header, {"a": ColumnType.NUMBER}), RowKey()),
    ):
        pass


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((4, 3), "2 rows are identical to a row of another slice, first row 1 of slices[0] and row 2 of slices[1]. "),
        ((2, 5), "4 rows are identical to a row of another slice, first row 1 of slices[0] and row 4 of slices[1]. "),
        ((1, 6), "2 rows are identical to a row of another slice, first row 1 of slices[0] and row 5 of slices[1]. "),
        ((7, 0), None),
        ((), None),
    ],
)
def test_rows_that_are_identical_in_two_parts_are_counted(
    session: DuckDBSession, tmp_path: Path, rows: tuple[int, ...], expected: str | None
) -> None:
    file = in_parts(export_file(tmp_path, b"a;b\nA;1\nB;1\nC;1\nB;1\nD;1\nA;1\nE;1\n"), *rows)
    columns = columns_of(file.header)

    with validated_export(session, file, columns, RowKey()) as export:
        warning = overlap_warning(export.table, columns, number_identical_rows(export, columns))

    assert (warning or "").startswith(f"plan: {expected}" if expected else "")
    assert (warning is None) is (expected is None)


def test_an_export_without_identical_rows_has_no_overlap(session: DuckDBSession, tmp_path: Path) -> None:
    file = in_parts(export_file(tmp_path, b"a\nA\nB\n"), 1, 1)

    with validated_export(session, file, columns_of(file.header), RowKey()) as export:
        assert overlap_warning(export.table, columns_of(file.header), None) is None


# What is kept


def test_what_is_kept_of_each_row_has_its_number(session: DuckDBSession, tmp_path: Path) -> None:
    file = export_file(tmp_path, csv_bytes([["a", "b"], *[[str(number), "x"] for number in range(5_000)]]))
    keep = KeptColumns({"code": "c0", "whole": "c0 || c1"}, ("code",))

    with stream_database(session, file) as database:
        export = validate(file, database, columns_of(file.header, key=("a",)), RowKey(("a",)), keep=keep)
        rows = database.rows(f"SELECT rowid, code, whole FROM {export.kept} ORDER BY rowid")  # noqa: S608 - a name of the package.

    assert rows == [(number, str(number), f"{number}x") for number in range(5_000)]


def test_what_is_kept_of_a_rewritten_export_is_complete(session: DuckDBSession, tmp_path: Path) -> None:
    file = export_file(tmp_path, b'a;b\n1; "x"\n2;y\n')

    with stream_database(session, file) as database:
        export = validate(
            file, database, columns_of(file.header), RowKey(), keep=KeptColumns({"cell": "c1"}, ("cell",))
        )
        rows = database.rows(f"SELECT cell FROM {export.kept} ORDER BY rowid")  # noqa: S608 - a name of the package.

    assert rows == [(' "x"',), ("y",)]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"a;b\n1;x\n2;3\n", CellTypeError),
        (b"a;b\n1;2\n1;3\n", KeysNotUniqueError),
        (b"a;b\n1;2\n1\n", MalformedExportError),
    ],
)
def test_an_export_is_validated_in_the_same_way_when_rows_are_kept(
    session: DuckDBSession, tmp_path: Path, content: bytes, error: type[Exception]
) -> None:
    file = export_file(tmp_path, content)
    columns = columns_of(file.header, {"b": ColumnType.NUMBER}, key=("a",))

    with stream_database(session, file) as database, pytest.raises(error):
        validate(file, database, columns, RowKey(("a",)), keep=KeptColumns({"key_0": "c0"}, ("key_0",)))


@pytest.mark.parametrize(("content", "expected"), [(b"a\n1\n2\n", False), (b"a\n1\n2\n1\n", True)])
def test_identical_rows_without_a_key_are_noticed_when_rows_are_kept(
    session: DuckDBSession,
    tmp_path: Path,
    content: bytes,
    expected: bool,  # noqa: FBT001 - a column of the table.
) -> None:
    file = export_file(tmp_path, content)

    with stream_database(session, file) as database:
        export = validate(
            file, database, columns_of(file.header), RowKey(), keep=KeptColumns({"cell": "c0"}, ("cell",))
        )

    assert export.may_repeat is expected

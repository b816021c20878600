"""SQL expressions over cells: types, values, hashes and quoting."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_pigment.columns import Column, ColumnType, fits
from tap_pigment.exports import sql
from tests.support.export_files import columns_of
from tests.unit.columns.cells import CELLS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TYPES = [ColumnType.NUMBER, ColumnType.INTEGER, ColumnType.BOOLEAN, ColumnType.DATE]
ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
MANY = settings(max_examples=200, deadline=None)
FEW = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example]
)


class Evaluator:
    """Evaluates expressions over the cells of one row."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def __call__(self, expression: str, *cells: str) -> Any:  # noqa: ANN401 - a value of any type.
        """Return the value of an expression over cells `c0`, `c1`, ..."""
        row = ", ".join(f"?::VARCHAR AS c{position}" for position in range(len(cells))) or "1"
        found = self._connection.execute(f"SELECT {expression} FROM (SELECT {row})", list(cells)).fetchone()  # noqa: S608 - cells are bound.
        assert found
        return found[0]

    def name_of(self, expression: str) -> str:
        """Return the name of an expression's column in a result."""
        ((name, *_),) = self._connection.execute(f"SELECT {expression}").description
        return str(name)


@pytest.fixture(scope="module")
def evaluate() -> Iterator[Evaluator]:
    with duckdb.connect() as connection:
        yield Evaluator(connection)


def column(column_type: ColumnType, *, nullable: bool = True) -> Column:
    return Column("a", "a", column_type, nullable=nullable, position=0)


# Types

DATE_LIKE = st.builds("{:04}-{:02}-{:02}".format, st.integers(0, 10_000), st.integers(0, 13), st.integers(0, 32))
NUMBER_LIKE = st.one_of(
    st.integers().map(str),
    st.floats().map(repr),
    st.decimals().map(str),
    st.from_regex(r"-?[0-9]{1,3}(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,4})?", fullmatch=True),
    # Around the largest float, above which a number does not fit.
    st.builds("1.797693134862315{}e{}".format, st.integers(0, 10**6), st.integers(306, 309)),
    st.text("0123456789-+.eE", max_size=8),
)
LIKE_A_TYPE = st.one_of(
    st.sampled_from([text for text, _ in CELLS]), DATE_LIKE, NUMBER_LIKE, st.sampled_from(["TRUE", "FALSE", "True"])
)


@MANY
@given(st.one_of(ANY_TEXT, LIKE_A_TYPE, st.builds(str.__add__, LIKE_A_TYPE, ANY_TEXT)))
def test_any_text_fits_the_same_types_in_python_and_in_sql(evaluate: Evaluator, text: str) -> None:
    for column_type in TYPES:
        assert evaluate(sql.FITS[column_type]("c0"), text) is fits(column_type, text), column_type


@pytest.mark.parametrize(("text", "types"), CELLS, ids=[repr(text)[:30] for text, _ in CELLS])
def test_a_cell_fits_the_types_of_the_table_in_sql(evaluate: Evaluator, text: str, types: set[str]) -> None:
    fitting = {column_type.value for column_type in TYPES if evaluate(sql.fits(column(column_type)), text)}

    assert fitting == types


def test_every_type_but_text_has_a_rule() -> None:
    assert sql.FITS.keys() == set(ColumnType) - {ColumnType.TEXT}


@pytest.mark.parametrize("column_type", TYPES)
def test_a_blank_fits_where_it_can_be_null(evaluate: Evaluator, column_type: ColumnType) -> None:
    assert evaluate(sql.fits(column(column_type)), "") is True
    assert evaluate(sql.fits(column(column_type, nullable=False)), "") is False


@pytest.mark.parametrize("fitting_cells", [0, 120], ids=["few columns", "many columns"])
@MANY
@given(
    row=st.lists(
        st.tuples(st.sampled_from(ColumnType), st.booleans(), st.one_of(LIKE_A_TYPE, st.just(""))),
        min_size=1,
        max_size=6,
    )
)
def test_a_row_holds_a_misfit_if_one_of_its_cells_does_not_fit(
    evaluate: Evaluator, row: list[tuple[ColumnType, bool, str]], fitting_cells: int
) -> None:
    row = [*row, *[(ColumnType.BOOLEAN, True, "TRUE")] * fitting_cells]
    columns = [
        Column(f"column {position}", "", column_type, nullable=nullable, position=position)
        for position, (column_type, nullable, _) in enumerate(row)
    ]

    found = evaluate(sql.holds_misfit(columns), *[text for _, _, text in row])

    assert found is any(
        not (text == "" and nullable) and (not text or not fits(column_type, text))
        for column_type, nullable, text in row
        if column_type is not ColumnType.TEXT
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9223372036854775807", False),
        ("9223372036854775808", True),
        ("-9223372036854775808", False),
        ("-9223372036854775809", True),
        ("-0", False),
        ("", False),
    ],
)
def test_a_whole_number_of_more_than_64_bits_is_found(evaluate: Evaluator, text: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table.
    assert evaluate(sql.exceeds_64_bits(column(ColumnType.INTEGER)), text) is expected


# Values


@pytest.mark.parametrize(
    ("column_type", "text", "value", "native", "as_json"),
    [
        ("text", "007", "007", "007", '"007"'),
        ("text", 'é"\\\n\x01', 'é"\\\n\x01', 'é"\\\n\x01', '"é\\"\\\\\\n\\u0001"'),
        ("text", "", None, None, "null"),
        ("number", "1E-05", "1E-05", 0.00001, "1E-05"),
        ("number", "214875.99", "214875.99", 214875.99, "214875.99"),
        ("number", "", None, None, "null"),
        ("integer", "-0", "-0", 0, "-0"),
        ("integer", "9007199254740993", "9007199254740993", 9007199254740993, "9007199254740993"),
        ("integer", "", None, None, "null"),
        ("boolean", "TRUE", True, True, "true"),
        ("boolean", "FALSE", False, False, "false"),
        ("boolean", "", None, None, "null"),
        ("date", "2024-02-29", "2024-02-29", date(2024, 2, 29), '"2024-02-29"'),
        ("date", "", None, None, "null"),
    ],
)
def test_a_cell_has_a_value_of_its_type_in_each_output(  # noqa: PLR0913, PLR0917 - the columns of the table.
    evaluate: Evaluator, column_type: str, text: str, value: object, native: object, as_json: str
) -> None:
    typed = column(ColumnType(column_type))

    found = [evaluate(expression(typed), text) for expression in (sql.value, sql.native_value, sql.json_value)]

    assert found == [value, native, as_json]
    assert [type(each) for each in found] == [type(value), type(native), str]


def test_a_blank_text_of_a_key_is_the_empty_text_in_each_output(evaluate: Evaluator) -> None:
    key = column(ColumnType.TEXT, nullable=False)

    assert [evaluate(expression(key), "") for expression in (sql.value, sql.native_value, sql.json_value)] == [
        "",
        "",
        '""',
    ]


@MANY
@given(ANY_TEXT)
def test_a_text_as_json_is_read_back_unchanged(evaluate: Evaluator, text: str) -> None:
    assert json.loads(evaluate(sql.json_value(column(ColumnType.TEXT, nullable=False)), text)) == text


def test_a_record_starts_with_its_columns_in_order(evaluate: Evaluator) -> None:
    columns = columns_of(["b", 'x"y', "a"], {"a": ColumnType.NUMBER})

    start = evaluate(sql.json_record_start(columns, before='{"record":'), "1", "", "2.50")

    assert start == '{"record":{"b":"1","x\\"y":null,"a":2.50,"contentHash":"'


@pytest.mark.parametrize(
    ("column_type", "one", "other", "same"),
    [
        (ColumnType.INTEGER, "0", "-0", True),
        (ColumnType.INTEGER, "1", "-1", False),
        (ColumnType.TEXT, "0", "-0", False),
        (ColumnType.TEXT, "1.5", "1.50", False),
        (ColumnType.TEXT, "é", "e\u0301", False),
    ],
)
def test_cells_of_a_key_are_equal_for_equal_values(
    evaluate: Evaluator,
    column_type: ColumnType,
    one: str,
    other: str,
    same: bool,  # noqa: FBT001 - a column of the table.
) -> None:
    key = sql.key_cell(column(column_type, nullable=False))

    assert (evaluate(key, one) == evaluate(key, other)) is same


# Hashes


@pytest.mark.parametrize(
    ("names", "cells", "expected"),
    [
        (["Amount", "Comment"], ["214875.99", ""], "6:Amount,9:214875.99,7:Comment,-"),
        (["Comment", "Amount"], ["", "214875.99"], "6:Amount,9:214875.99,7:Comment,-"),
        (["a", "A"], ["2", "1"], "1:A,1:1,1:a,1:2,"),
        (["Été"], ["Éa€"], "5:Été,6:Éa€,"),
        (["🎉", "z"], ["🎉🎉", "a;b"], "1:z,3:a;b,4:🎉,8:🎉🎉,"),
        (["it's"], ["it's"], "4:it's,4:it's,"),
        ([], [], ""),
    ],
)
def test_a_row_is_hashed_as_netstrings_in_the_order_of_names(
    evaluate: Evaluator, names: list[str], cells: list[str], expected: str
) -> None:
    assert evaluate(sql.netstrings(columns_of(names)), *cells) == expected


def documented_hash(row: Sequence[tuple[str, str]]) -> str:
    """Return the `contentHash` of a row as the documentation describes it."""
    content = b""
    for name, cell in sorted(row):
        content += b"%d:%s," % (len(name.encode()), name.encode())
        content += b"%d:%s," % (len(cell.encode()), cell.encode()) if cell else b"-"
    return hashlib.sha256(content).hexdigest()


@MANY
@given(st.dictionaries(ANY_TEXT.filter(lambda name: "\0" not in name), ANY_TEXT, min_size=1, max_size=4))
def test_the_hash_in_sql_is_the_documented_one(evaluate: Evaluator, row: dict[str, str]) -> None:
    assert evaluate(sql.content_hash(columns_of(list(row))), *row.values()) == documented_hash(list(row.items()))


@FEW
@given(st.lists(ANY_TEXT, min_size=150, max_size=150))
def test_the_hash_of_many_columns_is_the_documented_one(evaluate: Evaluator, cells: list[str]) -> None:
    names = [f"é{number}" for number in range(150)]

    found = evaluate(sql.content_hash(columns_of(names)), *cells)

    assert found == documented_hash(list(zip(names, cells, strict=True)))


# Sums and quoting


@pytest.mark.parametrize("terms", [1, 2, 3, 1_500])
def test_a_sum_may_have_many_terms(evaluate: Evaluator, terms: int) -> None:
    assert evaluate(sql.sum_of(["1"] * terms)) == terms


@MANY
@given(ANY_TEXT.filter(lambda text: "\0" not in text))
def test_a_quoted_text_is_that_text(evaluate: Evaluator, text: str) -> None:
    assert evaluate(sql.quoted_text(text)) == text


@MANY
@given(ANY_TEXT.filter(lambda text: text and "\0" not in text))
def test_a_quoted_name_is_that_name(evaluate: Evaluator, text: str) -> None:
    assert evaluate.name_of(f"1 AS {sql.quoted_name(text)}") == text


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/spool/export-1.csv", "'/spool/export-1.csv'"),
        ("/it's/a.csv", "'/it''s/a.csv'"),
        ("/we[i]rd *?/a.csv", "'/we[[]i]rd [*][?]/a.csv'"),
    ],
)
def test_a_quoted_path_has_no_pattern(path: str, expected: str) -> None:
    assert sql.quoted_path(Path(path)) == expected


# Files


@pytest.mark.parametrize("place", ["c0=9/origin=7", "x[1]*?", "plain.csv.gz"])
def test_a_file_is_read_alike_in_any_folder_and_with_any_suffix(tmp_path: Path, place: str) -> None:
    folder = tmp_path / place
    folder.mkdir(parents=True)
    (folder / "data.gz").write_text("A;B\r\n1;2\r\n")

    with duckdb.connect() as connection:
        csv = sql.read_csv(folder / "data.gz", 2, size_bytes=10, longest_line_bytes=5, parallel=True)
        target = sql.quoted_target(folder / "data.parquet")
        connection.execute(f"COPY (FROM {csv}) TO {target} (FORMAT parquet)")
        rows = connection.execute(f"FROM {sql.read_parquet(folder / 'data.parquet')}").fetchall()

    assert rows == [("1", "2")]
    assert (folder / "data.parquet").is_file()

"""Which type a column has: every rule a line of a table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_pigment.columns import (
    KEYLESS,
    CellCounts,
    ColumnType,
    guessed_type,
    json_schema_type,
    named_columns,
    type_in_json_schema,
    type_in_metadata,
    value_columns_start,
)
from tap_pigment.errors import CatalogError, SettingsError


def counts(filled: int, *, booleans: int = 0, dates: int = 0, numbers: int = 0, integers: int = 0) -> CellCounts:
    return CellCounts(filled, booleans, dates, numbers, integers)


@pytest.mark.parametrize(
    ("cells", "in_a_list", "as_a_value"),
    [
        pytest.param(counts(0), "text", "number", id="nothing filled"),
        pytest.param(counts(3), "text", "text", id="text"),
        pytest.param(counts(3, booleans=3), "boolean", "boolean", id="TRUE and FALSE"),
        pytest.param(counts(3, booleans=2), "text", "text", id="TRUE and text"),
        pytest.param(counts(3, dates=3), "date", "date", id="dates"),
        pytest.param(counts(3, dates=2), "text", "text", id="dates and text"),
        pytest.param(counts(3, numbers=3), "number", "number", id="fractions"),
        pytest.param(counts(3, numbers=3, integers=2), "number", "number", id="fractions and whole numbers"),
        pytest.param(counts(3, numbers=3, integers=3), "text", "number", id="whole numbers are codes or values"),
        pytest.param(counts(3, numbers=2, integers=1), "text", "text", id="numbers and text"),
        pytest.param(counts(4, booleans=1, dates=1, numbers=2, integers=2), "text", "text", id="some of each"),
    ],
)
def test_a_type_is_what_every_filled_cell_says(cells: CellCounts, in_a_list: str, as_a_value: str) -> None:
    assert guessed_type(cells, is_value=False) == in_a_list
    assert guessed_type(cells, is_value=True) == as_a_value


@pytest.mark.parametrize(
    ("pigment_type", "expected"),
    [
        ("Number", "number"),
        ("Integer", "integer"),
        ("Date", "date"),
        ("Boolean", "boolean"),
        ("Text", "text"),
        ("Dimension", "text"),
        ("Access Rights", "text"),
        ("Permissions", "text"),
        ("Something new", None),
        ("", None),
        (None, None),
    ],
)
def test_metadata_names_pigments_types(pigment_type: str | None, expected: str | None) -> None:
    assert type_in_metadata(pigment_type) == expected


@pytest.mark.parametrize(
    ("column_type", "nullable", "schema"),
    [
        ("text", True, {"type": ["string", "null"]}),
        ("text", False, {"type": ["string"]}),
        ("number", True, {"type": ["number", "null"]}),
        ("integer", False, {"type": ["integer"]}),
        ("boolean", True, {"type": ["boolean", "null"]}),
        ("date", True, {"type": ["string", "null"], "format": "date"}),
        ("date", False, {"type": ["string"], "format": "date"}),
    ],
)
def test_a_type_has_one_json_schema(column_type: str, nullable: bool, schema: dict[str, object]) -> None:  # noqa: FBT001 - a column of the table.
    assert json_schema_type(ColumnType(column_type), nullable=nullable) == schema


@given(st.sampled_from(ColumnType), st.booleans())
def test_a_json_schema_gives_its_type_back(column_type: ColumnType, nullable: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis.
    schema = json_schema_type(column_type, nullable=nullable)

    assert type_in_json_schema(schema, where="plan.a") == (column_type, nullable)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, ("text", False)),
        ({"type": ["null", "number"]}, ("number", True)),
        ({"type": ["string", "null"], "format": "email"}, ("text", True)),
        ({"type": ["string", "null"], "title": "Amount", "maxLength": 10}, ("text", True)),
        ({}, ("text", False)),
    ],
)
def test_what_else_a_catalog_may_say(schema: dict[str, object], expected: tuple[str, bool]) -> None:
    assert type_in_json_schema(schema, where="plan.a") == expected


@pytest.mark.parametrize(
    "schema",
    [
        {"type": ["object", "null"]},
        {"type": "array"},
        {"type": ["string", "number", "null"]},
        {"type": ["null"]},
        {"type": []},
        {"type": ["string"], "format": "date-time"},
        {"type": ["string"], "format": "time"},
    ],
)
def test_a_type_that_no_cell_has_is_refused(schema: dict[str, object]) -> None:
    with pytest.raises(CatalogError) as caught:
        type_in_json_schema(schema, where="plan.amount")

    assert str(caught.value).startswith("plan.amount: ")
    assert str(caught.value).endswith("Use string, number, integer, boolean, or string with format date.")


def test_the_format_that_is_refused_is_named() -> None:
    with pytest.raises(CatalogError, match="with format date-time"):
        type_in_json_schema({"type": ["string"], "format": "date-time"}, where="plan.amount")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param(["month_AAAAAA", "sales_BBBBBB", "cost_CCCCCC"], 1, id="the first metric"),
        pytest.param(["sales_BBBBBB", "month_AAAAAA"], 0, id="a metric first"),
        pytest.param(["month_AAAAAA", "p_l__net__DDDDDD"], 1, id="any other character is an underscore"),
        pytest.param(["month_AAAAAA", "country_EEEEEE"], None, id="no metric"),
        pytest.param(["month_AAAAAA", "headcount_FFFFFF"], None, id="a list of the same name makes it doubtful"),
        pytest.param(["month_AAAAAA", "sales_bbbbbb"], None, id="no technical suffix"),
        pytest.param(["month_AAAAAA", "sales"], 1, id="no suffix at all"),
        pytest.param([], None, id="no columns"),
    ],
)
def test_a_tables_values_begin_at_the_first_metric(headers: list[str], expected: int | None) -> None:
    start = value_columns_start(
        headers,
        friendly=False,
        metric_names={"Sales", "Cost", "P&L (net)", "Headcount"},
        list_names={"Month", "Country", "HEADCOUNT"},
    )

    assert start == expected


def test_display_names_are_compared_whole() -> None:
    headers = ["Month", "Sales ABC123", "Sales"]

    assert value_columns_start(headers, friendly=True, metric_names={"SALES"}, list_names={"Month"}) == 2
    assert value_columns_start(headers, friendly=True, metric_names={"Sales abc123"}, list_names=set()) == 1


def test_a_stream_without_a_key_is_known_by_what_the_tap_adds() -> None:
    assert KEYLESS == ("contentHash", "occurrence")


def test_named_columns_come_once_and_in_their_order() -> None:
    assert named_columns(["b", "a", "b"], ["a", "b", "c"], setting="x") == ("b", "a")
    assert named_columns([], ["a"], setting="x") == ()


def test_a_column_that_is_not_there_is_named_beside_those_that_are() -> None:
    with pytest.raises(SettingsError) as caught:
        named_columns(["a", "x", "y"], ["a", "b"], setting="stream_overrides.plan.key_columns")

    assert str(caught.value) == ("stream_overrides.plan.key_columns: no column x, y in the export. Its columns: a, b.")

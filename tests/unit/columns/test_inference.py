"""Types that are inferred from cells, and where the values of a table start."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_pigment.columns import (
    ColumnType,
    fits,
    infer_type,
    metric_value_column,
    scenario_column,
    value_columns_start,
)


@pytest.mark.parametrize(
    ("cells", "in_a_list", "as_a_value"),
    [
        pytest.param([], "text", "number", id="no cells"),
        pytest.param(["", "", ""], "text", "number", id="blank throughout"),
        pytest.param(["x", "y", "z"], "text", "text", id="text"),
        pytest.param(["TRUE", "FALSE", "TRUE"], "boolean", "boolean", id="TRUE and FALSE"),
        pytest.param(["TRUE", "FALSE", "x"], "text", "text", id="TRUE and text"),
        pytest.param(["2024-02-29", "0001-01-01"], "date", "date", id="dates"),
        pytest.param(["2024-02-29", "2024-02-30"], "text", "text", id="dates, one of them not real"),
        pytest.param(["1.5", "-0.25", "1E-05"], "number", "number", id="fractions"),
        pytest.param(["1", "2", "0.5"], "number", "number", id="fractions and whole numbers"),
        pytest.param(["1", "2", "3"], "text", "number", id="whole numbers are codes or values"),
        pytest.param(["1", "2.5", "x"], "text", "text", id="numbers and text"),
        pytest.param(["1.5", "007"], "text", "text", id="numbers and a code with zeros in front"),
        pytest.param(["TRUE", "2024-02-29", "1", "2"], "text", "text", id="some of each"),
        pytest.param(["", "1.5", ""], "number", "number", id="blanks do not count"),
        pytest.param(["", "TRUE", ""], "boolean", "boolean", id="blanks beside TRUE do not count"),
    ],
)
def test_a_type_is_inferred_from_every_filled_cell(cells: list[str], in_a_list: str, as_a_value: str) -> None:
    assert infer_type(cells, is_value=False) == in_a_list
    assert infer_type(iter(cells), is_value=True) == as_a_value


@given(
    st.lists(st.sampled_from(["", "TRUE", "FALSE", "2024-02-29", "1", "-0", "1.5", "007", "x", "1E400"])),
    st.booleans(),
)
def test_every_filled_cell_fits_the_inferred_type(cells: list[str], is_value: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis.
    inferred = infer_type(cells, is_value=is_value)

    assert all(fits(inferred, text) for text in cells if text)
    assert inferred is not ColumnType.INTEGER


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param(["month_AAAAAA", "sales_BBBBBB", "cost_CCCCCC"], 1, id="the first metric"),
        pytest.param(["sales_BBBBBB", "month_AAAAAA"], 0, id="a metric first"),
        pytest.param(["month_AAAAAA", "p_l__net__DDDDDD"], 1, id="any other character is an underscore"),
        pytest.param(["month_AAAAAA", "country_EEEEEE"], None, id="no metric"),
        pytest.param(["month_AAAAAA", "headcount_FFFFFF"], None, id="a list has the same name"),
        pytest.param(["month_AAAAAA", "sales_bbbbbb"], None, id="no technical suffix"),
        pytest.param(["month_AAAAAA", "sales"], 1, id="no suffix at all"),
        pytest.param([], None, id="no columns"),
    ],
)
def test_values_of_a_table_start_at_its_first_metric(headers: list[str], expected: int | None) -> None:
    start = value_columns_start(
        headers,
        friendly=False,
        metric_names={"Sales", "Cost", "P&L (net)", "Headcount"},
        list_names={"Month", "Country", "HEADCOUNT"},
    )

    assert start == expected


def test_display_names_are_compared_with_their_suffix() -> None:
    headers = ["Month", "Sales ABC123", "Sales"]

    assert value_columns_start(headers, friendly=True, metric_names={"SALES"}, list_names={"Month"}) == 2
    assert value_columns_start(headers, friendly=True, metric_names={"Sales abc123"}, list_names=set()) == 1


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param(["month_AAAAAA", "sales_BBBBBB", "scenario_CCCCCC"], 2, id="last, with a usual name"),
        pytest.param(["month_AAAAAA", "sales_BBBBBB", "_version_CCCCCC", "cost_DDDDDD"], 2, id="between metrics"),
        pytest.param(["scenario_CCCCCC", "month_AAAAAA", "sales_BBBBBB"], None, id="in front, with a usual name"),
        pytest.param(["version_CCCCCC", "month_AAAAAA", "sales_BBBBBB"], None, id="in front"),
        pytest.param(["version_CCCCCC", "month_AAAAAA", "sales_BBBBBB", "odd_DDDDDD"], None, id="one on each side"),
        pytest.param(["month_AAAAAA", "sales_BBBBBB", "odd_CCCCCC", "version_DDDDDD"], None, id="two behind"),
        pytest.param(["month_AAAAAA", "sales_BBBBBB", "odd_CCCCCC", "_scenarios_DDDDDD"], 3, id="the usual one of two"),
        pytest.param(["month_AAAAAA", "sales_BBBBBB", "odd_CCCCCC", "Plan or fact"], 3, id="the name in the request"),
        pytest.param(["month_AAAAAA", "sales_BBBBBB", "headcount_CCCCCC"], None, id="only metrics behind"),
        pytest.param(["sales_BBBBBB", "version_CCCCCC"], 1, id="no dimension"),
    ],
)
def test_a_scenario_column_behind_the_first_metric_is_found(headers: list[str], expected: int | None) -> None:
    metrics, lists = {"Sales", "Cost", "Headcount"}, {"Month", "Country", "Headcount"}
    start = value_columns_start(headers, friendly=False, metric_names=metrics, list_names=lists)
    assert start is not None

    found = scenario_column(
        headers, start, friendly=False, metric_names=metrics, list_names=lists, given_name="Plan or fact"
    )

    assert found == expected


@pytest.mark.parametrize(
    ("headers", "metric_name", "expected"),
    [
        pytest.param(["scenario_AAAAAA", "month_BBBBBB", "sales_CCCCCC"], "Sales", 2, id="last"),
        pytest.param(["month_BBBBBB", "sales_CCCCCC", "version_AAAAAA"], "Sales", 1, id="in front of any scenario"),
        pytest.param(["sales_BBBBBB", "sales_CCCCCC", "version_AAAAAA"], "Sales", 1, id="after a list of its name"),
        pytest.param(["month_BBBBBB", "sales_CCCCCC", "scenario_AAAAAA"], "", 1, id="unknown, in front of Scenario"),
        pytest.param(["month_BBBBBB", "version_AAAAAA", "sales_CCCCCC"], "", 2, id="unknown"),
        pytest.param(["scenario_AAAAAA"], "", 0, id="alone"),
    ],
)
def test_the_value_of_a_metric_with_scenarios_is_found(headers: list[str], metric_name: str, expected: int) -> None:
    assert metric_value_column(headers, friendly=False, metric_name=metric_name) == expected

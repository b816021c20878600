"""Types that are inferred from cells, and where the values of a table start."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_pigment.columns import ColumnType, fits, infer_type, value_columns_start


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

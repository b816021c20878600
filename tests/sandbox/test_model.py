"""Names and ids that blocks derive."""

import re

import pytest

from tap_pigment.sandbox.model import (
    Block,
    Column,
    DimensionList,
    Metric,
    Table,
    TransactionList,
    item_id,
    technical_name,
)

ID = "bbbbbbbb-0000-4000-8000-000000000001"
OTHER = "bbbbbbbb-0000-4000-8000-000000000002"


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Departments", "departments"), ("P&L 2026", "p_l_2026"), ("(TBH) Active?", "_tbh__active_"), ("É🎉", "__")],
)
def test_a_technical_name_is_a_slug_and_six_letters_or_digits(name: str, slug: str) -> None:
    assert re.fullmatch(rf"{slug}_[A-Z0-9]{{6}}", technical_name(name, ID))


def test_a_technical_name_never_changes_and_depends_on_name_and_identity() -> None:
    names = [technical_name("Sales", ID), technical_name("Sales", OTHER), technical_name("sales", ID)]

    assert names == ["sales_1XE8UT", "sales_0C5EIL", "sales_8A5K0P"]


def test_properties_of_the_same_name_differ_in_their_technical_names() -> None:
    block = TransactionList(id=ID, name="Journal", properties=(Column("Text"), Column("Text")))

    first, second = (column.technical_name for column in block.columns)
    assert first != second


def test_a_given_technical_name_is_kept() -> None:
    countries = DimensionList(
        id=ID, name="Countries", technical_name="c_AAAAAA", properties=(Column("Code", technical_name="d_BBBBBB"),)
    )
    sales = Metric(id=OTHER, name="Sales", technical_name="s_CCCCCC", dimensions=(countries,))

    names = [column.technical_name for column in (*countries.columns, *sales.columns)]

    assert names == ["c_AAAAAA", "d_BBBBBB", "c_AAAAAA", "s_CCCCCC"]


def test_a_dimension_and_a_metric_have_the_same_header_everywhere() -> None:
    countries = DimensionList(id=ID, name="Countries")
    sales = Metric(id=OTHER, name="Sales", dimensions=(countries,))
    plan = Table(id="bbbbbbbb-0000-4000-8000-000000000003", name="Plan", metrics=(sales,))

    assert plan.columns == sales.columns
    assert plan.columns[0] == countries.columns[0]


def test_an_item_has_its_id_for_ever() -> None:
    assert item_id(ID, "France") == "1e37499f-8625-5908-a8ca-1c5118b98b1f"


def test_rows_may_be_read_again_whether_they_are_stored_or_made() -> None:
    stored = DimensionList(id=ID, name="Stored", rows=[("a",)])
    made = DimensionList(id=ID, name="Made", rows=lambda: iter([("a",)]))

    read = [list(block.read()) for block in (stored, stored, made, made)]

    assert read == [[("a",)]] * 4


def test_a_block_as_such_has_no_columns() -> None:
    with pytest.raises(NotImplementedError):
        _ = Block(id=ID, name="None").columns

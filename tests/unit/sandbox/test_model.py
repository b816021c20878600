"""The technical names, ids and rows of blocks."""

import re

import pytest

from tap_pigment.sandbox.api import (
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
OTHER_ID = "bbbbbbbb-0000-4000-8000-000000000002"


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Departments", "departments"), ("P&L 2026", "p_l_2026"), ("(TBH) Active?", "_tbh__active_"), ("É🎉", "__")],
)
def test_a_technical_name_is_a_slug_and_six_letters_or_digits(name: str, slug: str) -> None:
    assert re.fullmatch(rf"{slug}_[A-Z0-9]{{6}}", technical_name(name, ID))


def test_a_technical_name_depends_only_on_name_and_identity() -> None:
    names = [technical_name("Sales", ID), technical_name("Sales", OTHER_ID), technical_name("sales", ID)]

    assert names == ["sales_1XE8UT", "sales_0C5EIL", "sales_8A5K0P"]


def test_properties_with_equal_names_have_different_technical_names() -> None:
    block = TransactionList(id=ID, name="Journal", properties=(Column("Text"), Column("Text")))

    first, second = (column.technical_name for column in block.columns)
    assert first != second


def test_a_given_technical_name_is_kept() -> None:
    countries = DimensionList(
        id=ID, name="Countries", technical_name="c_AAAAAA", properties=(Column("Code", technical_name="d_BBBBBB"),)
    )
    sales = Metric(id=OTHER_ID, name="Sales", technical_name="s_CCCCCC", dimensions=(countries,))

    names = [column.technical_name for column in (*countries.columns, *sales.columns)]

    assert names == ["c_AAAAAA", "d_BBBBBB", "c_AAAAAA", "s_CCCCCC"]


def test_dimensions_and_metrics_have_the_same_header_in_all_blocks() -> None:
    countries = DimensionList(id=ID, name="Countries")
    sales = Metric(id=OTHER_ID, name="Sales", dimensions=(countries,))
    plan = Table(id="bbbbbbbb-0000-4000-8000-000000000003", name="Plan", metrics=(sales,))

    assert plan.columns == sales.columns
    assert plan.columns[0] == countries.columns[0]


def test_the_id_of_an_item_never_changes() -> None:
    assert item_id(ID, "France") == "1e37499f-8625-5908-a8ca-1c5118b98b1f"


def test_stored_and_generated_rows_can_be_read_twice() -> None:
    stored = DimensionList(id=ID, name="Stored", rows=[("a",)])
    generated = DimensionList(id=ID, name="Generated", rows=lambda: iter([("a",)]))

    rows = [list(block.read()) for block in (stored, stored, generated, generated)]

    assert rows == [[("a",)]] * 4


def test_the_base_class_block_has_no_columns() -> None:
    with pytest.raises(NotImplementedError):
        _ = Block(id=ID, name="None").columns

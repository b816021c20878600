"""Selected columns, found in a live header."""

from __future__ import annotations

import pytest

from tap_pigment.catalog.selection import selected_columns
from tap_pigment.columns import Column, ColumnType
from tap_pigment.errors import CatalogError

PROPERTIES = {
    "Code": {"type": ["string"]},
    "Size": {"type": ["number", "null"]},
    "contentHash": {"type": ["string"]},
}


def test_selected_columns_are_found_wherever_they_stand() -> None:
    columns, unknown = selected_columns("plan", PROPERTIES, ["Code", "Size"], ["Size", "New", "Code"], friendly=False)

    assert columns == (
        Column("Code", "Code", ColumnType.TEXT, nullable=False, position=2),
        Column("Size", "Size", ColumnType.NUMBER, nullable=True, position=0),
    )
    assert unknown == ("New",)


def test_columns_that_the_tap_adds_are_not_looked_for_in_the_export() -> None:
    columns, _ = selected_columns("plan", PROPERTIES, ["Code", "contentHash"], ["Code"], friendly=False)

    assert [column.name for column in columns] == ["Code"]


def test_missing_selected_column_is_an_error() -> None:
    with pytest.raises(CatalogError, match=r"^plan: column Size is in the catalog and no longer in the export\."):
        selected_columns("plan", PROPERTIES, ["Size"], ["Code"], friendly=False)


def test_missing_column_that_is_not_selected_is_no_error() -> None:
    columns, unknown = selected_columns("plan", PROPERTIES, ["Code"], ["Code"], friendly=False)

    assert len(columns) == 1
    assert unknown == ()

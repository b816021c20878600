"""Keys: the columns that identify a row, and the primary key that a target gets."""

import pytest

from tap_pigment.columns import Column, ColumnType, RowKey, existing_columns
from tap_pigment.errors import SettingsError


def test_a_keyless_row_is_identified_by_its_hash_and_number() -> None:
    key = RowKey()

    assert key.is_keyless
    assert key.primary_key == ("contentHash", "occurrence")
    assert key.added_columns == ("contentHash", "occurrence")


def test_a_keyed_row_is_identified_by_its_key_columns() -> None:
    key = RowKey(("Code", "Month"))

    assert not key.is_keyless
    assert key.primary_key == ("Code", "Month")
    assert key.added_columns == ("contentHash",)


@pytest.mark.parametrize(
    ("primary_key", "expected"),
    [
        (["contentHash", "occurrence"], RowKey()),
        ([], RowKey()),
        (["Code"], RowKey(("Code",))),
        (["b", "a"], RowKey(("b", "a"))),
        (["contentHash"], RowKey(("contentHash",))),
    ],
)
def test_a_row_key_is_read_from_a_primary_key(primary_key: list[str], expected: RowKey) -> None:
    assert RowKey.from_primary_key(iter(primary_key)) == expected


def test_key_columns_are_picked_in_the_order_of_the_export_or_of_their_names() -> None:
    columns = [
        Column(name, name, ColumnType.TEXT, nullable=True, position=position) for position, name in enumerate("cBad")
    ]
    key = RowKey(("a", "c", "B"))

    assert [column.name for column in key.of(columns)] == ["c", "B", "a"]
    assert [column.name for column in key.sorted_of(columns)] == ["B", "a", "c"]
    assert RowKey().of(columns) == []


def test_existing_columns_come_once_and_in_their_order() -> None:
    assert existing_columns(["b", "a", "b"], ["a", "b", "c"], setting="x") == ("b", "a")
    assert existing_columns([], ["a"], setting="x") == ()


def test_a_column_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(SettingsError) as caught:
        existing_columns(["a", "x", "y"], ["a", "b"], setting="stream_overrides.plan.key_columns")

    assert str(caught.value) == "stream_overrides.plan.key_columns: no column x, y in the export. Its columns: a, b."

"""Column types in the JSON schema of a catalog, in both directions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_pigment.columns import ColumnType, json_schema_type, type_in_json_schema
from tap_pigment.errors import CatalogError


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
def test_a_column_type_has_one_json_schema(column_type: str, nullable: bool, schema: dict[str, object]) -> None:  # noqa: FBT001 - a column of the table.
    assert json_schema_type(ColumnType(column_type), nullable=nullable) == schema


@given(st.sampled_from(ColumnType), st.booleans())
def test_a_json_schema_gives_its_column_type_back(column_type: ColumnType, nullable: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis.
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
def test_other_schemas_of_a_catalog_are_read(schema: dict[str, object], expected: tuple[str, bool]) -> None:
    assert type_in_json_schema(schema, where="plan.a") == expected


@pytest.mark.parametrize(
    "schema",
    [
        {"type": ["object", "null"]},
        {"type": "array"},
        {"type": ["string", "number", "null"]},
        {"type": ["null"]},
        {"type": []},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        {"oneOf": [{"type": "number"}]},
        {"allOf": [{"type": "number"}]},
        {"type": ["string"], "format": "date-time"},
        {"type": ["string"], "format": "time"},
        {"type": ["string"], "format": "duration"},
    ],
)
def test_a_type_that_no_cell_can_have_is_refused(schema: dict[str, object]) -> None:
    with pytest.raises(CatalogError) as caught:
        type_in_json_schema(schema, where="plan.amount")

    assert str(caught.value).startswith("plan.amount: ")
    assert str(caught.value).endswith("Use string, number, integer, boolean, or string with format date.")


def test_the_refused_format_is_named() -> None:
    with pytest.raises(CatalogError, match="with format date-time"):
        type_in_json_schema({"type": ["string"], "format": "date-time"}, where="plan.amount")

"""Column types: which texts fit one, and which type Pigment's metadata names."""

import pytest

from tap_pigment.columns import ColumnType, fits, type_in_metadata
from tests.unit.columns.cells import CELLS


@pytest.mark.parametrize(("text", "types"), CELLS, ids=[repr(text)[:30] for text, _ in CELLS])
def test_a_cell_fits_the_types_of_the_table(text: str, types: set[str]) -> None:
    fitting = {column_type.value for column_type in ColumnType if fits(column_type, text)}

    assert fitting == {"text", *types}


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
def test_each_type_in_metadata_has_a_column_type(pigment_type: str | None, expected: str | None) -> None:
    assert type_in_metadata(pigment_type) == expected

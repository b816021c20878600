"""Stream maps with `change_detection: row`: a key column may be made of key columns only."""

from __future__ import annotations

import pytest

from tap_pigment.settings import key_problem

COLUMNS = {"Code", "Region", "Name", "Unit price", "contentHash"}


@pytest.mark.parametrize(
    "expression",
    [
        "Code",
        "Code.strip().upper()",
        "f'{Region}-{Code}'",
        "self or 'none'",
        "md5(Code + config['seed'])",
        "_['Region'] + record['Code']",
        "record.get('Code', '') + _.get('Region')",
        "__stream_name__ + Code",
        "'Name'",
        "((",
        None,
        7,
    ],
)
def test_a_key_column_may_be_made_of_key_columns(expression: object) -> None:
    assert key_problem("a", {"Code": expression}, ["Code", "Region"], COLUMNS) is None


@pytest.mark.parametrize(
    ("expression", "others"),
    [
        ("Code + Name", "Name"),
        ("f'{Code}-{Name}'", "Name"),
        ("Code if Name else Region", "Name"),
        ("_['Unit price'] + contentHash", "Unit price, contentHash"),
        ("record['Name']", "Name"),
        ("str(_)", "_"),
        ("record.get('Name')", "Name"),
        ("record.items()", "record"),
        ("[n for n in Name]", "Name"),
    ],
)
def test_a_key_column_may_not_be_made_of_others(expression: str, others: str) -> None:
    problem = key_problem("a", {"Name": "Name", "Code": expression}, ["Code", "Region"], COLUMNS)

    assert problem is not None
    assert problem.startswith(f"stream_maps.a.Code: it makes a key column of {others}. With change_detection: row, ")


def test_other_columns_may_be_made_of_all() -> None:
    assert key_problem("a", {"Name": "Name + str(record)"}, ["Code"], COLUMNS) is None

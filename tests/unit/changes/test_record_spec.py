"""How records are made of rows: which differences prevent a comparison, and how each is named."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tap_pigment.changes import RecordSpec
from tap_pigment.columns import Column, ColumnType, RowKey

CODE = Column("Code", "Code", ColumnType.TEXT, nullable=False, position=0)
NAME = Column("Name", "Name", ColumnType.TEXT, nullable=True, position=1)
SIZE = Column("Size", "Size", ColumnType.NUMBER, nullable=True, position=2)
COLUMNS = (CODE, NAME, SIZE)
KEY = RowKey(("Code",))
SPEC = RecordSpec.of(COLUMNS, KEY, {})


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        pytest.param(SPEC, None, id="the same"),
        pytest.param(RecordSpec.of((SIZE, NAME, CODE), KEY, {}), None, id="columns in another order"),
        pytest.param(
            RecordSpec.of((replace(CODE, position=2), NAME, replace(SIZE, position=0)), KEY, {}),
            None,
            id="columns at other positions",
        ),
        pytest.param(
            RecordSpec.of((replace(CODE, header="Code of the country"), NAME, SIZE), KEY, {}),
            None,
            id="another header of the same name",
        ),
        pytest.param(RecordSpec.of(COLUMNS, KEY, {"stream_maps": {}, "snapshot_uri": "x"}), None, id="other settings"),
        pytest.param(RecordSpec.of(COLUMNS, RowKey(("Name",)), {}), "the key was (Name) and is (Code)", id="key"),
        pytest.param(
            RecordSpec.of(COLUMNS, RowKey(), {}),
            "the key was (contentHash, occurrence) and is (Code)",
            id="no key",
        ),
        pytest.param(RecordSpec.of((CODE, NAME), KEY, {}), "other columns are selected (Size)", id="selection"),
        pytest.param(
            RecordSpec.of((CODE, replace(NAME, type=ColumnType.DATE), replace(SIZE, type=ColumnType.TEXT)), KEY, {}),
            "columns have other types (Name, Size)",
            id="types",
        ),
        pytest.param(
            RecordSpec.of((CODE, replace(NAME, nullable=False), SIZE), KEY, {}),
            "columns have other types (Name)",
            id="nullable",
        ),
        pytest.param(
            replace(SPEC, hash_version=SPEC.hash_version + 1),
            "this version of the tap computes contentHash in another way",
            id="hash version",
        ),
        *(
            pytest.param(
                RecordSpec.of(COLUMNS, KEY, setting),
                "stream maps or flattening are set differently",
                id=next(iter(setting)),
            )
            for setting in (
                {"stream_maps": {"countries": {"Size": "Size * 2"}}},
                {"stream_map_config": {"factor": 2}},
                {"faker_config": {"seed": 1}},
                {"flattening_enabled": True},
                {"flattening_max_depth": 1},
                {"flattening_max_key_length": 10},
                {"flattening_separator": "-"},
            )
        ),
    ],
)
def test_difference_names_what_changed(other: RecordSpec, difference: str | None) -> None:
    assert SPEC.difference(other) == difference
    assert (SPEC.digest == other.digest) is (difference is None)


@pytest.mark.parametrize("key", [KEY, RowKey(("Name", "Code")), RowKey()], ids=["one column", "two columns", "none"])
def test_spec_is_read_from_json_as_it_was_written(key: RowKey) -> None:
    spec = RecordSpec.of(COLUMNS, key, {"stream_maps": {"countries": {"Size": "Size * 2"}}})

    assert RecordSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


@pytest.mark.parametrize(
    "described",
    [
        {},
        SPEC.to_json() | {"columns": [["Code"]]},
        SPEC.to_json() | {"key": None},
        SPEC.to_json() | {"hash_version": "new"},
        {name: member for name, member in SPEC.to_json().items() if name != "maps"},
    ],
)
def test_description_of_another_form_is_an_error(described: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        RecordSpec.from_json(described)


def test_key_types_are_those_of_the_key_columns() -> None:
    assert RecordSpec.of(COLUMNS, RowKey(("Size", "Code")), {}).key_types == {"Code": "text", "Size": "number"}
    assert RecordSpec.of(COLUMNS, RowKey(), {}).key_types == {"contentHash": None, "occurrence": None}

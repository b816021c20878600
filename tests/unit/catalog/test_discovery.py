"""Stream definitions from the beginning of an export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.catalog.blocks import ModelNames, StreamSource
from tap_pigment.catalog.discovery import define
from tap_pigment.columns import ColumnType, RowKey, StreamName
from tap_pigment.exports import ExportSample
from tap_pigment.pigment import Block, BlockType, ColumnMetadata
from tap_pigment.settings import Settings, StreamOverride

if TYPE_CHECKING:
    from tap_pigment.catalog.discovery import StreamDefinition

NAMES = ModelNames(metrics=frozenset({"Revenue", "Open"}), lists=frozenset({"Month", "Region"}))


def definition(
    block_type: BlockType,
    header: str,
    *rows: str,
    override: StreamOverride | None = None,
    metadata: tuple[ColumnMetadata, ...] = (),
    name: str = "Plan",
    **settings: Any,  # noqa: ANN401 - JSON.
) -> StreamDefinition:
    block = Block("id-1", name, block_type, "app-1", metadata)
    sample = ExportSample(tuple(header.split(";")), [row.split(";") for row in rows])
    source = StreamSource(StreamName("plan"), block, override or StreamOverride())
    return define(source, sample, Settings.from_config({"api_key": "k", "application_id": "app-1", **settings}), NAMES)


def test_first_column_of_a_dimension_list_is_its_key() -> None:
    found = definition(BlockType.DIMENSION_LIST, "Code_AAAAAA;Name_BBBBBB", "1;One", "2;Two")

    assert found.key == RowKey(("Code_AAAAAA",))
    assert [column.nullable for column in found.columns] == [False, True]


def test_list_with_a_repeated_first_column_has_no_key() -> None:
    found = definition(BlockType.DIMENSION_LIST, "Code_AAAAAA;Name_BBBBBB", "1;One", "1;Two")

    assert found.key == RowKey()


def test_transaction_list_has_no_key() -> None:
    assert definition(BlockType.TRANSACTION_LIST, "Code_AAAAAA", "1", "2").key == RowKey()


def test_columns_before_the_first_metric_are_the_key_of_a_table() -> None:
    found = definition(BlockType.TABLE, "Month_AAAAAA;Region_BBBBBB;Revenue_CCCCCC", "Jan;EU;1", "Jan;US;2")

    assert found.key == RowKey(("Month_AAAAAA", "Region_BBBBBB"))
    assert found.columns[2].type is ColumnType.NUMBER


def test_all_columns_but_the_last_are_the_key_of_a_metric() -> None:
    found = definition(BlockType.METRIC, "Month_AAAAAA;Region_BBBBBB;Value_CCCCCC", "Jan;EU;1")

    assert found.key == RowKey(("Month_AAAAAA", "Region_BBBBBB"))


def test_values_of_a_view_are_found_with_friendly_headers_too() -> None:
    found = definition(BlockType.VIEW, "Month_AAAAAA;Revenue_CCCCCC", "Jan;10", headers="friendly")

    assert [(column.name, column.type) for column in found.columns] == [
        ("month_aaaaaa", ColumnType.TEXT),
        ("revenue_cccccc", ColumnType.NUMBER),
    ]


SCENARIOS = StreamOverride(request={"scenarios": ["s-1", "s-2"]})


@pytest.mark.parametrize(
    "header",
    ["Scenario_DDDDDD;Month_AAAAAA;Revenue_CCCCCC", "Month_AAAAAA;Revenue_CCCCCC;Scenario_DDDDDD"],
)
@pytest.mark.parametrize("block_type", [BlockType.TABLE, BlockType.METRIC])
def test_the_scenario_column_belongs_to_the_key_wherever_it_stands(block_type: BlockType, header: str) -> None:
    cells = {"Scenario_DDDDDD": ["Plan", "Fact"], "Month_AAAAAA": ["Jan", "Jan"], "Revenue_CCCCCC": ["1", "2"]}
    rows = [";".join(cells[name][row] for name in header.split(";")) for row in (0, 1)]

    found = definition(block_type, header, *rows, override=SCENARIOS, name="Revenue")

    assert set(found.key.columns) == {"Scenario_DDDDDD", "Month_AAAAAA"}
    assert {column.name: column.type for column in found.columns} == {
        "Scenario_DDDDDD": ColumnType.TEXT,
        "Month_AAAAAA": ColumnType.TEXT,
        "Revenue_CCCCCC": ColumnType.NUMBER,
    }


def test_the_request_of_the_first_slice_shows_that_there_are_scenarios() -> None:
    override = StreamOverride(slices=({"scenarios": ["s-1"]}, {"scenarios": ["s-2"]}))

    found = definition(BlockType.TABLE, "Month_AAAAAA;Revenue_CCCCCC;Version_DDDDDD", "Jan;1;Plan", override=override)

    assert found.key == RowKey(("Month_AAAAAA", "Version_DDDDDD"))


def test_the_name_that_the_request_gives_the_scenario_column_is_found() -> None:
    fields = [{"type": "ValueField", "sourceId": "m"}, {"type": "ScenarioField", "displayName": "Plan or fact"}]
    override = StreamOverride(request={"fields": fields})

    found = definition(BlockType.TABLE, "Month_AAAAAA;Revenue_CCCCCC;Odd_EEEEEE;Plan or fact", override=override)

    assert found.key == RowKey(("Month_AAAAAA", "Plan or fact"))


def test_a_last_column_that_is_no_metric_is_a_value_without_scenarios() -> None:
    assert definition(BlockType.TABLE, "Month_AAAAAA;Revenue_CCCCCC;Version_DDDDDD").key == RowKey(("Month_AAAAAA",))


def test_columns_that_metadata_marks_are_the_key() -> None:
    marked = (ColumnMetadata("Name", "Text", is_key=True), ColumnMetadata("code_AAAAAA", "Number", is_key=True))

    found = definition(BlockType.TRANSACTION_LIST, "code_AAAAAA;name_BBBBBB", "1;One", metadata=marked)

    assert found.key == RowKey(("name_BBBBBB", "code_AAAAAA"))
    assert found.columns[0].type is ColumnType.TEXT


def test_key_columns_of_the_override_are_the_key() -> None:
    override = StreamOverride(key_columns=("Name_BBBBBB",))

    found = definition(BlockType.DIMENSION_LIST, "Code_AAAAAA;Name_BBBBBB", "1;One", override=override)

    assert found.key == RowKey(("Name_BBBBBB",))


def test_whole_numbers_of_a_list_stay_text_and_those_of_a_metric_are_numbers() -> None:
    listed = definition(BlockType.DIMENSION_LIST, "Code_AAAAAA;Zip_BBBBBB", "a;1")
    metric = definition(BlockType.METRIC, "Month_AAAAAA;Value_BBBBBB", "Jan;1")

    assert listed.columns[1].type is ColumnType.TEXT
    assert metric.columns[1].type is ColumnType.NUMBER


def test_type_in_metadata_wins_over_the_cells() -> None:
    described = (ColumnMetadata("Zip", "Integer", is_key=False),)

    found = definition(BlockType.DIMENSION_LIST, "code_AAAAAA;zip_BBBBBB", "a;x", metadata=described)

    assert found.columns[1].type is ColumnType.INTEGER


def test_every_column_is_text_without_inference() -> None:
    found = definition(BlockType.METRIC, "Month_AAAAAA;Value_BBBBBB", "Jan;1", infer_types=False)

    assert {column.type for column in found.columns} == {ColumnType.TEXT}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        pytest.param(
            StreamOverride(types={"Nme": "text"}),
            "stream_overrides.plan.types: no column Nme in the export. Its columns: Code_AAAAAA, Name_BBBBBB.",
            id="type of a column that does not exist",
        ),
        pytest.param(
            StreamOverride(key_columns=("Nme",)),
            "stream_overrides.plan.key_columns: no column Nme in the export. Its columns: Code_AAAAAA, Name_BBBBBB.",
            id="key column that does not exist",
        ),
        pytest.param(
            StreamOverride(types={"Code_AAAAAA": "number"}),
            "stream_overrides.plan.types: Code_AAAAAA is a key column and cannot be a number. Set its type to text or "
            "integer, or set other key_columns.",
            id="number as key",
        ),
    ],
)
def test_override_that_does_not_fit_is_the_failure_of_a_definition_without_it(
    override: StreamOverride, message: str
) -> None:
    found = definition(BlockType.DIMENSION_LIST, "Code_AAAAAA;Name_BBBBBB", "1;One", override=override)

    plain = definition(BlockType.DIMENSION_LIST, "Code_AAAAAA;Name_BBBBBB", "1;One")
    assert str(found.failure) == message
    assert (found.columns, found.key) == (plain.columns, plain.key)
    assert found.source.override == override

"""What is sent to Pigment, and how its answers are read."""

from typing import Any

import pytest

from tap_pigment.errors import PigmentExportError
from tap_pigment.protocol import (
    Application,
    Block,
    BlockType,
    Call,
    ColumnMetadata,
    Right,
    export,
    list_applications,
    list_blocks,
    list_views,
    read_applications,
    read_blocks,
    read_views,
)

# From Pigment's description of its API, v1: what a request body may hold, and nothing else.
FORMAT_PROPERTIES = {"friendlyHeaders", "dateFormat", "fieldDelimiter", "decimalSeparator", "encoding"}
PROPERTIES = {
    "list": {*FORMAT_PROPERTIES, "propertyTechnicalNames", "listFilter", "propertyFilters"},
    "metric": {*FORMAT_PROPERTIES, "scenarios", "filters", "exportFilter"},
    "table": {*FORMAT_PROPERTIES, "metrics", "scenarios", "filters", "exportFilter", "fields"},
}
ENUMS = {
    "dateFormat": {"Legacy", "Iso8601"},
    "fieldDelimiter": {"Semicolon", "Comma"},
    "decimalSeparator": {"Comma", "Dot"},
    "encoding": {"Utf8WithBom", "Utf8WithoutBom"},
}


def export_of(
    block_type: BlockType, *, block_id: str = "id-1", friendly: bool = False, request: dict[str, Any] | None = None
) -> Call:
    block = Block(block_id, "Plan", block_type, "app-1")
    return export(block, "exporting plan", friendly=friendly, request=request or {})


@pytest.mark.parametrize(
    ("call", "path", "params"),
    [
        (list_applications(), "/v1/applications", {}),
        (list_blocks("app-1"), "/v1/blocks", {"applicationId": "app-1"}),
        (list_views("app-1"), "/v1/views", {"applicationId": "app-1"}),
        (list_views("app-1", "id-1"), "/v1/views", {"applicationId": "app-1", "blockId": "id-1"}),
    ],
)
def test_listings_are_asked_for_with_the_metadata_right(call: Call, path: str, params: dict[str, str]) -> None:
    assert (call.method, call.path, call.params, call.body) == ("GET", path, params, None)
    assert call.right is Right.MODELING_METADATA
    assert call.right.value == "Modeling Metadata"


@pytest.mark.parametrize(
    ("call", "purpose"),
    [
        (list_applications(), "listing the applications"),
        (list_blocks("app-1"), "listing the blocks of application app-1"),
        (list_views("app-1"), "listing the views of application app-1"),
        (list_views("app-1", "id-1"), "listing the views of block id-1"),
    ],
)
def test_a_call_says_what_it_is_for(call: Call, purpose: str) -> None:
    assert call.purpose == purpose


@pytest.mark.parametrize(
    ("block_type", "path"),
    [
        (BlockType.DIMENSION_LIST, "/v1/export/list/id-1"),
        (BlockType.TRANSACTION_LIST, "/v1/export/list/id-1"),
        (BlockType.METRIC, "/v1/export/metric/id-1"),
        (BlockType.TABLE, "/v1/export/table/id-1"),
    ],
)
def test_a_block_is_exported_with_its_whole_format_asked_for(block_type: BlockType, path: str) -> None:
    call = export_of(block_type)

    assert (call.right, call.method, call.path, call.params) == (Right.EXPORT, "POST", path, {})
    assert call.purpose == "exporting plan"
    assert call.body == {
        "fieldDelimiter": "Semicolon",
        "decimalSeparator": "Dot",
        "dateFormat": "Iso8601",
        "encoding": "Utf8WithoutBom",
        "friendlyHeaders": False,
    }


@pytest.mark.parametrize("block_type", [block_type for block_type in BlockType if block_type is not BlockType.VIEW])
def test_pigment_knows_every_word_of_a_body(block_type: BlockType) -> None:
    body = export_of(block_type).body

    assert body is not None
    assert body.keys() <= PROPERTIES[block_type.kind]
    for name, allowed in ENUMS.items():
        assert body[name] in allowed


def test_a_view_takes_a_delimiter_and_nothing_else() -> None:
    call = export_of(BlockType.VIEW, friendly=True, request={"listFilter": ["item"]})

    assert (call.right, call.method, call.path) == (Right.EXPORT, "GET", "/v1/export/view/id-1")
    assert call.params == {"fieldDelimiter": "Semicolon"}
    assert call.body is None


def test_display_names_are_asked_for_where_they_are_wanted() -> None:
    call = export_of(BlockType.TABLE, friendly=True)

    assert call.body is not None
    assert call.body["friendlyHeaders"] is True


def test_a_raw_request_is_sent_but_for_the_format() -> None:
    request = {
        "scenarios": ["s-1"],
        "exportFilter": {"type": "Value"},
        "fieldDelimiter": "Comma",
        "decimalSeparator": "Comma",
        "dateFormat": "Legacy",
        "encoding": "Utf8WithBom",
        "friendlyHeaders": True,
    }
    before = dict(request)

    call = export_of(BlockType.METRIC, request=request)

    assert call.body == {
        "scenarios": ["s-1"],
        "exportFilter": {"type": "Value"},
        "fieldDelimiter": "Semicolon",
        "decimalSeparator": "Dot",
        "dateFormat": "Iso8601",
        "encoding": "Utf8WithoutBom",
        "friendlyHeaders": False,
    }
    assert request == before


@pytest.mark.parametrize(
    ("block_id", "path"),
    [
        ("a/../b", "/v1/export/list/a%2F..%2Fb"),
        ("a?b=c#d", "/v1/export/list/a%3Fb%3Dc%23d"),
        ("a b%é", "/v1/export/list/a%20b%25%C3%A9"),
    ],
)
def test_an_id_cannot_leave_its_place_in_the_path(block_id: str, path: str) -> None:
    assert export_of(BlockType.DIMENSION_LIST, block_id=block_id).path == path


def test_applications_are_read() -> None:
    answer = [{"id": "app-1", "name": "Finance"}, {"id": "app-2", "name": ""}]

    assert read_applications(answer) == (Application("app-1", "Finance"), Application("app-2", ""))


def test_blocks_are_read_and_types_without_an_export_are_left_out() -> None:
    answer = [
        {"id": "1", "name": "Countries", "type": "DimensionList"},
        {"id": "2", "name": "Journal", "type": "TransactionList"},
        {"id": "3", "name": "Sales", "type": "Metric"},
        {"id": "4", "name": "P&L", "type": "Table"},
        {"id": "5", "name": "Board", "type": "Dashboard"},
        {"id": "6", "name": "Untyped"},
        {"id": "7", "name": "Odd", "type": None},
    ]

    assert read_blocks(answer, "app-1") == (
        Block("1", "Countries", BlockType.DIMENSION_LIST, "app-1"),
        Block("2", "Journal", BlockType.TRANSACTION_LIST, "app-1"),
        Block("3", "Sales", BlockType.METRIC, "app-1"),
        Block("4", "P&L", BlockType.TABLE, "app-1"),
    )


@pytest.mark.parametrize("strange_type", [["Table"], {"label": "Table"}])
def test_a_block_type_that_is_no_text_is_left_out(strange_type: object) -> None:
    answer = [{"id": "1", "name": "Odd", "type": strange_type}, {"id": "4", "name": "P&L", "type": "Table"}]

    assert read_blocks(answer, "app-1") == (Block("4", "P&L", BlockType.TABLE, "app-1"),)


def test_columns_are_read_where_a_block_carries_them() -> None:
    columns = [
        {"name": "code_AAAAAA", "type": "Text", "isKey": True},
        {"name": "rate_BBBBBB", "type": "Number", "isKey": False},
        {"name": "note_CCCCCC"},
    ]

    (block,) = read_blocks([{"id": "1", "name": "Countries", "type": "DimensionList", "columns": columns}], "app-1")

    assert block.columns == (
        ColumnMetadata("code_AAAAAA", "Text", is_key=True),
        ColumnMetadata("rate_BBBBBB", "Number", is_key=False),
        ColumnMetadata("note_CCCCCC", None, is_key=False),
    )


@pytest.mark.parametrize(
    "columns", [None, "code", 3, {"name": "code"}, [], ["code"], [{"type": "Text"}], [{"name": 1}]]
)
def test_columns_that_make_no_sense_are_no_columns(columns: object) -> None:
    (block,) = read_blocks([{"id": "1", "name": "Plan", "type": "Table", "columns": columns}], "app-1")

    assert block.columns == ()


@pytest.mark.parametrize("strange_type", [["Text"], {"kind": "Text"}, 1])
def test_a_column_type_that_is_no_text_says_nothing(strange_type: object) -> None:
    columns = [{"name": "code", "type": strange_type}]

    (block,) = read_blocks([{"id": "1", "name": "Plan", "type": "Table", "columns": columns}], "app-1")

    assert block.columns == (ColumnMetadata("code", None, is_key=False),)


@pytest.mark.parametrize("is_key", ["true", 1, None])
def test_only_true_marks_a_key(is_key: object) -> None:
    columns = [{"name": "code", "isKey": is_key}]

    (block,) = read_blocks([{"id": "1", "name": "Plan", "type": "Table", "columns": columns}], "app-1")

    assert block.columns == (ColumnMetadata("code", None, is_key=False),)


def test_public_and_personal_views_are_read_as_blocks() -> None:
    answer = [{"id": "v-1", "name": "Board", "type": "Public"}, {"id": "v-2", "name": "Mine", "type": "Personal"}]

    assert read_views(answer, "app-1") == (
        Block("v-1", "Board", BlockType.VIEW, "app-1"),
        Block("v-2", "Mine", BlockType.VIEW, "app-1"),
    )


def test_nothing_is_a_good_answer() -> None:
    assert read_applications([]) == ()
    assert read_blocks([], "app-1") == ()
    assert read_views([], "app-1") == ()


@pytest.mark.parametrize("answer", [None, {}, {"items": []}, "text", 3, [None], ["id"], [[]]])
def test_an_answer_that_is_no_list_of_objects_is_an_error(answer: object) -> None:
    with pytest.raises(PigmentExportError, match=r"answer is not a list of applications\. Check api_url"):
        read_applications(answer)
    with pytest.raises(
        PigmentExportError,
        match=r"^While listing the blocks of application app-1: Pigment's answer is not a list of blocks\.",
    ):
        read_blocks(answer, "app-1")
    with pytest.raises(PigmentExportError, match="not a list of views"):
        read_views(answer, "app-1")


@pytest.mark.parametrize(
    ("item", "missing"),
    [
        ({"name": "Plan", "type": "Table"}, "id"),
        ({"id": "1", "type": "Table"}, "name"),
        ({"id": 1, "name": "Plan", "type": "Table"}, "id"),
        ({"id": "1", "name": None, "type": "Table"}, "name"),
    ],
)
def test_an_item_without_its_identity_is_an_error(item: dict[str, object], missing: str) -> None:
    with pytest.raises(PigmentExportError, match=f"holds an item without {missing}\\. Check api_url"):
        read_blocks([item], "app-1")
    with pytest.raises(PigmentExportError, match=f"holds an item without {missing}"):
        read_views([item], "app-1")
    with pytest.raises(PigmentExportError, match=f"holds an item without {missing}"):
        read_applications([item])

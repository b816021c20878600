"""Requests to Pigment as data, and how its metadata responses are read."""

from typing import Any

import pytest

from tap_pigment.errors import PigmentExportError
from tap_pigment.pigment.api import (
    ApiRequest,
    Application,
    Block,
    BlockType,
    ColumnMetadata,
    Scope,
    export_block,
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


def export_request(
    block_type: BlockType, *, block_id: str = "id-1", friendly: bool = False, raw_body: dict[str, Any] | None = None
) -> ApiRequest:
    block = Block(block_id, "Plan", block_type, "app-1")
    return export_block(block, "plan", friendly=friendly, request=raw_body or {})


@pytest.mark.parametrize(
    ("listing", "path", "params"),
    [
        (list_applications(), "/v1/applications", {}),
        (list_blocks("app-1"), "/v1/blocks", {"applicationId": "app-1"}),
        (list_views("app-1"), "/v1/views", {"applicationId": "app-1"}),
        (list_views("app-1", "id-1"), "/v1/views", {"applicationId": "app-1", "blockId": "id-1"}),
    ],
)
def test_a_listing_needs_the_metadata_scope(listing: ApiRequest, path: str, params: dict[str, str]) -> None:
    assert (listing.method, listing.path, listing.params, listing.body) == ("GET", path, params, None)
    assert listing.scope is Scope.MODELING_METADATA
    assert listing.scope.value == "Modeling Metadata"


@pytest.mark.parametrize(
    ("listing", "subject"),
    [
        (list_applications(), "Listing the applications"),
        (list_blocks("app-1"), "Listing the blocks of application app-1"),
        (list_views("app-1"), "Listing the views of application app-1"),
        (list_views("app-1", "id-1"), "Listing the views of block id-1"),
    ],
)
def test_the_subject_of_a_listing_names_what_is_listed(listing: ApiRequest, subject: str) -> None:
    assert listing.subject == subject


@pytest.mark.parametrize(
    ("block_type", "path"),
    [
        (BlockType.DIMENSION_LIST, "/v1/export/list/id-1"),
        (BlockType.TRANSACTION_LIST, "/v1/export/list/id-1"),
        (BlockType.METRIC, "/v1/export/metric/id-1"),
        (BlockType.TABLE, "/v1/export/table/id-1"),
    ],
)
def test_an_export_request_names_the_whole_format(block_type: BlockType, path: str) -> None:
    request = export_request(block_type)

    assert (request.scope, request.method, request.path, request.params) == (Scope.EXPORT, "POST", path, {})
    assert request.subject == "plan"
    assert request.body == {
        "fieldDelimiter": "Semicolon",
        "decimalSeparator": "Dot",
        "dateFormat": "Iso8601",
        "encoding": "Utf8WithoutBom",
        "friendlyHeaders": False,
    }


@pytest.mark.parametrize("block_type", [block_type for block_type in BlockType if block_type is not BlockType.VIEW])
def test_a_body_has_only_documented_properties(block_type: BlockType) -> None:
    body = export_request(block_type).body

    assert body is not None
    assert body.keys() <= PROPERTIES[block_type.kind]
    for name, allowed in ENUMS.items():
        assert body[name] in allowed


def test_the_export_of_a_view_has_a_delimiter_and_no_body() -> None:
    request = export_request(BlockType.VIEW, friendly=True, raw_body={"listFilter": ["item"]})

    assert (request.scope, request.method, request.path) == (Scope.EXPORT, "GET", "/v1/export/view/id-1")
    assert request.params == {"fieldDelimiter": "Semicolon"}
    assert request.body is None


def test_friendly_headers_are_requested_by_display_names() -> None:
    request = export_request(BlockType.TABLE, friendly=True)

    assert request.body is not None
    assert request.body["friendlyHeaders"] is True


def test_a_raw_body_is_merged_below_the_format() -> None:
    raw_body = {
        "scenarios": ["s-1"],
        "exportFilter": {"type": "Value"},
        "fieldDelimiter": "Comma",
        "decimalSeparator": "Comma",
        "dateFormat": "Legacy",
        "encoding": "Utf8WithBom",
        "friendlyHeaders": True,
    }
    before = dict(raw_body)

    request = export_request(BlockType.METRIC, raw_body=raw_body)

    assert request.body == {
        "scenarios": ["s-1"],
        "exportFilter": {"type": "Value"},
        "fieldDelimiter": "Semicolon",
        "decimalSeparator": "Dot",
        "dateFormat": "Iso8601",
        "encoding": "Utf8WithoutBom",
        "friendlyHeaders": False,
    }
    assert raw_body == before


@pytest.mark.parametrize(
    ("block_id", "path"),
    [
        ("a/../b", "/v1/export/list/a%2F..%2Fb"),
        ("a?b=c#d", "/v1/export/list/a%3Fb%3Dc%23d"),
        ("a b%é", "/v1/export/list/a%20b%25%C3%A9"),
    ],
)
def test_an_id_is_quoted_in_the_path(block_id: str, path: str) -> None:
    assert export_request(BlockType.DIMENSION_LIST, block_id=block_id).path == path


def test_applications_are_read() -> None:
    response = [{"id": "app-1", "name": "Finance"}, {"id": "app-2", "name": ""}]

    assert read_applications(response) == (Application("app-1", "Finance"), Application("app-2", ""))


def test_blocks_are_read_and_unknown_types_are_skipped() -> None:
    response = [
        {"id": "1", "name": "Countries", "type": "DimensionList"},
        {"id": "2", "name": "Journal", "type": "TransactionList"},
        {"id": "3", "name": "Sales", "type": "Metric"},
        {"id": "4", "name": "P&L", "type": "Table"},
        {"id": "5", "name": "Board", "type": "Dashboard"},
        {"id": "6", "name": "Untyped"},
        {"id": "7", "name": "Odd", "type": None},
    ]

    assert read_blocks(response, "app-1") == (
        Block("1", "Countries", BlockType.DIMENSION_LIST, "app-1"),
        Block("2", "Journal", BlockType.TRANSACTION_LIST, "app-1"),
        Block("3", "Sales", BlockType.METRIC, "app-1"),
        Block("4", "P&L", BlockType.TABLE, "app-1"),
    )


@pytest.mark.parametrize("strange_type", [["Table"], {"label": "Table"}])
def test_a_block_type_that_is_not_text_is_skipped(strange_type: object) -> None:
    response = [{"id": "1", "name": "Odd", "type": strange_type}, {"id": "4", "name": "P&L", "type": "Table"}]

    assert read_blocks(response, "app-1") == (Block("4", "P&L", BlockType.TABLE, "app-1"),)


def test_columns_of_a_block_are_read() -> None:
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
def test_columns_of_another_form_are_ignored(columns: object) -> None:
    (block,) = read_blocks([{"id": "1", "name": "Plan", "type": "Table", "columns": columns}], "app-1")

    assert block.columns == ()


@pytest.mark.parametrize("strange_type", [["Text"], {"kind": "Text"}, 1])
def test_a_column_type_that_is_not_text_is_ignored(strange_type: object) -> None:
    columns = [{"name": "code", "type": strange_type}]

    (block,) = read_blocks([{"id": "1", "name": "Plan", "type": "Table", "columns": columns}], "app-1")

    assert block.columns == (ColumnMetadata("code", None, is_key=False),)


@pytest.mark.parametrize("is_key", ["true", 1, None])
def test_only_true_marks_a_key_column(is_key: object) -> None:
    columns = [{"name": "code", "isKey": is_key}]

    (block,) = read_blocks([{"id": "1", "name": "Plan", "type": "Table", "columns": columns}], "app-1")

    assert block.columns == (ColumnMetadata("code", None, is_key=False),)


def test_public_and_personal_views_are_read_as_blocks() -> None:
    response = [{"id": "v-1", "name": "Board", "type": "Public"}, {"id": "v-2", "name": "Mine", "type": "Personal"}]

    assert read_views(response, "app-1") == (
        Block("v-1", "Board", BlockType.VIEW, "app-1"),
        Block("v-2", "Mine", BlockType.VIEW, "app-1"),
    )


def test_an_empty_list_is_a_valid_response() -> None:
    assert read_applications([]) == ()
    assert read_blocks([], "app-1") == ()
    assert read_views([], "app-1") == ()


@pytest.mark.parametrize("response", [None, {}, {"items": []}, "text", 3, [None], ["id"], [[]]])
def test_a_response_that_is_not_a_list_of_objects_is_an_error(response: object) -> None:
    with pytest.raises(PigmentExportError, match=r"response is not a list of applications\. Set api_url"):
        read_applications(response)
    with pytest.raises(
        PigmentExportError,
        match=r"^Listing the blocks of application app-1: the response is not a list of blocks\.",
    ):
        read_blocks(response, "app-1")
    with pytest.raises(PigmentExportError, match="not a list of views"):
        read_views(response, "app-1")


@pytest.mark.parametrize(
    ("item", "missing"),
    [
        ({"name": "Plan", "type": "Table"}, "id"),
        ({"id": "1", "type": "Table"}, "name"),
        ({"id": 1, "name": "Plan", "type": "Table"}, "id"),
        ({"id": "1", "name": None, "type": "Table"}, "name"),
    ],
)
def test_an_item_without_id_or_name_is_an_error(item: dict[str, object], missing: str) -> None:
    with pytest.raises(PigmentExportError, match=f"an item of the response has no {missing}\\. Check api_url"):
        read_blocks([item], "app-1")
    with pytest.raises(PigmentExportError, match=f"an item of the response has no {missing}"):
        read_views([item], "app-1")
    with pytest.raises(PigmentExportError, match=f"an item of the response has no {missing}"):
        read_applications([item])

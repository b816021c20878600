"""Selected columns, found in a live header."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_pigment.catalog.blocks import StreamSource
from tap_pigment.catalog.discovery import display_names
from tap_pigment.catalog.selection import NarrowedExport, narrowed_export, selected_columns
from tap_pigment.columns import Column, ColumnType, StreamName, column_names
from tap_pigment.errors import CatalogError
from tap_pigment.pigment import Block, BlockType
from tap_pigment.settings import Settings, StreamOverride

if TYPE_CHECKING:
    from collections.abc import Sequence

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


NAMES = st.one_of(
    st.sampled_from(["Plan", "plan", "PLAN", "plan_2", "a.b", "a_b", "a_b_2", "é", "", "x" * 70, "x" * 70 + "_AAAAAA"]),
    st.text(max_size=4),
)


@given(st.data(), st.lists(NAMES, min_size=1, max_size=6, unique=True))
def test_titles_never_decide_which_column_is_found(data: st.DataObject, header: list[str]) -> None:
    shown = data.draw(st.lists(NAMES, min_size=len(header), max_size=len(header)))
    live = data.draw(st.lists(st.one_of(st.sampled_from(header), NAMES), max_size=8, unique=True))
    names = column_names(header, friendly=False)
    columns = [
        Column(name, text, ColumnType.TEXT, nullable=True, position=position)
        for position, (name, text) in enumerate(zip(names, header, strict=True))
    ]
    headers = {column.name: column.header for column in columns if column.name != column.header}

    found = [positions(names, {**titles, **headers}, live) for titles in ({}, display_names(columns, shown))]

    assert found[0] == found[1]


def properties_of(header: Sequence[str], *, friendly: bool) -> dict[str, dict[str, Any]]:
    """Return the properties of a catalog that was discovered with a header."""
    return {
        name: {"type": ["string", "null"]} | ({"title": text} if name != text else {})
        for name, text in zip(column_names(header, friendly=friendly), header, strict=True)
    }


@given(st.lists(NAMES, min_size=1, max_size=6), st.booleans())
def test_each_property_finds_the_column_that_it_was_made_of(header: list[str], friendly: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis.
    header = list(dict.fromkeys(header)) if friendly else header
    properties = properties_of(header, friendly=friendly)

    columns, unknown = selected_columns("plan", properties, list(properties), header, friendly=friendly)

    assert [column.position for column in columns] == list(range(len(header)))
    assert unknown == ()


@given(st.lists(NAMES, min_size=1, max_size=6, unique=True), st.lists(NAMES, max_size=8, unique=True), st.booleans())
def test_a_property_never_gets_the_column_of_another_header(
    header: list[str],
    live: list[str],
    friendly: bool,  # noqa: FBT001 - drawn by Hypothesis.
) -> None:
    properties = properties_of(header, friendly=friendly)
    made_of = dict(zip(properties, header, strict=True))

    for name in properties:
        with suppress(CatalogError):
            [column], _ = selected_columns("plan", properties, [name], live, friendly=friendly)
            # A header that differs only in case or punctuation may have the same name.
            assert made_of[name] in {column.header, *column_names([column.header], friendly=friendly)}


@pytest.mark.parametrize(
    ("header", "live", "found"),
    [
        pytest.param(["a", "x", "x"], ["x", "a", "x"], [1, 0, 2], id="as many"),
        pytest.param(["a", "x", "x"], ["a", "x", "y"], [0, None, None], id="one was renamed"),
        pytest.param(["a", "x", "x"], ["a", "x"], [0, None, None], id="one is missing"),
        pytest.param(["a", "x", "x"], ["a", "x", "x", "x"], [0, None, None], id="one more"),
        pytest.param(["a", "x"], ["a", "x", "x"], [0, None], id="the first one that repeats"),
    ],
)
def test_repeated_headers_are_found_by_their_order_if_they_are_as_many(
    header: list[str], live: list[str], found: list[int | None]
) -> None:
    properties = properties_of(header, friendly=False)

    positions_found: list[int | None] = []
    for name in properties:
        try:
            [column], _ = selected_columns("plan", properties, [name], live, friendly=False)
        except CatalogError:
            positions_found.append(None)
        else:
            positions_found.append(column.position)

    assert positions_found == found


def test_a_catalog_without_titles_finds_display_names() -> None:
    properties = {name: {"type": ["string"]} for name in ("id", "unit_price")}

    columns, _ = selected_columns("plan", properties, list(properties), ["Unit price", "Id"], friendly=True)

    assert [(column.name, column.position) for column in columns] == [("id", 1), ("unit_price", 0)]


def test_a_display_name_that_looks_like_the_header_of_a_changed_name_is_no_title() -> None:
    names = ["a_b", "plan_2", "code", "size"]
    columns = [Column(name, name, ColumnType.TEXT, nullable=True, position=place) for place, name in enumerate(names)]

    assert display_names(columns, ["a.b", "plan", "code", "Size"]) == {"code": "code", "size": "Size"}


def positions(names: Sequence[str], titles: dict[str, str], header: Sequence[str]) -> dict[str, int | None]:
    """Return the position of the column that is found for each name, in an export with technical headers."""
    found: dict[str, int | None] = dict.fromkeys(names)
    for name in names:
        properties = {
            other: {"type": ["string", "null"]} | ({"title": titles[other]} if other in titles else {})
            for other in names
        }
        try:
            [column], _ = selected_columns("plan", properties, [name], header, friendly=False)
        except CatalogError:
            continue
        found[name] = column.position
    return found


@pytest.mark.parametrize("header", ["Plan", "a.b", "x" * 70])
def test_a_renamed_column_is_found_by_the_header_in_its_title(header: str) -> None:
    names = column_names([header.lower(), header.upper()], friendly=False)
    properties = {
        name: {"type": ["string"], "title": text}
        for name, text in zip(names, [header.lower(), header.upper()], strict=True)
    }

    columns, _ = selected_columns("plan", properties, names, [header.upper(), header.lower()], friendly=False)

    assert [(column.header, column.position) for column in columns] == [(header.lower(), 1), (header.upper(), 0)]


# Narrowed exports


def narrowed(
    block_type: BlockType,
    selected: Sequence[str],
    request: dict[str, Any] | None = None,
    **config: Any,  # noqa: ANN401 - JSON.
) -> NarrowedExport | None:
    """Return the narrowed export of a block whose columns are a, b and c."""
    override = StreamOverride(request=request or {})
    source = StreamSource(StreamName("plan"), Block("id-1", "Plan", block_type, "app-1"), override)
    properties = {"a": {}, "b": {"title": "Display name"}, "c_2": {"title": "c"}, "contentHash": {}}
    return narrowed_export(
        source, properties, selected, Settings.from_config({"api_key": "k", "application_id": "app-1", **config})
    )


@pytest.mark.parametrize(
    ("block_type", "selected", "properties"),
    [
        pytest.param(BlockType.DIMENSION_LIST, ["a", "b"], ["b"], id="the item comes by itself"),
        pytest.param(BlockType.DIMENSION_LIST, ["b"], ["b"], id="a deselected item comes too"),
        pytest.param(BlockType.DIMENSION_LIST, ["a"], [], id="only the item"),
        pytest.param(BlockType.TRANSACTION_LIST, ["a", "b"], ["a", "b"], id="a transaction list has no item"),
    ],
)
def test_only_selected_properties_are_requested(
    block_type: BlockType, selected: list[str], properties: list[str]
) -> None:
    found = narrowed(block_type, selected)

    assert found == NarrowedExport(tuple(properties), frozenset(selected))


def test_a_property_is_requested_by_its_header() -> None:
    found = narrowed(BlockType.DIMENSION_LIST, ["a", "c_2"])

    assert found == NarrowedExport(("c",), frozenset({"a", "c"}))


@pytest.mark.parametrize(
    ("block_type", "selected", "options"),
    [
        pytest.param(BlockType.TABLE, ["a"], {}, id="table"),
        pytest.param(BlockType.METRIC, ["a"], {}, id="metric"),
        pytest.param(BlockType.VIEW, ["a"], {}, id="view"),
        pytest.param(BlockType.DIMENSION_LIST, ["b", "c_2"], {}, id="only the item is deselected"),
        pytest.param(BlockType.TRANSACTION_LIST, ["a"], {}, id="a single column"),
        pytest.param(BlockType.DIMENSION_LIST, ["a"], {"headers": "friendly"}, id="display names"),
        pytest.param(BlockType.DIMENSION_LIST, ["a"], {"request": {"propertyTechnicalNames": []}}, id="named"),
    ],
)
def test_everything_is_requested_otherwise(block_type: BlockType, selected: list[str], options: dict[str, Any]) -> None:
    assert narrowed(block_type, selected, **options) is None


def test_a_null_in_the_request_names_no_properties() -> None:
    assert narrowed(BlockType.DIMENSION_LIST, ["a"], {"propertyTechnicalNames": None}) is not None

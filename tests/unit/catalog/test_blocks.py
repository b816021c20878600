"""Stream names, filters and overrides of blocks."""

from __future__ import annotations

from typing import Any

import pytest

from tap_pigment.catalog.blocks import (
    StreamSource,
    export_request,
    included_sources,
    is_included,
    override_for,
    override_in_catalog,
    stream_sources,
)
from tap_pigment.columns import StreamName
from tap_pigment.errors import SettingsError
from tap_pigment.pigment import Block, BlockType
from tap_pigment.settings import Settings, StreamOverride

SALES = Block("id-1", "Sales (EU)", BlockType.TABLE, "app-1")
COUNTRIES = Block("id-2", "Countries", BlockType.DIMENSION_LIST, "app-2")


def settings(**config: Any) -> Settings:  # noqa: ANN401 - JSON.
    return Settings.from_config({"api_key": "k", "application_id": "app-1", **config})


def test_streams_of_several_applications_begin_with_the_applications_name() -> None:
    several = settings(application_ids=["app-1", "app-2"])

    found = stream_sources([SALES, COUNTRIES], {"app-1": "Finance 2026", "app-2": "!"}, several)

    assert [source.name for source in found] == ["finance_2026_sales_eu", "application_app_2_countries"]


def test_name_of_an_override_replaces_the_derived_one() -> None:
    [found] = stream_sources([SALES], {}, settings(stream_overrides={"sales_eu": {"name": "Sales"}}))

    assert found.name == "Sales"


def test_two_streams_of_one_name_are_an_error() -> None:
    overrides = {"sales_eu": {"name": "COUNTRIES"}}

    with pytest.raises(SettingsError, match=r"^stream_overrides: two streams have the name COUNTRIES; upper and lower"):
        stream_sources([SALES, COUNTRIES], {}, settings(stream_overrides=overrides))


def test_an_override_cannot_take_the_name_of_a_metadata_stream() -> None:
    overrides = {"sales_eu": {"name": "Pigment_Views"}}

    with pytest.raises(SettingsError, match=r"^stream_overrides: two streams have the name Pigment_Views"):
        stream_sources([SALES], {}, settings(stream_overrides=overrides, metadata_streams=True))


def test_nothing_is_included_on_purpose_only_with_metadata_streams() -> None:
    assert included_sources([SALES], {}, settings(include=[], metadata_streams=True)) == ((), ())
    for others in (settings(include=[]), settings(include=["Sale"], metadata_streams=True)):
        with pytest.raises(SettingsError, match=r"^No block is extracted"):
            included_sources([SALES], {}, others)


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        pytest.param(["*"], [], True, id="everything"),
        pytest.param(["Sales*"], [], True, id="block name"),
        pytest.param(["sales_eu"], [], True, id="stream name"),
        pytest.param(["id-1"], [], True, id="block id"),
        pytest.param(["Countries"], [], False, id="other block"),
        pytest.param(["*"], ["id-?"], False, id="excluded"),
        pytest.param(["SALES*"], [], True, id="upper case"),
        pytest.param(["sales (eu)"], [], True, id="exact name in lower case"),
        pytest.param(["derived"], [], True, id="derived name"),
    ],
)
def test_include_and_exclude_match_names_and_ids(include: list[str], exclude: list[str], *, expected: bool) -> None:
    source = StreamSource(StreamName("sales_eu"), SALES, StreamOverride(), "derived")

    assert is_included(source, settings(include=include, exclude=exclude)) is expected


def test_a_name_with_brackets_matches_itself_and_as_a_glob() -> None:
    block = Block("id-3", "[P&L] by Month", BlockType.TABLE, "app-1")
    source = StreamSource(StreamName("p_l_by_month"), block, StreamOverride())

    assert is_included(source, settings(include=["[P&L] by Month"]))
    assert is_included(source, settings(include=["[[]P&L[]] by *"]))
    assert not is_included(source, settings(include=["[P&L] by *"]))


def test_block_types_select_blocks() -> None:
    found, idle = included_sources([SALES, COUNTRIES], {}, settings(block_types=["DimensionList"]))

    assert [source.block.id for source in found] == ["id-2"]
    assert idle == ()


def test_block_that_is_given_by_its_id_needs_no_block_type() -> None:
    given = settings(stream_overrides={"id-1": {"block_type": "Table"}}, block_types=["DimensionList"])

    found, _ = included_sources([SALES, COUNTRIES], {}, given)

    assert [source.block.id for source in found] == ["id-1", "id-2"]


def test_block_that_is_not_listed_has_kind_and_id_as_its_name() -> None:
    block = Block("0a1b2c3d-0000", "", BlockType.VIEW, "")
    overrides = {"0a1b2c3d-0000": {"block_type": "View"}}

    [found] = stream_sources([block], {"app-1": "Finance"}, settings(application_ids=["*"], stream_overrides=overrides))

    assert found.name == "view_0a1b2c3d"


def test_patterns_that_match_no_block_are_idle() -> None:
    patterns = {"include": ["countries", "Sales*", "x"], "exclude": ["sales*", "y"], "block_types": ["DimensionList"]}

    _, idle = included_sources([SALES, COUNTRIES], {}, settings(**patterns))

    assert idle == (
        'include: "Sales*" matches no block of block_types',
        'include: "x" matches no block of block_types',
        'exclude: "y" matches no block',
    )


def test_override_by_block_id_wins_over_one_by_name() -> None:
    both = settings(stream_overrides={"sales_eu": {"name": "by_name"}, "id-1": {"name": "by_id"}})

    assert override_for("sales_eu", "id-1", both).name == "by_id"
    assert override_for("sales_eu", "id-9", both).name == "by_name"
    assert override_for("other", "id-9", both) == StreamOverride()


@pytest.mark.parametrize("name", ["sales", "sales_eu"], ids=["after discovery", "before"])
def test_override_that_gives_a_name_is_found_in_a_catalog(name: str) -> None:
    renamed = settings(stream_overrides={"sales_eu": {"name": "sales", "key_columns": ["A"]}})

    assert override_in_catalog(name, "id-1", renamed).key_columns == ("A",)


def test_overrides_that_swap_two_names_are_found_in_a_catalog() -> None:
    swapped = settings(
        stream_overrides={"a": {"name": "b", "key_columns": ["A"]}, "b": {"name": "a", "key_columns": ["B"]}}
    )

    assert override_in_catalog("a", "id-2", swapped).key_columns == ("B",)
    assert override_in_catalog("b", "id-1", swapped).key_columns == ("A",)


def test_request_of_an_override_is_merged_below_the_format_of_the_tap() -> None:
    override = StreamOverride(request={"metrics": ["m"], "fieldDelimiter": "Comma"})

    request = export_request(StreamSource(StreamName("sales"), SALES, override), settings())

    assert (request.subject, request.path) == ("sales", "/v1/export/table/id-1")
    assert request.body == {
        "metrics": ["m"],
        "fieldDelimiter": "Semicolon",
        "decimalSeparator": "Dot",
        "dateFormat": "Iso8601",
        "encoding": "Utf8WithoutBom",
        "friendlyHeaders": False,
    }


def test_each_slice_has_a_request_of_its_own_above_that_of_the_override() -> None:
    slices = ({"scenarios": ["s-1"]}, {"scenarios": ["s-2"], "metrics": []})
    source = StreamSource(StreamName("sales"), SALES, StreamOverride(request={"metrics": ["m"]}, slices=slices))

    requests = [export_request(source, settings(), part) for part in range(2)]

    assert [request.subject for request in requests] == ["sales: slices[0]", "sales: slices[1]"]
    bodies = [request.body or {} for request in requests]
    assert [(body["scenarios"], body["metrics"]) for body in bodies] == [(["s-1"], ["m"]), (["s-2"], [])]
    assert export_request(source, settings()) == requests[0]

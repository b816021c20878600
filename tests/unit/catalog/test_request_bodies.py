"""The raw request bodies of overrides: found in a config, and checked again for the kind of the block."""

from __future__ import annotations

from typing import Any

import pytest

from tap_pigment.catalog import StreamSource, override_failure, request_errors
from tap_pigment.catalog.blocks import override_for
from tap_pigment.columns import StreamName
from tap_pigment.pigment import Block, BlockType
from tap_pigment.settings import Settings

ITEM = "f0000000-0000-4000-8000-000000000001"


def failure(block_type: BlockType, overrides: dict[str, Any]) -> str | None:
    """Return the message about the request body of the stream `pnl`, a block of a type with the id `id-1`."""
    settings = Settings.from_config({"api_key": "k", "application_id": "app-1", "stream_overrides": overrides})
    override = override_for("pnl", "id-1", settings)
    source = StreamSource(StreamName(override.name or "pnl"), Block("id-1", "P&L", block_type, "app-1"), override)
    found = override_failure(source, settings)
    return str(found) if found else None


def test_mistakes_of_all_overrides_are_found_in_a_config() -> None:
    config = {"stream_overrides": {"pnl": {"request": {"scenarios": "x"}}, "id-2": {"request": {"metrics": ["y"]}}}}

    assert request_errors(config) == [
        'stream_overrides.pnl.request.scenarios: "x" is not an array. Correct it.',
        'stream_overrides.id-2.request.metrics[0]: "y" is not a UUID. Copy it from a request that Pigment generates.',
    ]


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"stream_overrides": None},
        {"stream_overrides": "x"},
        {"stream_overrides": {"pnl": None, "gl": "x", "sales": {}}},
        {"stream_overrides": {"pnl": {"request": None}, "gl": {"request": "x"}}},
        {"stream_overrides": {"pnl": {"request": {"listFilter": [ITEM]}}}},
    ],
)
def test_what_the_schema_of_the_settings_refuses_is_no_mistake_in_a_body(config: dict[str, Any]) -> None:
    assert request_errors(config) == []


def test_a_body_is_checked_for_the_type_that_its_override_has() -> None:
    config = {"stream_overrides": {"id-1": {"block_type": "View", "request": {"listFilter": [ITEM]}}}}

    assert request_errors(config) == [
        (
            "stream_overrides.id-1.request: a view is exported as it is saved, and takes no listFilter. Change the "
            "view in Pigment instead."
        )
    ]


def test_a_type_that_differs_from_the_listed_one_is_a_failure() -> None:
    assert failure(BlockType.METRIC, {"id-1": {"block_type": "Table", "request": {"metrics": [ITEM]}}}) == (
        "stream_overrides.id-1.block_type: Pigment lists the block as Metric, and the setting says Table. Set it to "
        "Metric, or remove it."
    )
    assert failure(BlockType.TABLE, {"id-1": {"block_type": "Table", "request": {"metrics": [ITEM]}}}) is None


@pytest.mark.parametrize("block_type", [BlockType.DIMENSION_LIST, BlockType.TRANSACTION_LIST])
def test_a_key_fits_the_kind_of_its_block(block_type: BlockType) -> None:
    assert failure(block_type, {"pnl": {"request": {"listFilter": [ITEM]}}}) is None


@pytest.mark.parametrize("block_type", [BlockType.METRIC, BlockType.TABLE])
def test_a_key_of_another_kind_of_block_is_a_failure(block_type: BlockType) -> None:
    message = failure(block_type, {"pnl": {"request": {"listFilter": [ITEM]}}})

    assert message is not None
    assert message.startswith("stream_overrides.pnl.request.listFilter: only a block of another kind takes it (allowed")


@pytest.mark.parametrize("key", ["pnl", "id-1"])
def test_the_path_of_a_renamed_stream_begins_with_the_key_of_its_override(key: str) -> None:
    override = {"name": "profit", "request": {"exportFilter": None}}

    assert failure(BlockType.VIEW, {key: override}) == (
        f"stream_overrides.{key}.request: a view is exported as it is saved, and takes no exportFilter. Change the "
        "view in Pigment instead."
    )


def test_all_mistakes_of_a_body_are_one_failure() -> None:
    message = failure(BlockType.DIMENSION_LIST, {"pnl": {"request": {"a": 1, "b": 2}}})

    assert message is not None
    assert ["request.a: " in message, "request.b: " in message, "\n" in message] == [True, True, False]


def test_a_stream_without_an_override_has_no_failure() -> None:
    assert failure(BlockType.VIEW, {}) is None


def test_slices_are_checked_one_by_one_and_each_path_is_that_of_the_settings() -> None:
    slices = [{"scenarios": [ITEM]}, {"scenarios": [ITEM, "x"]}, {"scenario": [ITEM]}]

    messages = request_errors({"stream_overrides": {"pnl": {"slices": slices}}})

    assert [message.partition(": ")[0] for message in messages] == [
        "stream_overrides.pnl.slices[1].scenarios[1]",
        "stream_overrides.pnl.slices[2].scenario",
    ]


@pytest.mark.parametrize("slices", [None, "x", ["x", None], [{"listFilter": [ITEM]}, {"listFilter": []}]])
def test_slices_that_the_schema_refuses_are_no_mistake_in_a_body(slices: object) -> None:
    assert request_errors({"stream_overrides": {"pnl": {"slices": slices}}}) == []


def test_an_empty_list_of_slices_is_a_mistake() -> None:
    assert request_errors({"stream_overrides": {"pnl": {"slices": []}}}) == [
        "stream_overrides.pnl.slices: it is empty, so nothing is exported. Add request bodies, or remove it."
    ]


def test_slices_that_are_the_same_over_their_request_are_a_mistake() -> None:
    slices = [{}, {"metrics": []}, {"metrics": [ITEM]}, {"metrics": [ITEM], "scenarios": []}]

    assert request_errors({"stream_overrides": {"pnl": {"request": {"metrics": [ITEM]}, "slices": slices}}}) == [
        (
            "stream_overrides.pnl.slices[2]: it exports the same rows as slices[0], which would come twice. Remove one "
            "of them."
        )
    ]


def test_mistakes_of_five_bodies_are_named_and_the_other_slices_counted() -> None:
    slices = [{"scenarios": ["x"], "metrics": [f"{number}"]} for number in range(7)]

    messages = request_errors({"stream_overrides": {"pnl": {"slices": slices}}})

    assert len(messages) == 11
    assert messages[-1] == "stream_overrides.pnl.slices: mistakes in 2 more slices."


def test_a_slice_with_a_key_of_another_kind_of_block_is_a_failure() -> None:
    message = failure(BlockType.METRIC, {"pnl": {"slices": [{"scenarios": [ITEM]}, {"metrics": [ITEM]}]}})

    assert message is not None
    assert message.startswith("stream_overrides.pnl.slices[1].metrics: only a block of another kind takes it (allowed")


def test_a_view_takes_no_slices() -> None:
    overrides = {"pnl": {"request": {"metrics": [ITEM]}, "slices": [{}]}}

    assert failure(BlockType.VIEW, overrides) == (
        "stream_overrides.pnl.request: a view is exported as it is saved, and takes no metrics. Change the view in "
        "Pigment instead. stream_overrides.pnl.slices: a view is exported as it is saved, and takes no slices. Remove "
        "them."
    )

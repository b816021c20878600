"""The blocks that Pigment lists, and those that overrides give by id and type."""

from __future__ import annotations

from typing import Any

import pytest

from tap_pigment.catalog.listing import Listing, all_blocks, unlisted_blocks
from tap_pigment.errors import NotFoundError, SettingsError
from tap_pigment.pigment import Block, BlockType
from tap_pigment.settings import BLOCK_TYPES, Settings

ID = "0a000000-0000-4000-8000-00000000000a"
SALES = Block(ID, "Sales", BlockType.METRIC, "app-1")
BOARD = Block("id-2", "Board", BlockType.VIEW, "app-1")


def settings(**overrides: Any) -> Settings:  # noqa: ANN401 - JSON.
    return Settings.from_config({"api_key": "k", "application_ids": ["*"], "stream_overrides": overrides})


@pytest.mark.parametrize("label", BLOCK_TYPES)
def test_a_block_of_every_type_can_be_given(label: str) -> None:
    [block] = unlisted_blocks(settings(**{ID: {"block_type": label}, "sales": {"name": "x"}}))

    assert block == Block(ID, "", BlockType.of_label(label), "")


def test_a_shared_block_belongs_to_the_first_application() -> None:
    shared = Block(ID, "Sales", BlockType.METRIC, "app-2")
    listing = Listing(blocks={"app-2": (shared,), "app-1": (SALES,)}, views={"app-2": (), "app-1": (BOARD,)})

    assert all_blocks(listing, settings()) == {ID: shared, "id-2": BOARD}


def test_a_listed_block_replaces_the_given_one() -> None:
    listing = Listing(blocks={"app-1": (SALES,)}, views={"app-1": ()})

    assert all_blocks(listing, settings(**{ID: {"block_type": "Table"}})) == {ID: SALES}


def test_given_blocks_are_left_if_every_application_fails() -> None:
    listing = Listing(failures={"app-1": NotFoundError("gone")})

    assert list(all_blocks(listing, settings(**{ID: {"block_type": "Table"}}))) == [ID]
    with pytest.raises(NotFoundError):
        all_blocks(listing, settings())


def test_no_block_at_all_is_an_error() -> None:
    with pytest.raises(SettingsError, match=r"^application_ids: the API key sees no application with a block\."):
        all_blocks(Listing(blocks={"app-1": ()}, views={"app-1": ()}), settings())

"""Every type of block that the tap can export can be chosen in the settings, and its requests can be checked."""

from __future__ import annotations

from tap_pigment.pigment import BlockType
from tap_pigment.pigment.request_schemas import REQUEST_SCHEMAS
from tap_pigment.settings import BLOCK_TYPES, SETTINGS


def test_the_settings_take_every_type_of_block_and_name_it() -> None:
    described = SETTINGS["properties"]["block_types"]["description"]

    assert sorted(block_type.label for block_type in BlockType) == sorted(BLOCK_TYPES)
    assert [label for label in BLOCK_TYPES if f"`{label}`" not in described] == []


def test_every_kind_of_block_has_a_schema_for_its_request_body() -> None:
    assert {block_type.kind for block_type in BlockType} == REQUEST_SCHEMAS.keys() - {None}

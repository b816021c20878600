"""Which blocks are exported, and what requests for them hold."""

import pytest

from tap_pigment.sandbox.verify.probes import Block, Purpose, chosen_blocks, is_id, later_probes

BLOCK = Block("aaaaaaaa-0000-4000-8000-00000000000a", "Countries", "DimensionList")


def test_the_first_blocks_of_each_type_are_chosen_lists_first() -> None:
    types = ["Table", "Metric", "Metric", "DimensionList", "Board", "DimensionList", "DimensionList", "TransactionList"]
    blocks = [Block(str(number), "x", block_type) for number, block_type in enumerate(types)]

    assert [block.id for block in chosen_blocks(blocks)] == ["3", "5", "7", "1", "0"]


def test_two_properties_are_requested_in_reverse() -> None:
    probes = {probe.purpose: probe for probe in later_probes(BLOCK, ("a", "b", "c"), 1000)}

    body = probes[Purpose.PROPERTIES].body
    assert body is not None
    assert body["propertyTechnicalNames"] == ["b", "a"]
    assert probes[Purpose.DEFAULTS].body == {}
    assert {probe.path for probe in probes.values()} == {f"/v1/export/list/{BLOCK.id}"}


def test_a_single_property_is_not_requested_by_name() -> None:
    assert Purpose.PROPERTIES not in {probe.purpose for probe in later_probes(BLOCK, ("a",), 1000)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [(BLOCK.id, True), (BLOCK.id.upper(), True), (BLOCK.id.replace("-", ""), False), ("../x", False), (7, False)],
)
def test_only_uuids_are_ids(text: object, expected: bool) -> None:  # noqa: FBT001  # A parameter of pytest.
    assert is_id(text) is expected

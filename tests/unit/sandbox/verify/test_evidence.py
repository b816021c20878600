"""Which export is requested again."""

from tap_pigment.sandbox.verify.evidence import Evidence, Exchange
from tap_pigment.sandbox.verify.probes import Block, export_probe

WIDE = "i_AAAAAA;a_AAAAAA;b_AAAAAA\r\n"


def export(name: str, block_type: str, body: str, *, is_whole: bool = True) -> Exchange:
    block = Block("aaaaaaaa-0000-4000-8000-00000000000a", name, block_type)
    return Exchange(export_probe(block, 1000), 200, {}, "HTTP/2", body.encode(), is_whole)


def small(*exchanges: Exchange) -> str | None:
    """Return the name of the block whose export is requested again."""
    chosen = Evidence(exchanges, is_encrypted=True).small_export()
    return chosen.block.name if chosen else None


def test_the_smallest_whole_dimension_list_with_two_properties_is_chosen() -> None:
    exchanges = [
        export("cut", "DimensionList", WIDE, is_whole=False),
        export("narrow", "DimensionList", "i_AAAAAA\r\n"),
        export("larger", "DimensionList", WIDE * 3),
        export("smaller", "DimensionList", WIDE * 2),
        export("transactions", "TransactionList", WIDE),
        export("metric", "Metric", WIDE),
    ]

    assert small(*exchanges) == "smaller"


def test_without_a_wide_list_the_smallest_export_is_chosen() -> None:
    assert small(export("table", "Table", WIDE * 2), export("metric", "Metric", WIDE)) == "metric"


def test_without_a_whole_export_a_beginning_is_chosen() -> None:
    assert small(export("cut", "Table", WIDE, is_whole=False)) == "cut"
    assert small() is None

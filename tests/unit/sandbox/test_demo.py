"""The blocks and rows of the demo workspace."""

import itertools
import re
from collections import Counter

import pytest

from tap_pigment.sandbox.api import Block, DimensionList, Metric, Table, TransactionList
from tap_pigment.sandbox.demo import DEMO_EXPORT_KEY, DEMO_KEY, DEMO_METADATA_KEY, demo_workspace


def blocks_by_name(rows: int = 3000, seed: int = 1) -> dict[str, Block]:
    """Return the first application's blocks by name."""
    return {block.name: block for block in demo_workspace(rows, seed).applications[0].blocks}


def rows_by_block(rows: int = 3000, seed: int = 1) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of the first application's blocks, by the name of the block."""
    return {name: [tuple(row) for row in block.read()] for name, block in blocks_by_name(rows, seed).items()}


def column_cells(block: Block, name: str) -> list[object]:
    """Return the cells of a column."""
    position = [column.name for column in block.columns].index(name)
    return [row[position] for row in block.read()]


def test_demo_rows_depend_only_on_the_seed() -> None:
    first, second, other = rows_by_block(200, 7), rows_by_block(200, 7), rows_by_block(200, 8)

    assert first == second
    assert {name for name in first if first[name] != other[name]} == {
        "Employees", "GL transactions", "P&L", "Headcount", "Amount", "Units", "Revenue target", "Board comment",
        "FTE", "Payroll cost", "Headcount target", "Hiring open", "FX rate to EUR", "Last close",
    }  # fmt: skip


def test_the_ledger_generates_its_rows_only_when_read() -> None:
    ledger = blocks_by_name(rows=2_000_000)["GL transactions"]

    first = next(ledger.read())

    assert len(first) == 12
    assert len(rows_by_block(rows=10)["GL transactions"]) == 10


@pytest.mark.parametrize("rows", [1, 3000, 30_000])
def test_items_and_dimensions_identify_the_rows_of_a_block(rows: int) -> None:
    for block in blocks_by_name(rows).values():
        width = {DimensionList: 1, TransactionList: 0}.get(type(block))
        if isinstance(block, Metric | Table):
            width = len(block.dimensions)
        if width:
            keys = Counter(tuple(row[:width]) for row in block.read())
            assert not keys or max(keys.values()) == 1, block.name


def test_the_ledger_contains_identical_rows() -> None:
    row_counts = Counter(rows_by_block()["GL transactions"])

    assert sum(1 for count in row_counts.values() if count == 2) == 60


def test_a_table_contains_the_cells_of_its_metrics() -> None:
    blocks = blocks_by_name()

    for name in ("P&L", "Headcount"):
        table = blocks[name]
        assert isinstance(table, Table)
        for metric in table.metrics:
            filled_cells = [cell for cell in column_cells(table, metric.name) if cell is not None]
            assert filled_cells == column_cells(blocks[metric.name], metric.name)


def test_tables_have_metrics_with_different_dimensions() -> None:
    blocks = blocks_by_name()

    filled_dimensions = {
        name: {tuple(cell is not None for cell in row[: len(table.dimensions)]) for row in table.read()}
        for name in ("P&L", "Headcount")
        if isinstance(table := blocks[name], Table)
    }

    assert {name: len(combinations) for name, combinations in filled_dimensions.items()} == {"P&L": 3, "Headcount": 2}


@pytest.mark.parametrize("rows", [1, 3000, 1_000_000])
def test_every_metric_of_a_table_has_a_value_in_the_first_1000_rows(rows: int) -> None:
    blocks = blocks_by_name(rows)

    for name in ("P&L", "Headcount"):
        first_rows = list(itertools.islice(blocks[name].read(), 1000))
        positions = range(len(blocks[name].columns))
        assert all(any(row[position] is not None for row in first_rows) for position in positions)


def test_texts_contain_delimiters_quotes_line_ends_and_emoji() -> None:
    texts = {cell for rows in rows_by_block().values() for row in rows for cell in row if isinstance(cell, str)}

    for part in (";", '"', "\n", "\r\n", "🎉", "陽子", ", "):
        assert any(part in text for text in texts), part


def test_codes_have_leading_zeros() -> None:
    blocks = blocks_by_name()

    assert column_cells(blocks["Accounts"], "Code")[0] == "0400"
    assert column_cells(blocks["Employees"], "Employee number")[0] == "000001"
    assert column_cells(blocks["GL transactions"], "Document number")[0] == "0000000000"


@pytest.mark.parametrize(("block", "name"), [("GL transactions", "Legacy reference"), ("Employees", "Badge")])
def test_some_columns_are_blank_in_all_rows(block: str, name: str) -> None:
    assert set(column_cells(blocks_by_name()[block], name)) == {None}


def test_booleans_are_true_false_or_blank() -> None:
    assert set(column_cells(blocks_by_name()["Employees"], "Full time")) == {True, False, None}


@pytest.mark.parametrize("key", [DEMO_KEY, DEMO_EXPORT_KEY, DEMO_METADATA_KEY])
def test_demo_keys_have_the_format_of_pigment_keys(key: str) -> None:
    assert re.fullmatch("pgmt_[A-Za-z0-9]{46}", key)

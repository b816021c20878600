"""The demo workspace: what it promises to hold, by its exports."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator

import httpx2
import pytest

from tap_pigment.sandbox.app import pigment_app
from tap_pigment.sandbox.demo import (
    DEMO_APPLICATION_ID,
    DEMO_EXPORT_KEY,
    DEMO_HR_APPLICATION_ID,
    DEMO_KEY,
    DEMO_METADATA_KEY,
    demo_workspace,
)
from tap_pigment.sandbox.model import Block, DimensionList, Metric, Table, TransactionList
from tap_pigment.sandbox.server import serving
from tests.sandbox.clients import client, table

KINDS = {"DimensionList": "list", "TransactionList": "list", "Metric": "metric", "Table": "table"}


@pytest.fixture(scope="module")
def demo() -> Iterator[httpx2.Client]:
    """Serve the demo as it is by default."""
    with serving(pigment_app(demo_workspace())) as server, client(server, DEMO_KEY) as http:
        yield http


def blocks(rows: int = 3000, seed: int = 1) -> dict[str, Block]:
    """Return the first application's blocks by name."""
    return {block.name: block for block in demo_workspace(rows, seed).applications[0].blocks}


def contents(rows: int = 3000, seed: int = 1) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of all blocks."""
    return {name: [tuple(row) for row in block.read()] for name, block in blocks(rows, seed).items()}


def column(block: Block, name: str) -> list[object]:
    """Return the cells of one column."""
    at = [column.name for column in block.columns].index(name)
    return [row[at] for row in block.read()]


def test_every_block_can_be_exported_and_has_as_many_rows_as_it_says(demo: httpx2.Client) -> None:
    listed = demo.get("/blocks", params={"applicationId": DEMO_APPLICATION_ID}).json()

    exports = [table(demo.post(f"/export/{KINDS[block['type']]}/{block['id']}")) for block in listed]

    assert [(block["name"], block["type"], len(export) - 1) for block, export in zip(listed, exports, strict=True)] == [
        ("Countries", "DimensionList", 9),
        ("Currencies", "DimensionList", 6),
        ("Departments", "DimensionList", 10),
        ("Departments", "DimensionList", 4),
        ("Employees", "DimensionList", 75),
        ("Accounts", "DimensionList", 15),
        ("Months", "DimensionList", 24),
        ("Versions", "DimensionList", 3),
        ("Projects", "DimensionList", 0),
        ("GL transactions", "TransactionList", 3000),
        ("P&L", "Table", 1712),
        ("Headcount", "Table", 630),
        ("Amount", "Metric", 1500),
        ("Units", "Metric", 475),
        ("Revenue target", "Metric", 187),
        ("Board comment", "Metric", 25),
        ("FTE", "Metric", 600),
        ("Payroll cost", "Metric", 600),
        ("Headcount target", "Metric", 30),
        ("Hiring open", "Metric", 20),
        ("FX rate to EUR", "Metric", 144),
        ("Last close", "Metric", 7),
    ]  # fmt: skip
    assert all(len(row) == len(export[0]) for export in exports for row in export)


def test_the_demo_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    first, again, other = contents(200, 7), contents(200, 7), contents(200, 8)

    assert first == again
    assert {name for name in first if first[name] != other[name]} == {
        "Employees", "GL transactions", "P&L", "Headcount", "Amount", "Units", "Revenue target", "Board comment",
        "FTE", "Payroll cost", "Headcount target", "Hiring open", "FX rate to EUR", "Last close",
    }  # fmt: skip


def test_the_first_transaction_is_the_same_in_every_version_of_python(demo: httpx2.Client) -> None:
    ledger = blocks()["GL transactions"]

    answer = demo.post(f"/export/list/{ledger.id}", json={"friendlyHeaders": True})

    assert dict(zip(*table(answer)[:2], strict=True)) == {
        "Account": "0650 - Rent",
        "Amount": "13658.89",
        "Country": "United Kingdom",
        "Currency": "GBP",
        "Department": "Legal",
        "Document number": "0000000000",
        "Is reversal": "FALSE",
        "Legacy reference": "",
        "Memo": "Invoice; net 30 days",
        "Month": "Mar 26",
        "Posting date": "2026-03-16",
        "Quantity": "",
    }


def test_rows_are_the_number_of_transactions_and_are_made_only_when_read() -> None:
    ledger = blocks(rows=2_000_000)["GL transactions"]

    first = next(ledger.read())

    assert len(first) == 12
    assert len(contents(rows=10)["GL transactions"]) == 10


@pytest.mark.parametrize("rows", [1, 3000, 30_000])
def test_dimensions_identify_the_rows_of_metrics_and_tables_and_items_those_of_lists(rows: int) -> None:
    for block in blocks(rows).values():
        width = {DimensionList: 1, TransactionList: 0}.get(type(block))
        if isinstance(block, Metric | Table):
            width = len(block.dimensions)
        if width:
            keys = Counter(tuple(row[:width]) for row in block.read())
            assert not keys or max(keys.values()) == 1, block.name


def test_transactions_hold_identical_rows() -> None:
    repeats = Counter(contents()["GL transactions"])

    assert sum(1 for times in repeats.values() if times == 2) == 60


def test_a_table_holds_the_cells_of_its_metrics() -> None:
    everything = blocks()

    for name in ("P&L", "Headcount"):
        whole = everything[name]
        assert isinstance(whole, Table)
        for metric in whole.metrics:
            filled = [cell for cell in column(whole, metric.name) if cell is not None]
            assert filled == column(everything[metric.name], metric.name)


def test_tables_have_metrics_of_different_shapes() -> None:
    everything = blocks()

    shapes = {
        name: {tuple(cell is not None for cell in row[: len(whole.dimensions)]) for row in whole.read()}
        for name in ("P&L", "Headcount")
        if isinstance(whole := everything[name], Table)
    }

    assert {name: len(found) for name, found in shapes.items()} == {"P&L": 3, "Headcount": 2}


@pytest.mark.parametrize("rows", [1, 3000, 1_000_000])
def test_every_metric_of_a_table_has_a_value_among_the_first_rows(rows: int) -> None:
    everything = blocks(rows)

    for name in ("P&L", "Headcount"):
        first = list(itertools.islice(everything[name].read(), 1000))
        assert all(any(row[at] is not None for row in first) for at in range(len(everything[name].columns)))


def test_texts_are_as_awkward_as_in_life() -> None:
    texts = {cell for rows in contents().values() for row in rows for cell in row if isinstance(cell, str)}

    for awkward in (";", '"', "\n", "\r\n", "🎉", "陽子", ", "):
        assert any(awkward in text for text in texts), awkward


def test_codes_have_leading_zeros() -> None:
    everything = blocks()

    assert column(everything["Accounts"], "Code")[0] == "0400"
    assert column(everything["Employees"], "Employee number")[0] == "000001"
    assert column(everything["GL transactions"], "Document number")[0] == "0000000000"


@pytest.mark.parametrize(("block", "name"), [("GL transactions", "Legacy reference"), ("Employees", "Badge")])
def test_some_columns_are_blank_in_all_rows(block: str, name: str) -> None:
    assert set(column(blocks()[block], name)) == {None}


def test_booleans_have_three_states() -> None:
    assert set(column(blocks()["Employees"], "Full time")) == {True, False, None}


def test_small_numbers_come_with_an_exponent(demo: httpx2.Client) -> None:
    answer = demo.post(f"/export/metric/{blocks()['FX rate to EUR'].id}")

    assert any(re.fullmatch(r"6\.\d+E-05", row[-1]) for row in table(answer))


def test_the_second_application_shares_a_block_with_the_first(demo: httpx2.Client) -> None:
    planning, people = (
        {block["id"]: block["name"] for block in demo.get("/blocks", params={"applicationId": each}).json()}
        for each in (DEMO_APPLICATION_ID, DEMO_HR_APPLICATION_ID)
    )

    assert [people[each] for each in people if each in planning] == ["Departments"]
    assert list(people.values()) == ["Departments", "Skills"]


def test_views_show_filter_limit_and_emptiness(demo: httpx2.Client) -> None:
    views = demo.get("/views", params={"applicationId": DEMO_APPLICATION_ID}).json()

    answers = {view["name"]: demo.get(f"/export/view/{view['id']}") for view in views}

    assert {name: answer.status_code for name, answer in answers.items()} == {
        "Board pack": 200,
        "Paris scratchpad": 200,
        "All journals": 413,
        "Open projects": 422,
    }
    assert {row[4] for row in table(answers["Board pack"])[1:]} == {"Actual"}
    assert {row[1] for row in table(answers["Paris scratchpad"])[1:]} == {"France"}
    assert [view["type"] for view in views] == ["Public", "Personal", "Public", "Public"]


@pytest.mark.parametrize("key", [DEMO_KEY, DEMO_EXPORT_KEY, DEMO_METADATA_KEY])
def test_keys_look_like_those_of_pigment(key: str) -> None:
    assert re.fullmatch("pgmt_[A-Za-z0-9]{46}", key)


def test_the_keys_have_separate_rights() -> None:
    with serving(pigment_app(demo_workspace(10))) as server:
        statuses = []
        for key in (DEMO_KEY, DEMO_EXPORT_KEY, DEMO_METADATA_KEY):
            with client(server, key) as http:
                listed = http.get("/applications")
                exported = http.post(f"/export/list/{blocks()['Countries'].id}")
                statuses.append((listed.status_code, exported.status_code))

    assert statuses == [(200, 200), (403, 200), (200, 403)]

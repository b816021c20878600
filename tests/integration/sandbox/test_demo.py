"""The demo workspace over HTTP: exports, applications, views and API keys."""

import re
from collections.abc import Iterator

import httpx2
import pytest

from tap_pigment.sandbox.api import pigment_app
from tap_pigment.sandbox.demo import (
    DEMO_APPLICATION_ID,
    DEMO_EXPORT_KEY,
    DEMO_HR_APPLICATION_ID,
    DEMO_KEY,
    DEMO_METADATA_KEY,
    demo_workspace,
)
from tap_pigment.sandbox.server import serving
from tests.integration.sandbox.clients import csv_rows, http_client

KINDS = {"DimensionList": "list", "TransactionList": "list", "Metric": "metric", "Table": "table"}
BLOCK_IDS = {block.name: block.id for block in demo_workspace().applications[0].blocks}


@pytest.fixture(scope="module")
def demo_client() -> Iterator[httpx2.Client]:
    """Return a client of the demo with default options."""
    with serving(pigment_app(demo_workspace())) as server, http_client(server, DEMO_KEY) as client:
        yield client


def test_every_demo_block_can_be_exported(demo_client: httpx2.Client) -> None:
    listed = demo_client.get("/blocks", params={"applicationId": DEMO_APPLICATION_ID}).json()

    exports = [csv_rows(demo_client.post(f"/export/{KINDS[block['type']]}/{block['id']}")) for block in listed]

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


def test_the_first_transaction_is_equal_in_every_python_version(demo_client: httpx2.Client) -> None:
    response = demo_client.post(f"/export/list/{BLOCK_IDS['GL transactions']}", json={"friendlyHeaders": True})

    assert dict(zip(*csv_rows(response)[:2], strict=True)) == {
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


def test_small_numbers_are_exported_with_an_exponent(demo_client: httpx2.Client) -> None:
    response = demo_client.post(f"/export/metric/{BLOCK_IDS['FX rate to EUR']}")

    assert any(re.fullmatch(r"6\.\d+E-05", row[-1]) for row in csv_rows(response))


def test_the_demo_applications_share_one_block(demo_client: httpx2.Client) -> None:
    planning, hr = (
        {block["id"]: block["name"] for block in demo_client.get("/blocks", params={"applicationId": id_}).json()}
        for id_ in (DEMO_APPLICATION_ID, DEMO_HR_APPLICATION_ID)
    )

    assert [name for block_id, name in hr.items() if block_id in planning] == ["Departments"]
    assert list(hr.values()) == ["Departments", "Skills"]


def test_demo_views_include_a_filtered_a_large_and_an_empty_one(demo_client: httpx2.Client) -> None:
    views = demo_client.get("/views", params={"applicationId": DEMO_APPLICATION_ID}).json()

    responses = {view["name"]: demo_client.get(f"/export/view/{view['id']}") for view in views}

    assert {name: response.status_code for name, response in responses.items()} == {
        "Board pack": 200,
        "Paris scratchpad": 200,
        "All journals": 413,
        "Open projects": 422,
    }
    assert {row[4] for row in csv_rows(responses["Board pack"])[1:]} == {"Actual"}
    assert {row[1] for row in csv_rows(responses["Paris scratchpad"])[1:]} == {"France"}
    assert [view["type"] for view in views] == ["Public", "Personal", "Public", "Public"]


def test_demo_keys_have_separate_scopes() -> None:
    with serving(pigment_app(demo_workspace(10))) as server:
        statuses = []
        for key in (DEMO_KEY, DEMO_EXPORT_KEY, DEMO_METADATA_KEY):
            with http_client(server, key) as client:
                listed = client.get("/applications")
                exported = client.post(f"/export/list/{BLOCK_IDS['Countries']}")
                statuses.append((listed.status_code, exported.status_code))

    assert statuses == [(200, 200), (403, 200), (200, 403)]

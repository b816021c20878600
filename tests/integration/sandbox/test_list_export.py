"""Exports of lists."""

import httpx2
import pytest

from tap_pigment.sandbox.api import item_id
from tests.integration.sandbox import small_workspace
from tests.integration.sandbox.clients import csv_rows, problem_detail

COUNTRIES = f"/export/list/{small_workspace.COUNTRIES.id}"
JOURNAL = f"/export/list/{small_workspace.JOURNAL.id}"


def test_a_list_is_exported_as_items_and_sorted_properties(client: httpx2.Client) -> None:
    response = client.post(COUNTRIES, json={})

    assert csv_rows(response) == [
        ["countries_LLLLLL", "code_AAAAAA", "currency_EEEEEE", "in_eu_BBBBBB", "since_CCCCCC", "tax_DDDDDD"],
        ["France", "0033", "EUR", "TRUE", "2009-03-02", "0.25"],
        ["UK; N.I.", 'say "UK"', "GBP", "FALSE", "2011-06-01", "1E-05"],
        ["Japan 🗾", "two\nlines", "", "", "", ""],
    ]


def test_friendly_headers_are_the_display_names(client: httpx2.Client) -> None:
    response = client.post(COUNTRIES, json={"friendlyHeaders": True})

    assert csv_rows(response)[0] == ["Countries", "Code", "Currency", "In EU", "Since", "Tax"]


def test_requested_properties_follow_the_item_in_the_requested_order(client: httpx2.Client) -> None:
    response = client.post(COUNTRIES, json={"propertyTechnicalNames": ["tax_DDDDDD", "code_AAAAAA"]})

    assert csv_rows(response)[:2] == [
        ["countries_LLLLLL", "tax_DDDDDD", "code_AAAAAA"],
        ["France", "0.25", "0033"],
    ]


def test_an_empty_list_of_properties_exports_only_the_items(client: httpx2.Client) -> None:
    response = client.post(COUNTRIES, json={"propertyTechnicalNames": []})

    assert csv_rows(response) == [["countries_LLLLLL"], ["France"], ["UK; N.I."], ["Japan 🗾"]]


@pytest.mark.parametrize("name", ["nothing_AAAAAA", "countries_LLLLLL", "Code"])
def test_an_unknown_property_is_400(client: httpx2.Client, name: str) -> None:
    response = client.post(COUNTRIES, json={"propertyTechnicalNames": [name]})

    assert (response.status_code, problem_detail(response)) == (400, f"property {name}: not found in 'Countries'.")


def test_a_list_filter_keeps_the_given_items(client: httpx2.Client) -> None:
    items = [item_id(small_workspace.COUNTRIES.id, "Japan 🗾"), item_id(small_workspace.COUNTRIES.id, "France").upper()]

    response = client.post(COUNTRIES, json={"listFilter": items})

    assert [row[0] for row in csv_rows(response)[1:]] == ["France", "Japan 🗾"]


def test_an_empty_list_filter_keeps_all_items(client: httpx2.Client) -> None:
    response = client.post(COUNTRIES, json={"listFilter": []})

    assert len(csv_rows(response)) == 4


def test_a_property_filter_keeps_items_with_a_given_value(client: httpx2.Client) -> None:
    items = [item_id(small_workspace.CURRENCIES.id, "EUR"), item_id(small_workspace.CURRENCIES.id, "None")]

    response = client.post(
        COUNTRIES,
        json={"propertyFilters": [{"propertyTechnicalName": "currency_EEEEEE", "modalityIds": items}]},
    )

    assert [row[0] for row in csv_rows(response)[1:]] == ["France"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing_AAAAAA", "property nothing_AAAAAA: not found in 'Countries'."),
        ("code_AAAAAA", "property code_AAAAAA: is not a dimension, so it cannot be filtered."),
    ],
)
def test_a_filter_on_a_property_without_dimension_is_400(client: httpx2.Client, name: str, message: str) -> None:
    response = client.post(COUNTRIES, json={"propertyFilters": [{"propertyTechnicalName": name, "modalityIds": []}]})

    assert (response.status_code, problem_detail(response)) == (400, message)


def test_a_transaction_list_is_exported_with_repeats_and_without_ids(client: httpx2.Client) -> None:
    response = client.post(JOURNAL, json={})

    assert csv_rows(response) == [["amount_AAAAAA", "text_BBBBBB"], ["1", "one"], ["1", "one"], ["2", "two"]]


def test_a_list_filter_keeps_transactions_by_row_number(client: httpx2.Client) -> None:
    rows = [item_id(small_workspace.JOURNAL.id, "2"), item_id(small_workspace.JOURNAL.id, "3")]

    response = client.post(JOURNAL, json={"listFilter": rows})

    assert csv_rows(response)[1:] == [["1", "one"], ["2", "two"]]


def test_an_empty_list_is_exported_as_a_header(client: httpx2.Client) -> None:
    response = client.post(f"/export/list/{small_workspace.EMPTY_LIST.id}")

    assert [len(row) for row in csv_rows(response)] == [1]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (f"/export/list/{small_workspace.SALES.id}", f"No list {small_workspace.SALES.id}."),
        (f"/export/metric/{small_workspace.COUNTRIES.id}", f"No metric {small_workspace.COUNTRIES.id}."),
        (f"/export/table/{small_workspace.SALES.id}", f"No table {small_workspace.SALES.id}."),
        (f"/export/list/{small_workspace.PLANNING_ID}", f"No list {small_workspace.PLANNING_ID}."),
    ],
)
def test_an_unknown_id_or_an_id_of_another_kind_is_404(client: httpx2.Client, path: str, message: str) -> None:
    response = client.post(path, json={})

    assert (response.status_code, problem_detail(response)) == (404, message)


@pytest.mark.parametrize("kind", ["list", "metric", "table"])
def test_an_id_that_is_not_a_uuid_is_400(client: httpx2.Client, kind: str) -> None:
    response = client.post(f"/export/{kind}/12", json={})

    assert (response.status_code, problem_detail(response)) == (400, f"{kind}Id: '12' is not a UUID.")

"""Exports of lists."""

import httpx2
import pytest

from tap_pigment.sandbox.model import item_id
from tests.sandbox import company
from tests.sandbox.clients import problem, table

COUNTRIES = f"/export/list/{company.COUNTRIES.id}"
JOURNAL = f"/export/list/{company.JOURNAL.id}"


def test_a_list_comes_as_items_then_properties_in_order_of_technical_name(pigment: httpx2.Client) -> None:
    answer = pigment.post(COUNTRIES, json={})

    assert table(answer) == [
        ["countries_LLLLLL", "code_AAAAAA", "currency_EEEEEE", "in_eu_BBBBBB", "since_CCCCCC", "tax_DDDDDD"],
        ["France", "0033", "EUR", "TRUE", "2009-03-02", "0.25"],
        ["UK; N.I.", 'say "UK"', "GBP", "FALSE", "2011-06-01", "1E-05"],
        ["Japan 🗾", "two\nlines", "", "", "", ""],
    ]


def test_friendly_headers_are_the_names(pigment: httpx2.Client) -> None:
    answer = pigment.post(COUNTRIES, json={"friendlyHeaders": True})

    assert table(answer)[0] == ["Countries", "Code", "Currency", "In EU", "Since", "Tax"]


def test_properties_come_in_the_order_asked_for_after_the_item(pigment: httpx2.Client) -> None:
    answer = pigment.post(COUNTRIES, json={"propertyTechnicalNames": ["tax_DDDDDD", "code_AAAAAA"]})

    assert table(answer)[:2] == [
        ["countries_LLLLLL", "tax_DDDDDD", "code_AAAAAA"],
        ["France", "0.25", "0033"],
    ]


def test_no_properties_may_be_asked_for(pigment: httpx2.Client) -> None:
    answer = pigment.post(COUNTRIES, json={"propertyTechnicalNames": []})

    assert table(answer) == [["countries_LLLLLL"], ["France"], ["UK; N.I."], ["Japan 🗾"]]


@pytest.mark.parametrize("name", ["nothing_AAAAAA", "countries_LLLLLL", "Code"])
def test_a_property_the_list_does_not_have_is_400(pigment: httpx2.Client, name: str) -> None:
    answer = pigment.post(COUNTRIES, json={"propertyTechnicalNames": [name]})

    assert (answer.status_code, problem(answer)) == (400, f"property {name}: 'Countries' does not have it.")


def test_a_list_filter_keeps_its_items(pigment: httpx2.Client) -> None:
    items = [item_id(company.COUNTRIES.id, "Japan 🗾"), item_id(company.COUNTRIES.id, "France").upper()]

    answer = pigment.post(COUNTRIES, json={"listFilter": items})

    assert [row[0] for row in table(answer)[1:]] == ["France", "Japan 🗾"]


def test_an_empty_list_filter_means_all(pigment: httpx2.Client) -> None:
    answer = pigment.post(COUNTRIES, json={"listFilter": []})

    assert len(table(answer)) == 4


def test_a_property_filter_keeps_items_with_one_of_these(pigment: httpx2.Client) -> None:
    items = [item_id(company.CURRENCIES.id, "EUR"), item_id(company.CURRENCIES.id, "None")]

    answer = pigment.post(
        COUNTRIES,
        json={"propertyFilters": [{"propertyTechnicalName": "currency_EEEEEE", "modalityIds": items}]},
    )

    assert [row[0] for row in table(answer)[1:]] == ["France"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing_AAAAAA", "property nothing_AAAAAA: 'Countries' does not have it."),
        ("code_AAAAAA", "property code_AAAAAA: is not a dimension, so it cannot be filtered."),
    ],
)
def test_only_properties_that_are_dimensions_can_be_filtered(pigment: httpx2.Client, name: str, message: str) -> None:
    answer = pigment.post(COUNTRIES, json={"propertyFilters": [{"propertyTechnicalName": name, "modalityIds": []}]})

    assert (answer.status_code, problem(answer)) == (400, message)


def test_a_transaction_list_has_identical_rows_and_no_ids(pigment: httpx2.Client) -> None:
    answer = pigment.post(JOURNAL, json={})

    assert table(answer) == [["amount_AAAAAA", "text_BBBBBB"], ["1", "one"], ["1", "one"], ["2", "two"]]


def test_a_list_filter_keeps_transactions_by_their_row_number(pigment: httpx2.Client) -> None:
    rows = [item_id(company.JOURNAL.id, "2"), item_id(company.JOURNAL.id, "3")]

    answer = pigment.post(JOURNAL, json={"listFilter": rows})

    assert table(answer)[1:] == [["1", "one"], ["2", "two"]]


def test_an_empty_list_is_a_header(pigment: httpx2.Client) -> None:
    answer = pigment.post(f"/export/list/{company.NOTHING.id}")

    assert [len(row) for row in table(answer)] == [1]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (f"/export/list/{company.SALES.id}", f"No list {company.SALES.id}."),
        (f"/export/metric/{company.COUNTRIES.id}", f"No metric {company.COUNTRIES.id}."),
        (f"/export/table/{company.SALES.id}", f"No table {company.SALES.id}."),
        (f"/export/list/{company.PLANNING_ID}", f"No list {company.PLANNING_ID}."),
    ],
)
def test_an_unknown_id_or_one_of_another_kind_is_404(pigment: httpx2.Client, path: str, message: str) -> None:
    answer = pigment.post(path, json={})

    assert (answer.status_code, problem(answer)) == (404, message)


@pytest.mark.parametrize("kind", ["list", "metric", "table"])
def test_an_id_that_is_no_uuid_is_400(pigment: httpx2.Client, kind: str) -> None:
    answer = pigment.post(f"/export/{kind}/12", json={})

    assert (answer.status_code, problem(answer)) == (400, f"{kind}Id: '12' is not a uuid.")

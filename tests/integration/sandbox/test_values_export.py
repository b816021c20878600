"""Exports of metrics and tables."""

import httpx2
import pytest

from tests.integration.sandbox import small_workspace
from tests.integration.sandbox.clients import csv_rows, problem_detail

SALES = f"/export/metric/{small_workspace.SALES.id}"
PLAN = f"/export/table/{small_workspace.PLAN.id}"
UNKNOWN = "00000000-0000-4000-8000-00000000000f"


def test_a_metric_is_exported_as_dimensions_and_value(client: httpx2.Client) -> None:
    response = client.post(SALES, json={})

    assert csv_rows(response) == [
        ["countries_LLLLLL", "years_YYYYYY", "sales_SSSSSS"],
        ["France", "2025", "10.50"],
        ["France", "2026", "12.1"],
        ["UK; N.I.", "2026", "7"],
    ]


def test_a_table_is_exported_as_dimensions_and_metrics(client: httpx2.Client) -> None:
    response = client.post(PLAN, json={})

    assert csv_rows(response) == [
        ["countries_LLLLLL", "years_YYYYYY", "sales_SSSSSS", "growth_GGGGGG"],
        ["France", "2025", "10.50", ""],
        ["France", "2026", "12.1", ""],
        ["UK; N.I.", "2026", "7", ""],
        ["UK; N.I.", "2025", "", ""],
        ["", "2026", "", "0.1"],
    ]


@pytest.mark.parametrize("path", [SALES, PLAN])
def test_friendly_headers_are_the_display_names(client: httpx2.Client, path: str) -> None:
    response = client.post(path, json={"friendlyHeaders": True})

    assert csv_rows(response)[0][:3] == ["Countries", "Years", "Sales"]


def test_requested_metrics_limit_a_table_to_their_columns_and_rows(client: httpx2.Client) -> None:
    sales = client.post(PLAN, json={"metrics": [small_workspace.SALES.id]})
    growth = client.post(PLAN, json={"metrics": [small_workspace.GROWTH.id]})

    assert csv_rows(sales) == [
        ["countries_LLLLLL", "years_YYYYYY", "sales_SSSSSS"],
        ["France", "2025", "10.50"],
        ["France", "2026", "12.1"],
        ["UK; N.I.", "2026", "7"],
    ]
    assert csv_rows(growth) == [["years_YYYYYY", "growth_GGGGGG"], ["2026", "0.1"]]


def test_requested_metrics_are_in_the_order_of_the_table(client: httpx2.Client) -> None:
    response = client.post(PLAN, json={"metrics": [small_workspace.GROWTH.id, small_workspace.SALES.id]})

    assert csv_rows(response)[0] == ["countries_LLLLLL", "years_YYYYYY", "sales_SSSSSS", "growth_GGGGGG"]


def test_a_metric_of_another_table_is_400(client: httpx2.Client) -> None:
    response = client.post(PLAN, json={"metrics": [small_workspace.OPEN.id]})

    assert (response.status_code, problem_detail(response)) == (
        400,
        f"metric {small_workspace.OPEN.id}: not found in 'Plan'.",
    )


def test_fields_set_the_order_and_headers_of_the_columns(client: httpx2.Client) -> None:
    fields = [
        {"type": "ValueField", "sourceId": small_workspace.SALES.id, "displayName": "Turnover"},
        {"type": "DimensionField", "sourceId": small_workspace.COUNTRIES.id},
    ]

    response = client.post(PLAN, json={"fields": fields})

    assert csv_rows(response)[:2] == [["Turnover", "countries_LLLLLL"], ["10.50", "France"]]


@pytest.mark.parametrize(
    ("kind", "source_id"),
    [
        ("ValueField", UNKNOWN),
        ("ValueField", small_workspace.YEARS.id),
        ("DimensionField", small_workspace.SALES.id),
        ("DimensionField", small_workspace.CURRENCIES.id),
        ("ValueField", small_workspace.GROWTH.id),
    ],
)
def test_a_field_outside_the_requested_metrics_is_400(client: httpx2.Client, kind: str, source_id: str) -> None:
    response = client.post(
        PLAN, json={"metrics": [small_workspace.SALES.id], "fields": [{"type": kind, "sourceId": source_id}]}
    )

    assert (response.status_code, problem_detail(response)) == (400, f"{kind} {source_id}: not found in 'Plan'.")


def test_scenarios_add_a_column_and_repeat_the_rows(client: httpx2.Client) -> None:
    scenario_ids = [small_workspace.DOWNSIDE.id, small_workspace.BASE.id]

    response = client.post(SALES, json={"scenarios": scenario_ids, "friendlyHeaders": True})

    header, *rows = csv_rows(response)
    assert header == ["Scenario", "Countries", "Years", "Sales"]
    assert [row[:2] for row in rows] == [
        ["Downside", "France"],
        ["Downside", "France"],
        ["Downside", "UK; N.I."],
        ["Base", "France"],
        ["Base", "France"],
        ["Base", "UK; N.I."],
    ]


def test_a_table_can_have_scenarios_as_a_column_or_a_field(client: httpx2.Client) -> None:
    scenario_ids = [small_workspace.DOWNSIDE.id]
    fields = [
        {"type": "DimensionField", "sourceId": small_workspace.YEARS.id},
        {"type": "ScenarioField", "sourceId": None, "displayName": "Case"},
    ]

    as_column = client.post(PLAN, json={"scenarios": scenario_ids, "friendlyHeaders": True})
    as_field = client.post(PLAN, json={"scenarios": scenario_ids, "fields": fields})

    assert csv_rows(as_column)[:2] == [
        ["Scenario", "Countries", "Years", "Sales", "Growth"],
        ["Downside", "France", "2025", "10.50", ""],
    ]
    assert csv_rows(as_field)[:2] == [["years_YYYYYY", "Case"], ["2025", "Downside"]]


def test_a_scenario_field_without_scenarios_has_the_default_one(client: httpx2.Client) -> None:
    response = client.post(PLAN, json={"fields": [{"type": "ScenarioField"}]})

    assert csv_rows(response)[1] == ["Base"]


@pytest.mark.parametrize("path", [SALES, PLAN])
def test_without_scenarios_there_is_no_scenario_column(client: httpx2.Client, path: str) -> None:
    response = client.post(path, json={"scenarios": []})

    assert csv_rows(response)[0][0] == "countries_LLLLLL"


@pytest.mark.parametrize(("path", "name"), [(SALES, "Sales"), (PLAN, "Plan")])
def test_an_unknown_scenario_is_400(client: httpx2.Client, path: str, name: str) -> None:
    response = client.post(path, json={"scenarios": [UNKNOWN]})

    assert (response.status_code, problem_detail(response)) == (400, f"scenario {UNKNOWN}: not found in {name!r}.")

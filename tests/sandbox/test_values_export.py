"""Exports of metrics and tables."""

import httpx2
import pytest

from tests.sandbox import company
from tests.sandbox.clients import problem, table

SALES = f"/export/metric/{company.SALES.id}"
PLAN = f"/export/table/{company.PLAN.id}"
UNKNOWN = "00000000-0000-4000-8000-00000000000f"


def test_a_metric_comes_as_dimensions_then_its_value(pigment: httpx2.Client) -> None:
    answer = pigment.post(SALES, json={})

    assert table(answer) == [
        ["countries_LLLLLL", "years_YYYYYY", "sales_SSSSSS"],
        ["France", "2025", "10.50"],
        ["France", "2026", "12.1"],
        ["UK; N.I.", "2026", "7"],
    ]


def test_a_table_comes_as_dimensions_then_metrics_of_different_shapes(pigment: httpx2.Client) -> None:
    answer = pigment.post(PLAN, json={})

    assert table(answer) == [
        ["countries_LLLLLL", "years_YYYYYY", "sales_SSSSSS", "growth_GGGGGG"],
        ["France", "2025", "10.50", ""],
        ["France", "2026", "12.1", ""],
        ["UK; N.I.", "2026", "7", ""],
        ["UK; N.I.", "2025", "", ""],
        ["", "2026", "", "0.1"],
    ]


@pytest.mark.parametrize("path", [SALES, PLAN])
def test_friendly_headers_are_the_names(pigment: httpx2.Client, path: str) -> None:
    answer = pigment.post(path, json={"friendlyHeaders": True})

    assert table(answer)[0][:3] == ["Countries", "Years", "Sales"]


def test_metrics_narrow_a_table_to_their_columns_dimensions_and_rows(pigment: httpx2.Client) -> None:
    sales = pigment.post(PLAN, json={"metrics": [company.SALES.id]})
    growth = pigment.post(PLAN, json={"metrics": [company.GROWTH.id]})

    assert table(sales) == [
        ["countries_LLLLLL", "years_YYYYYY", "sales_SSSSSS"],
        ["France", "2025", "10.50"],
        ["France", "2026", "12.1"],
        ["UK; N.I.", "2026", "7"],
    ]
    assert table(growth) == [["years_YYYYYY", "growth_GGGGGG"], ["2026", "0.1"]]


def test_metrics_keep_the_order_of_the_table(pigment: httpx2.Client) -> None:
    answer = pigment.post(PLAN, json={"metrics": [company.GROWTH.id, company.SALES.id]})

    assert table(answer)[0] == ["countries_LLLLLL", "years_YYYYYY", "sales_SSSSSS", "growth_GGGGGG"]


def test_a_metric_the_table_does_not_have_is_400(pigment: httpx2.Client) -> None:
    answer = pigment.post(PLAN, json={"metrics": [company.OPEN.id]})

    assert (answer.status_code, problem(answer)) == (
        400,
        f"metric {company.OPEN.id}: 'Plan' does not have it.",
    )


def test_fields_are_the_columns_in_their_order_under_their_display_names(pigment: httpx2.Client) -> None:
    fields = [
        {"type": "ValueField", "sourceId": company.SALES.id, "displayName": "Turnover"},
        {"type": "DimensionField", "sourceId": company.COUNTRIES.id},
    ]

    answer = pigment.post(PLAN, json={"fields": fields})

    assert table(answer)[:2] == [["Turnover", "countries_LLLLLL"], ["10.50", "France"]]


@pytest.mark.parametrize(
    ("kind", "source_id"),
    [
        ("ValueField", UNKNOWN),
        ("ValueField", company.YEARS.id),
        ("DimensionField", company.SALES.id),
        ("DimensionField", company.CURRENCIES.id),
        ("ValueField", company.GROWTH.id),
    ],
)
def test_a_field_the_narrowed_table_does_not_have_is_400(pigment: httpx2.Client, kind: str, source_id: str) -> None:
    answer = pigment.post(PLAN, json={"metrics": [company.SALES.id], "fields": [{"type": kind, "sourceId": source_id}]})

    assert (answer.status_code, problem(answer)) == (400, f"{kind} {source_id}: 'Plan' does not have it.")


def test_scenarios_add_a_column_and_the_rows_of_each(pigment: httpx2.Client) -> None:
    both = [company.DOWNSIDE.id, company.BASE.id]

    answer = pigment.post(SALES, json={"scenarios": both, "friendlyHeaders": True})

    header, *rows = table(answer)
    assert header == ["Scenario", "Countries", "Years", "Sales"]
    assert [row[:2] for row in rows] == [
        ["Downside", "France"],
        ["Downside", "France"],
        ["Downside", "UK; N.I."],
        ["Base", "France"],
        ["Base", "France"],
        ["Base", "UK; N.I."],
    ]


def test_a_table_has_scenarios_too_also_as_a_field(pigment: httpx2.Client) -> None:
    one = [company.DOWNSIDE.id]
    fields = [
        {"type": "DimensionField", "sourceId": company.YEARS.id},
        {"type": "ScenarioField", "sourceId": None, "displayName": "Case"},
    ]

    plain = pigment.post(PLAN, json={"scenarios": one, "friendlyHeaders": True})
    fielded = pigment.post(PLAN, json={"scenarios": one, "fields": fields})

    assert table(plain)[:2] == [
        ["Scenario", "Countries", "Years", "Sales", "Growth"],
        ["Downside", "France", "2025", "10.50", ""],
    ]
    assert table(fielded)[:2] == [["years_YYYYYY", "Case"], ["2025", "Downside"]]


def test_a_scenario_field_names_the_default_scenario_if_none_is_asked_for(pigment: httpx2.Client) -> None:
    answer = pigment.post(PLAN, json={"fields": [{"type": "ScenarioField"}]})

    assert table(answer)[1] == ["Base"]


@pytest.mark.parametrize("path", [SALES, PLAN])
def test_no_scenarios_mean_the_default_one_without_a_column(pigment: httpx2.Client, path: str) -> None:
    answer = pigment.post(path, json={"scenarios": []})

    assert table(answer)[0][0] == "countries_LLLLLL"


@pytest.mark.parametrize(("path", "name"), [(SALES, "Sales"), (PLAN, "Plan")])
def test_an_unknown_scenario_is_400(pigment: httpx2.Client, path: str, name: str) -> None:
    answer = pigment.post(path, json={"scenarios": [UNKNOWN]})

    assert (answer.status_code, problem(answer)) == (400, f"scenario {UNKNOWN}: {name!r} does not have it.")

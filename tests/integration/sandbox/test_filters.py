"""`exportFilter` and `filters` of metrics and tables."""

from typing import Any

import httpx2
import pytest

from tap_pigment.sandbox.api import Metric, item_id
from tests.integration.sandbox import small_workspace
from tests.integration.sandbox.clients import csv_rows, problem_detail

PLAN = f"/export/table/{small_workspace.PLAN.id}"
FRANCE = item_id(small_workspace.COUNTRIES.id, "France")
UK = item_id(small_workspace.COUNTRIES.id, "UK; N.I.")
LAST_YEAR = item_id(small_workspace.YEARS.id, "2025")
UNKNOWN = "00000000-0000-4000-8000-00000000000f"


def dimension_filter(dimension_id: str, *items: str) -> dict[str, Any]:
    """Return an `ExportFilter` on a dimension."""
    return {"type": "Dimension", "dimension": {"dimensionId": dimension_id, "modalityIds": list(items)}}


def value_filter(metric_id: str, condition: str, *value: object) -> dict[str, Any]:
    """Return an `ExportFilter` on a metric; the value is optional."""
    condition_body = {"type": condition, **({"value": value[0]} if value else {})}
    return {"type": "Value", "value": {"metricId": metric_id, "condition": condition_body}}


def plan_rows(client: httpx2.Client, export_filter: dict[str, Any]) -> list[str]:
    """Return the country and year of each row of Plan that passes the filter."""
    response = client.post(PLAN, json={"exportFilter": export_filter})
    return [" ".join(row[:2]) for row in csv_rows(response)[1:]]


def test_a_dimension_filter_keeps_its_items_and_blanks(client: httpx2.Client) -> None:
    rows = plan_rows(client, dimension_filter(small_workspace.COUNTRIES.id, FRANCE))

    assert rows == ["France 2025", "France 2026", " 2026"]


def test_a_value_filter_keeps_matching_rows_and_rows_without_dimension(client: httpx2.Client) -> None:
    rows = plan_rows(client, value_filter(small_workspace.SALES.id, "GreaterThan", 10.5))

    assert rows == ["France 2026", " 2026"]


def test_a_blank_value_meets_no_condition(client: httpx2.Client) -> None:
    filled = plan_rows(client, value_filter(small_workspace.SALES.id, "IsNotBlank"))
    unequal = plan_rows(client, value_filter(small_workspace.SALES.id, "NotEqual", 7))

    assert filled == ["France 2025", "France 2026", "UK; N.I. 2026", " 2026"]
    assert unequal == ["France 2025", "France 2026", " 2026"]


def test_an_and_filter_keeps_rows_that_pass_all_filters(client: httpx2.Client) -> None:
    parts = [
        dimension_filter(small_workspace.COUNTRIES.id, FRANCE),
        dimension_filter(small_workspace.YEARS.id, LAST_YEAR),
    ]

    rows = plan_rows(client, {"type": "And", "and": parts})

    assert rows == ["France 2025"]


def test_an_or_filter_keeps_rows_that_pass_one_filter(client: httpx2.Client) -> None:
    parts = [value_filter(small_workspace.SALES.id, "Equal", 7), dimension_filter(small_workspace.YEARS.id, LAST_YEAR)]

    rows = plan_rows(client, {"type": "Or", "or": parts})

    assert rows == ["France 2025", "UK; N.I. 2026", "UK; N.I. 2025", " 2026"]


def test_filters_and_export_filter_are_combined(client: httpx2.Client) -> None:
    response = client.post(
        PLAN,
        json={
            "filters": [
                {"dimensionId": small_workspace.YEARS.id, "modalityIds": [LAST_YEAR]},
                {"dimensionId": small_workspace.COUNTRIES.id, "modalityIds": []},
            ],
            "exportFilter": dimension_filter(small_workspace.COUNTRIES.id, UK),
        },
    )

    assert csv_rows(response)[1:] == [["UK; N.I.", "2025", "", ""]]


def test_metrics_are_filtered_like_tables(client: httpx2.Client) -> None:
    response = client.post(
        f"/export/metric/{small_workspace.SALES.id}",
        json={"exportFilter": dimension_filter(small_workspace.COUNTRIES.id, UK), "filters": None},
    )

    assert csv_rows(response)[1:] == [["UK; N.I.", "2026", "7"]]


@pytest.mark.parametrize(
    ("metric", "condition", "value", "years"),
    [
        (small_workspace.CLOSED_ON, "LessThan", "2027-01-21", ["2025"]),
        (small_workspace.CLOSED_ON, "LessThanOrEqual", "2027-01-21", ["2025", "2026"]),
        (small_workspace.CLOSED_ON, "GreaterThanOrEqual", "2027-01-21", ["2026"]),
        (small_workspace.OPEN, "Equal", False, ["2025"]),
        (small_workspace.NOTE, "NotEqual", "bad", ["2025"]),
        (small_workspace.NOTE, "GreaterThan", "bad", ["2025"]),
        (small_workspace.GROWTH, "Equal", 0.1, ["2026"]),
        (small_workspace.GROWTH, "LessThan", 0, []),
    ],
)
def test_values_are_compared_in_the_type_of_the_metric(
    client: httpx2.Client, metric: Metric, condition: str, value: object, years: list[str]
) -> None:
    response = client.post(
        f"/export/metric/{metric.id}", json={"exportFilter": value_filter(metric.id, condition, value)}
    )

    assert [row[0] for row in csv_rows(response)[1:]] == years


@pytest.mark.parametrize(
    ("metric", "value", "message"),
    [
        (small_workspace.SALES, "7", "'7' is not a Number, the type of this metric."),
        (small_workspace.SALES, True, "True is not a Number, the type of this metric."),
        (small_workspace.OPEN, 1, "1 is not a Boolean, the type of this metric."),
        (small_workspace.NOTE, 1, "1 is not a Text, the type of this metric."),
        (small_workspace.CLOSED_ON, 1, "1 is not a Date, the type of this metric."),
        (small_workspace.CLOSED_ON, "21/01/2027", "'21/01/2027' is not a date like 2054-01-21."),
    ],
)
def test_a_value_of_another_type_is_400(client: httpx2.Client, metric: Metric, value: object, message: str) -> None:
    response = client.post(
        f"/export/metric/{metric.id}", json={"exportFilter": value_filter(metric.id, "Equal", value)}
    )

    assert (response.status_code, problem_detail(response)) == (400, f"metric {metric.id}: {message}")


@pytest.mark.parametrize(
    ("export_filter", "message"),
    [
        (dimension_filter(UNKNOWN, FRANCE), f"dimension {UNKNOWN}: not found in 'Plan'."),
        (
            value_filter(small_workspace.OPEN.id, "IsNotBlank"),
            f"metric {small_workspace.OPEN.id}: not found in 'Plan'.",
        ),
    ],
)
def test_a_filter_on_an_unknown_dimension_or_metric_is_400(
    client: httpx2.Client, export_filter: dict[str, Any], message: str
) -> None:
    response = client.post(PLAN, json={"exportFilter": export_filter})

    assert (response.status_code, problem_detail(response)) == (400, message)

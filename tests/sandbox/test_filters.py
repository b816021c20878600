"""`exportFilter` and `filters` of metrics and tables."""

from typing import Any

import httpx2
import pytest

from tap_pigment.sandbox.model import Metric, item_id
from tests.sandbox import company
from tests.sandbox.clients import problem, table

PLAN = f"/export/table/{company.PLAN.id}"
FRANCE = item_id(company.COUNTRIES.id, "France")
UK = item_id(company.COUNTRIES.id, "UK; N.I.")
LAST_YEAR = item_id(company.YEARS.id, "2025")
UNKNOWN = "00000000-0000-4000-8000-00000000000f"


def of_items(dimension_id: str, *items: str) -> dict[str, Any]:
    return {"type": "Dimension", "dimension": {"dimensionId": dimension_id, "modalityIds": list(items)}}


def of_value(metric_id: str, condition: str, *value: object) -> dict[str, Any]:
    wanted = {"type": condition, **({"value": value[0]} if value else {})}
    return {"type": "Value", "value": {"metricId": metric_id, "condition": wanted}}


def plan_rows(pigment: httpx2.Client, rule: dict[str, Any]) -> list[str]:
    answer = pigment.post(PLAN, json={"exportFilter": rule})
    return [" ".join(row[:2]) for row in table(answer)[1:]]


def test_a_dimension_filter_keeps_its_items_and_rows_without_the_dimension(pigment: httpx2.Client) -> None:
    rows = plan_rows(pigment, of_items(company.COUNTRIES.id, FRANCE))

    assert rows == ["France 2025", "France 2026", " 2026"]


def test_a_value_filter_keeps_rows_that_meet_it_and_rows_that_cannot_have_the_value(
    pigment: httpx2.Client,
) -> None:
    rows = plan_rows(pigment, of_value(company.SALES.id, "GreaterThan", 10.5))

    assert rows == ["France 2026", " 2026"]


def test_a_blank_value_meets_no_condition(pigment: httpx2.Client) -> None:
    filled = plan_rows(pigment, of_value(company.SALES.id, "IsNotBlank"))
    unequal = plan_rows(pigment, of_value(company.SALES.id, "NotEqual", 7))

    assert filled == ["France 2025", "France 2026", "UK; N.I. 2026", " 2026"]
    assert unequal == ["France 2025", "France 2026", " 2026"]


def test_and_keeps_what_all_keep(pigment: httpx2.Client) -> None:
    parts = [of_items(company.COUNTRIES.id, FRANCE), of_items(company.YEARS.id, LAST_YEAR)]

    rows = plan_rows(pigment, {"type": "And", "and": parts})

    assert rows == ["France 2025"]


def test_or_keeps_what_one_keeps(pigment: httpx2.Client) -> None:
    parts = [of_value(company.SALES.id, "Equal", 7), of_items(company.YEARS.id, LAST_YEAR)]

    rows = plan_rows(pigment, {"type": "Or", "or": parts})

    assert rows == ["France 2025", "UK; N.I. 2026", "UK; N.I. 2025", " 2026"]


def test_filters_and_export_filter_are_combined(pigment: httpx2.Client) -> None:
    answer = pigment.post(
        PLAN,
        json={
            "filters": [
                {"dimensionId": company.YEARS.id, "modalityIds": [LAST_YEAR]},
                {"dimensionId": company.COUNTRIES.id, "modalityIds": []},
            ],
            "exportFilter": of_items(company.COUNTRIES.id, UK),
        },
    )

    assert table(answer)[1:] == [["UK; N.I.", "2025", "", ""]]


def test_a_metric_is_filtered_in_the_same_way(pigment: httpx2.Client) -> None:
    answer = pigment.post(
        f"/export/metric/{company.SALES.id}",
        json={"exportFilter": of_items(company.COUNTRIES.id, UK), "filters": None},
    )

    assert table(answer)[1:] == [["UK; N.I.", "2026", "7"]]


@pytest.mark.parametrize(
    ("metric", "condition", "value", "years"),
    [
        (company.CLOSED_ON, "LessThan", "2027-01-21", ["2025"]),
        (company.CLOSED_ON, "LessThanOrEqual", "2027-01-21", ["2025", "2026"]),
        (company.CLOSED_ON, "GreaterThanOrEqual", "2027-01-21", ["2026"]),
        (company.OPEN, "Equal", False, ["2025"]),
        (company.NOTE, "NotEqual", "bad", ["2025"]),
        (company.NOTE, "GreaterThan", "bad", ["2025"]),
        (company.GROWTH, "Equal", 0.1, ["2026"]),
        (company.GROWTH, "LessThan", 0, []),
    ],
)
def test_values_are_compared_in_the_type_of_the_metric(
    pigment: httpx2.Client, metric: Metric, condition: str, value: object, years: list[str]
) -> None:
    answer = pigment.post(f"/export/metric/{metric.id}", json={"exportFilter": of_value(metric.id, condition, value)})

    assert [row[0] for row in table(answer)[1:]] == years


@pytest.mark.parametrize(
    ("metric", "value", "message"),
    [
        (company.SALES, "7", "'7' is not a Number, as its values are."),
        (company.SALES, True, "True is not a Number, as its values are."),
        (company.OPEN, 1, "1 is not a Boolean, as its values are."),
        (company.NOTE, 1, "1 is not a Text, as its values are."),
        (company.CLOSED_ON, 1, "1 is not a Date, as its values are."),
        (company.CLOSED_ON, "21/01/2027", "'21/01/2027' is not a date like 2054-01-21."),
    ],
)
def test_a_value_of_another_type_is_400(pigment: httpx2.Client, metric: Metric, value: object, message: str) -> None:
    answer = pigment.post(f"/export/metric/{metric.id}", json={"exportFilter": of_value(metric.id, "Equal", value)})

    assert (answer.status_code, problem(answer)) == (400, f"metric {metric.id}: {message}")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (of_items(UNKNOWN, FRANCE), f"dimension {UNKNOWN}: 'Plan' does not have it."),
        (of_value(company.OPEN.id, "IsNotBlank"), f"metric {company.OPEN.id}: 'Plan' does not have it."),
    ],
)
def test_a_filter_on_what_the_block_does_not_have_is_400(
    pigment: httpx2.Client, rule: dict[str, Any], message: str
) -> None:
    answer = pigment.post(PLAN, json={"exportFilter": rule})

    assert (answer.status_code, problem(answer)) == (400, message)

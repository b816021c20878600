"""`headers: friendly`: columns are found by their display name, whatever their order is."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.errors import CatalogError, SettingsError
from tests.support.taps import of_type, records, written

if TYPE_CHECKING:
    from tests.support.pigment import Pigment
    from tests.support.taps import Discover, MakeTap, RunTap

FRIENDLY: dict[str, Any] = {"headers": "friendly"}
KEY: dict[str, Any] = {"stream_overrides": {"plan": {"key_columns": ["month"]}}}


def test_columns_in_another_order_keep_their_cells(pigment: Pigment, discover: Discover, run_tap: RunTap) -> None:
    plan = pigment.add("Plan", "TransactionList", "Month;Revenue (€);Revenue ($)\r\nJan 26;100.5;115.25\r\n")
    catalog = discover(**FRIENDLY, **KEY)
    first = records(run_tap(catalog=catalog, **FRIENDLY, **KEY), "plan")
    pigment.exports[plan] = "Month;Revenue ($);Revenue (€)\r\nJan 26;115.25;100.5\r\n".encode()

    second = records(run_tap(catalog=catalog, **FRIENDLY, **KEY), "plan")

    assert first == second == [{"month": "Jan 26", "revenue": 100.5, "revenue_2": 115.25}]


def test_without_a_catalog_the_state_keeps_the_names(pigment: Pigment, tap: MakeTap) -> None:
    plan = pigment.add("Plan", "TransactionList", "")
    nights = [
        ("Month;Revenue (€);Revenue ($)", "Jan 26;100.5;115.25"),
        ("Month;Revenue ($);Revenue (€)", "Jan 26;115.25;100.5"),
        ("Month;Revenue ($)", "Jan 26;115.25"),
        ("Revenue (£);Revenue ($);Month;Revenue (€)", "88.5;115.25;Jan 26;100.5"),
    ]
    state: dict[str, Any] = {}
    emitted = []

    for header, row in nights:
        pigment.exports[plan] = f"{header}\r\n{row}\r\n".encode()
        running = tap(state=state, **FRIENDLY, **KEY)
        running.sync_all()
        state = of_type(written(running), "STATE")[-1]["value"]
        emitted += records(written(running), "plan")

    assert emitted == [
        {"month": "Jan 26", "revenue": 100.5, "revenue_2": 115.25},
        {"month": "Jan 26", "revenue": 100.5, "revenue_2": 115.25},
        {"month": "Jan 26", "revenue_2": 115.25},
        {"month": "Jan 26", "revenue": 100.5, "revenue_2": 115.25, "revenue_3": 88.5},
    ]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(
            "Code;revenue", "Code;Revenue;revenue", {"revenue": "b", "revenue_2": "a"}, id="a new one in front"
        ),
        pytest.param("Code;Tax rate", "Code;Tax Rate", {"tax_rate": "a"}, id="another case"),
    ],
)
def test_without_a_catalog_a_column_keeps_its_name(
    pigment: Pigment, tap: MakeTap, first: str, second: str, expected: dict[str, str]
) -> None:
    plan = pigment.add("Plan", "TransactionList", f"{first}\r\nA;b\r\n")
    before = tap(**FRIENDLY)
    before.sync_all()
    state = of_type(written(before), "STATE")[-1]["value"]
    pigment.exports[plan] = f"{second}\r\nA;{';'.join('ab'[: second.count(';')])}\r\n".encode()

    after = tap(state=state, **FRIENDLY)
    after.sync_all()

    assert records(written(after), "plan") == [{"code": "A", **expected}]


def test_a_column_that_is_missing_is_not_replaced_by_its_namesake(
    pigment: Pigment, discover: Discover, tap: MakeTap
) -> None:
    plan = pigment.add_list("Plan", "Id;revenue;Revenue\r\n1;10;99\r\n")
    catalog = discover(**FRIENDLY)
    pigment.exports[plan] = b"Id;Revenue\r\n1;99\r\n"
    running = tap(catalog=catalog, **FRIENDLY)

    with pytest.raises(CatalogError, match="plan: column revenue is in the catalog and no longer in the export"):
        running.sync_all()

    assert records(written(running), "plan") == []


@pytest.mark.parametrize("switch", [("friendly", "technical"), ("technical", "friendly")], ids="-".join)
def test_a_view_can_switch_between_the_kinds_of_headers(
    pigment: Pigment, tap: MakeTap, switch: tuple[str, str]
) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\n")
    pigment.add_view("Board", "Month;Net sales\r\nJan;7\r\n")
    state: dict[str, Any] = {}
    emitted = []

    for headers in switch:
        running = tap(state=state, headers=headers, block_types=["View"])
        running.sync_all()
        state = of_type(written(running), "STATE")[-1]["value"]
        emitted += [set(record) for record in records(written(running), "board")]

    names = {"friendly": {"month", "net_sales"}, "technical": {"Month", "Net sales"}}
    assert [found - {"occurrence"} for found in emitted] == [names[headers] for headers in switch]


def test_the_order_of_names_that_differ_only_in_case_makes_no_difference(
    pigment: Pigment, discover: Discover, run_tap: RunTap
) -> None:
    plan = pigment.add_list("Plan", "Code;name;Name\r\nA;lower;upper\r\n")
    catalog = discover()
    pigment.exports[plan] = b"Code;Name;name\r\nA;upper;lower\r\n"

    messages = run_tap(catalog=catalog)

    assert records(messages, "plan") == [{"Code": "A", "name": "lower", "Name_2": "upper"}]


def test_a_column_whose_namesake_is_missing_keeps_its_cells(pigment: Pigment, discover: Discover, tap: MakeTap) -> None:
    plan = pigment.add("Plan", "TransactionList", "Month;Revenue (€);Revenue ($)\r\nJan 26;100.5;115.25\r\n")
    catalog = discover(**FRIENDLY, **KEY)
    pigment.exports[plan] = b"Month;Revenue ($)\r\nJan 26;115.25\r\n"
    running = tap(catalog=catalog, **FRIENDLY, **KEY)

    with pytest.raises(CatalogError, match=r"^plan: column revenue is in the catalog and no longer in the export"):
        running.sync_all()

    assert written(running) == []


@pytest.mark.parametrize("has_catalog", [True, False])
def test_two_columns_with_one_display_name_are_an_error_with_its_remedy(
    pigment: Pigment, discover: Discover, tap: MakeTap, *, has_catalog: bool
) -> None:
    pigment.add_list("Plan", "Month;Revenue;Revenue\r\nJan 26;1;2\r\n")
    running = tap(catalog=discover(**FRIENDLY) if has_catalog else None, **FRIENDLY)

    with pytest.raises(SettingsError) as caught:
        running.sync_all()

    assert written(running) == []
    assert str(caught.value) == (
        'plan: 2 columns have the display name "Revenue" and cannot be told apart. Nothing was emitted. Set '
        "stream_overrides.plan.headers: technical."
    )


def test_an_override_sets_the_headers_of_one_stream(pigment: Pigment, discover: Discover, run_tap: RunTap) -> None:
    plan = pigment.add_list("Plan", "Month_AAAAAA;Revenue_BBBBBB\r\nJan 26;1.5\r\n")
    countries = pigment.add_list("Countries", "Code\r\nFR\r\n")
    settings: dict[str, Any] = {**FRIENDLY, "stream_overrides": {"plan": {"headers": "technical"}}}
    catalog = discover(**settings)

    messages = run_tap(catalog=catalog, **settings)

    assert records(messages, "plan") == [{"Month_AAAAAA": "Jan 26", "Revenue_BBBBBB": 1.5}]
    assert [request.body["friendlyHeaders"] for request in pigment.requested(plan)] == [False, False]
    assert [request.body["friendlyHeaders"] for request in pigment.requested(countries)] == [True, True]


@pytest.mark.parametrize("has_catalog", [True, False])
def test_a_repeated_header_of_a_view_that_is_renamed_is_not_taken_for_another(
    pigment: Pigment, discover: Discover, tap: MakeTap, *, has_catalog: bool
) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\n")
    board = pigment.add_view("Board", "Month;Rev;Rev\r\nJan;1;2\r\n")
    settings: dict[str, Any] = {"block_types": ["View"]}
    catalog = discover(**settings) if has_catalog else None
    before = tap(catalog=catalog, **settings)
    before.sync_all()
    state = of_type(written(before), "STATE")[-1]["value"]
    pigment.exports[board] = b"Month;Rev;Margin\r\nJan;1;2\r\n"

    after = tap(catalog=catalog, state=state, **settings)
    with pytest.raises(CatalogError, match="board: column Rev") if has_catalog else nullcontext():
        after.sync_all()

    cells = [{name: row[name] for name in row if name != "occurrence"} for row in records(written(after), "board")]
    assert cells == ([] if has_catalog else [{"Month": "Jan", "Rev": "1", "Margin": "2"}])

"""A small model before and after somebody edited it: a changed, a deleted and an added row in each block."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from tap_pigment.sandbox.api import (
    ApiKey,
    Application,
    Column,
    ColumnType,
    DimensionList,
    Metric,
    Scenario,
    Scope,
    Table,
    TransactionList,
    View,
    Workspace,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_pigment.sandbox.api import Row

KEY = "pgmt_all"
EXPORT_KEY = "pgmt_export"
PLANNING_ID = "aaaaaaaa-0000-4000-8000-000000000001"
SHARING_ID = "aaaaaaaa-0000-4000-8000-000000000002"
CUSTOMERS_ID = "bbbbbbbb-0000-4000-8000-000000000001"
JOURNAL_ID = "bbbbbbbb-0000-4000-8000-000000000002"
SALES_ID = "cccccccc-0000-4000-8000-000000000001"
PLAN_ID = "dddddddd-0000-4000-8000-000000000001"
BOARD_ID = "ffffffff-0000-4000-8000-000000000001"
BASE = Scenario("eeeeeeee-0000-4000-8000-000000000001", "Base")
DOWNSIDE = Scenario("eeeeeeee-0000-4000-8000-000000000002", "Downside")

REGIONS = DimensionList(
    id="bbbbbbbb-0000-4000-8000-000000000003",
    name="Regions",
    technical_name="regions_RRRRRR",
    rows=[("North",), ("South",)],
)
YEARS = DimensionList(
    id="bbbbbbbb-0000-4000-8000-000000000004",
    name="Years",
    technical_name="years_YYYYYY",
    rows=[("2025",), ("2026",)],
)
_OLD_LIST = DimensionList(id="bbbbbbbb-0000-4000-8000-000000000005", name="Old list", rows=[("a",)])
_NEW_LIST = DimensionList(id="bbbbbbbb-0000-4000-8000-000000000006", name="New list", rows=[("a",)])


def model_before() -> Workspace:
    """Return the model as the first run finds it."""
    return _workspace(
        customers=[
            ("Acme", "007", Decimal("1.50"), date(2020, 1, 31), "North"),
            ("Bolt", "12", None, None, "South"),
            ("Cobb", "13", 3, date(2021, 2, 28), "South"),
        ],
        journal=[("rent", Decimal("10.5"), "North"), ("rent", Decimal("10.5"), "North"), ("fuel", 2, "South")],
        sales=[("North", "2025", 10), ("North", "2026", Decimal("12.5")), ("South", "2026", 7)],
        other=_OLD_LIST,
    )


def model_after() -> Workspace:
    """Return the model as the second run finds it."""
    return _workspace(
        customers=[
            ("Acme", "007", Decimal("1.75"), date(2020, 1, 31), "North"),
            ("Cobb", "13", 3, date(2021, 2, 28), "South"),
            ("Dune", "14", 4, None, "North"),
        ],
        journal=[("food", 1, "South"), ("rent", Decimal("10.5"), "North"), ("fuel", 3, "South")],
        sales=[("North", "2025", 10), ("North", "2026", 13), ("South", "2025", 8)],
        other=_NEW_LIST,
    )


def _workspace(
    *, customers: Sequence[Row], journal: Sequence[Row], sales: Sequence[Row], other: DimensionList
) -> Workspace:
    region = Column("Region", ColumnType.DIMENSION, "region_RRRRRR", REGIONS.id)
    customer_list = DimensionList(
        id=CUSTOMERS_ID,
        name="Customers",
        technical_name="customers_CCCCCC",
        properties=(
            Column("Code", ColumnType.TEXT, "code_AAAAAA"),
            Column("Score", ColumnType.NUMBER, "score_SSSSSS"),
            Column("Since", ColumnType.DATE, "since_DDDDDD"),
            region,
        ),
        rows=customers,
    )
    journal_list = TransactionList(
        id=JOURNAL_ID,
        name="Journal",
        properties=(
            Column("Memo", technical_name="memo_MMMMMM"),
            Column("Amount", ColumnType.NUMBER, "amount_AAAAAA"),
            region,
        ),
        rows=journal,
    )
    sales_metric = Metric(
        id=SALES_ID, name="Sales", technical_name="sales_SSSSSS", dimensions=(REGIONS, YEARS), rows=sales
    )
    growth = Metric(
        id="cccccccc-0000-4000-8000-000000000002",
        name="Growth",
        technical_name="growth_GGGGGG",
        dimensions=(YEARS,),
        rows=[("2026", Decimal("0.1"))],
    )
    plan = Table(
        id=PLAN_ID,
        name="Plan",
        metrics=(sales_metric, growth),
        rows=[*((*row, None) for row in sales), (None, "2026", None, Decimal("0.1"))],
    )
    planning = Application(
        id=PLANNING_ID,
        name="Planning",
        blocks=(customer_list, journal_list, REGIONS, YEARS, sales_metric, growth, plan, other),
        views=(View(id=BOARD_ID, name="Board", block_id=PLAN_ID),),
        scenarios=(BASE, DOWNSIDE),
    )
    sharing = Application(id=SHARING_ID, name="Sharing", blocks=(customer_list, other))
    keys = (ApiKey(KEY), ApiKey(EXPORT_KEY, frozenset({Scope.EXPORT})))
    return Workspace((planning, sharing), keys)

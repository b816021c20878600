"""A small workspace, whose exports can be written out in full."""

from datetime import date
from decimal import Decimal

from tap_pigment.sandbox.api import (
    ApiKey,
    Application,
    Column,
    ColumnType,
    DeclaredColumn,
    DimensionList,
    Metric,
    Scenario,
    Scope,
    Table,
    TransactionList,
    View,
    ViewType,
    Workspace,
)

KEY = "pgmt_all"
EXPORT_KEY = "pgmt_export"
METADATA_KEY = "pgmt_metadata"

PLANNING_ID = "aaaaaaaa-0000-4000-8000-000000000001"
OTHER_ID = "aaaaaaaa-0000-4000-8000-000000000002"
BASE = Scenario("eeeeeeee-0000-4000-8000-000000000001", "Base")
DOWNSIDE = Scenario("eeeeeeee-0000-4000-8000-000000000002", "Downside")

CURRENCIES = DimensionList(
    id="bbbbbbbb-0000-4000-8000-000000000001",
    name="Currencies",
    technical_name="currencies_CCCCCC",
    rows=[("EUR",), ("GBP",)],
    declared_columns=(DeclaredColumn("Code", "Text", is_key=True),),
)
COUNTRIES = DimensionList(
    id="bbbbbbbb-0000-4000-8000-000000000002",
    name="Countries",
    technical_name="countries_LLLLLL",
    properties=(
        Column("Tax", ColumnType.NUMBER, "tax_DDDDDD"),
        Column("Code", ColumnType.TEXT, "code_AAAAAA"),
        Column("Since", ColumnType.DATE, "since_CCCCCC"),
        Column("In EU", ColumnType.BOOLEAN, "in_eu_BBBBBB"),
        Column("Currency", ColumnType.DIMENSION, "currency_EEEEEE", CURRENCIES.id),
    ),
    rows=[
        ("France", Decimal("0.25"), "0033", date(2009, 3, 2), True, "EUR"),
        ("UK; N.I.", 1e-05, 'say "UK"', date(2011, 6, 1), False, "GBP"),
        ("Japan 🗾", None, "two\nlines", None, None, None),
    ],
)
YEARS = DimensionList(
    id="bbbbbbbb-0000-4000-8000-000000000003",
    name="Years",
    technical_name="years_YYYYYY",
    rows=[("2025",), ("2026",)],
)
JOURNAL = TransactionList(
    id="bbbbbbbb-0000-4000-8000-000000000004",
    name="Journal",
    properties=(
        Column("Text", technical_name="text_BBBBBB"),
        Column("Amount", ColumnType.NUMBER, "amount_AAAAAA"),
    ),
    rows=[("one", 1), ("one", 1), ("two", 2)],
)
SALES = Metric(
    id="cccccccc-0000-4000-8000-000000000001",
    name="Sales",
    technical_name="sales_SSSSSS",
    dimensions=(COUNTRIES, YEARS),
    rows=[("France", "2025", Decimal("10.50")), ("France", "2026", 12.1), ("UK; N.I.", "2026", 7)],
)
GROWTH = Metric(
    id="cccccccc-0000-4000-8000-000000000002",
    name="Growth",
    technical_name="growth_GGGGGG",
    dimensions=(YEARS,),
    rows=[("2026", Decimal("0.1"))],
)
CLOSED_ON = Metric(
    id="cccccccc-0000-4000-8000-000000000003",
    name="Closed on",
    technical_name="closed_on_OOOOOO",
    type=ColumnType.DATE,
    dimensions=(YEARS,),
    rows=[("2025", date(2026, 1, 20)), ("2026", date(2027, 1, 21))],
)
OPEN = Metric(
    id="cccccccc-0000-4000-8000-000000000004",
    name="Open",
    technical_name="open_OOOOOO",
    type=ColumnType.BOOLEAN,
    dimensions=(YEARS,),
    rows=[("2025", False), ("2026", True)],
)
NOTE = Metric(
    id="cccccccc-0000-4000-8000-000000000005",
    name="Note",
    technical_name="note_NNNNNN",
    type=ColumnType.TEXT,
    dimensions=(YEARS,),
    rows=[("2025", "fine"), ("2026", "bad")],
)
PLAN = Table(
    id="dddddddd-0000-4000-8000-000000000001",
    name="Plan",
    metrics=(SALES, GROWTH),
    rows=[
        ("France", "2025", Decimal("10.50"), None),
        ("France", "2026", 12.1, None),
        ("UK; N.I.", "2026", 7, None),
        ("UK; N.I.", "2025", None, None),
        (None, "2026", None, Decimal("0.1")),
    ],
)
EMPTY_LIST = DimensionList(id="bbbbbbbb-0000-4000-8000-000000000005", name="Empty list")

WORKSPACE = Workspace(
    applications=(
        Application(
            id=PLANNING_ID,
            name="Planning",
            blocks=(CURRENCIES, COUNTRIES, YEARS, JOURNAL, SALES, GROWTH, CLOSED_ON, OPEN, NOTE, PLAN, EMPTY_LIST),
            views=(
                View(
                    id="ffffffff-0000-4000-8000-000000000001",
                    name="France only",
                    block_id=PLAN.id,
                    row_filter=lambda row: row[0] == "France",
                ),
                View(
                    id="ffffffff-0000-4000-8000-000000000002",
                    name="Mine",
                    block_id=PLAN.id,
                    type=ViewType.PERSONAL,
                    row_limit=4,
                ),
                View(id="ffffffff-0000-4000-8000-000000000003", name="Empty", block_id=EMPTY_LIST.id),
                View(id="ffffffff-0000-4000-8000-000000000004", name="Fits", block_id=PLAN.id, row_limit=5),
            ),
            scenarios=(BASE, DOWNSIDE),
        ),
        Application(id=OTHER_ID, name="Other", blocks=(COUNTRIES,)),
    ),
    keys=(
        ApiKey(KEY),
        ApiKey(EXPORT_KEY, frozenset({Scope.EXPORT})),
        ApiKey(METADATA_KEY, frozenset({Scope.MODELING_METADATA})),
    ),
)

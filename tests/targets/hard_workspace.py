"""A workspace of texts that are hard to transport, and the same workspace after edits."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from tap_pigment.sandbox.api.model import (
    ApiKey,
    Application,
    Column,
    ColumnType,
    DimensionList,
    Metric,
    Table,
    TransactionList,
    Workspace,
)

KEY = "pgmt_all"
APPLICATION_ID = "aaaaaaaa-0000-4000-8000-000000000001"

TEXTS = (
    "plain",
    "semi;colon, comma | pipe\ttab",
    'say "quote"',
    '"',
    '""',
    "'single'",
    "':'",
    "back\\slash \\N \\n",
    "two\nlines",
    "two\r\nlines of Windows",
    "a carriage\rreturn",
    "\nbegins and ends with one\n",
    "  blanks around  ",
    "Zoë — 💙👩‍👩‍👧 🗾 e\u0301",
    "東京\u00a0\u200b\u2028\ufeff",
    "NULL",
    "null",
    "None",
    "nan",
    "007",
    "+33",
    "1e5",
    "TRUE",
    "2026-02-30",
    "#comment",
    "=1+1",
    '{"a": [1, null]}',
    "{'a', 'b'}",
    "%s %(x)s :name ? $1",
    "</script>&amp;\x01\x1f\x7f",
    "x" * 100_000,
)

# Every column is text, so that no type tells a row from a header.
CITIES = DimensionList(
    id="bbbbbbbb-0000-4000-8000-000000000001",
    name="Cities",
    technical_name="cities_AAAAAA",
    properties=(Column("Note", technical_name="note_BBBBBB"),),
    rows=[(f"city {number}", text) for number, text in enumerate(TEXTS)],
)
LABELS = DimensionList(
    id="bbbbbbbb-0000-4000-8000-000000000002",
    name="Labels",
    technical_name="labels_CCCCCC",
    rows=[(text,) for text in TEXTS],
)
_JOURNAL = (
    ("same", Decimal("10.50"), date(2026, 1, 31), True),
    ("same", Decimal("10.50"), date(2026, 1, 31), True),
    ("same", Decimal("10.50"), date(2026, 1, 31), True),
    ("same", Decimal("10.5"), date(2026, 1, 31), True),
    (None, None, None, None),
    (None, None, None, None),
    ("first day", 1e-05, date(1, 1, 1), False),
    ("last day", 1.7976931348623157e308, date(9999, 12, 31), False),
    ("whole", 9007199254740993, None, None),
    ("negative", Decimal("-0.1"), date(2024, 2, 29), None),
)


def workspace(*, changed: bool = False) -> Workspace:
    """Return the workspace, before or after edits: a changed cell in several blocks, and a new row."""
    journal = TransactionList(
        id="bbbbbbbb-0000-4000-8000-000000000003",
        name="Journal",
        properties=(
            Column("Text", technical_name="text_AAAAAA"),
            Column("Amount", ColumnType.NUMBER, "amount_BBBBBB"),
            Column("Day", ColumnType.DATE, "day_CCCCCC"),
            Column("Open", ColumnType.BOOLEAN, "open_DDDDDD"),
        ),
        rows=[*_JOURNAL[:-1], ("negative", Decimal("-0.2"), date(2024, 2, 29), None)] if changed else _JOURNAL,
    )
    people = DimensionList(
        id="bbbbbbbb-0000-4000-8000-000000000004",
        name="People",
        technical_name="people_AAAAAA",
        properties=(
            Column("Full time", ColumnType.BOOLEAN, "full_time_BBBBBB"),
            Column("Hired", ColumnType.DATE, "hired_CCCCCC"),
            Column("Rate", ColumnType.NUMBER, "rate_DDDDDD"),
            Column("Zip", technical_name="zip_EEEEEE"),
        ),
        rows=[
            ("Ada", True, date(2020, 5, 1), Decimal("12.25"), "01234"),
            ("Bo", None if changed else False, date(2021, 6, 2), Decimal("13.5" if changed else "13.25"), "02345"),
            *([("Cy", True, None, None, None)] if changed else []),
        ],
    )
    years = DimensionList(
        id="bbbbbbbb-0000-4000-8000-000000000005", name="Years", technical_name="years_YYYYYY", rows=[("2026",)]
    )
    sales = Metric(
        id="cccccccc-0000-4000-8000-000000000001",
        name="Sales",
        technical_name="sales_SSSSSS",
        dimensions=(people, years),
    )
    growth = Metric(
        id="cccccccc-0000-4000-8000-000000000002",
        name="Growth",
        technical_name="growth_GGGGGG",
        dimensions=(years,),
    )
    plan = Table(
        id="dddddddd-0000-4000-8000-000000000001",
        name="Plan",
        metrics=(sales, growth),
        rows=[("Ada", "2026", 30 if changed else 20, None), (None, "2026", None, Decimal("0.1"))],
    )
    return Workspace(
        applications=(
            Application(
                id=APPLICATION_ID,
                name="Planning",
                blocks=(CITIES, LABELS, journal, people, years, sales, growth, plan),
            ),
        ),
        keys=(ApiKey(KEY),),
    )

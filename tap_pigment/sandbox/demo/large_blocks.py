"""The large blocks of the demo: ledger, employees, tables and metrics, with rows generated from a seed."""

from datetime import date, timedelta
from decimal import Decimal

from tap_pigment.sandbox.api import Column, ColumnType, DimensionList, Metric, Table, TransactionList
from tap_pigment.sandbox.demo.lists import (
    ACCOUNTS,
    COUNTRIES,
    CURRENCIES,
    DEPARTMENTS,
    MONTHS,
    VERSIONS,
    demo_id,
)
from tap_pigment.sandbox.demo.rows import (
    MEMOS,
    employee_rows,
    item_combinations,
    ledger_rows,
    pick,
    random_amount,
    random_boolean,
)
from tap_pigment.sandbox.demo.sheets import Sheet, sheet_metrics, table_with_metrics


def gl_transactions(rows: int, seed: int) -> TransactionList:
    """Return the ledger; every fiftieth row repeats the row before it."""
    properties = (
        Column("Document number"),
        Column("Posting date", ColumnType.DATE),
        Column("Month", ColumnType.DIMENSION, source_id=MONTHS.id),
        Column("Account", ColumnType.DIMENSION, source_id=ACCOUNTS.id),
        Column("Department", ColumnType.DIMENSION, source_id=DEPARTMENTS.id),
        Column("Country", ColumnType.DIMENSION, source_id=COUNTRIES.id),
        Column("Currency", ColumnType.DIMENSION, source_id=CURRENCIES.id),
        Column("Amount", ColumnType.NUMBER),
        Column("Quantity", ColumnType.INTEGER),
        Column("Is reversal", ColumnType.BOOLEAN),
        Column("Memo"),
        Column("Legacy reference"),
    )
    return TransactionList(
        id=demo_id("GL transactions"),
        name="GL transactions",
        properties=properties,
        rows=lambda: ledger_rows(rows, seed),
    )


def employees(count: int, seed: int) -> DimensionList:
    """Return the dimension list of employees."""
    properties = (
        Column("Employee number"),
        Column("Email"),
        Column("Department", ColumnType.DIMENSION, source_id=DEPARTMENTS.id),
        Column("Country", ColumnType.DIMENSION, source_id=COUNTRIES.id),
        Column("Hired on", ColumnType.DATE),
        Column("Left on", ColumnType.DATE),
        Column("Yearly salary", ColumnType.NUMBER),
        Column("Full time", ColumnType.BOOLEAN),
        Column("Note"),
        Column("Badge"),
    )
    return DimensionList(
        id=demo_id("Employees"),
        name="Employees",
        properties=properties,
        rows=lambda: employee_rows(count, seed),
    )


def pnl(rows: int, seed: int) -> tuple[Table, list[Metric]]:
    """Return the P&L table and its metrics, which have three different sets of dimensions."""
    by_account = (ACCOUNTS, DEPARTMENTS, COUNTRIES, MONTHS, VERSIONS)
    by_country = (COUNTRIES, MONTHS, VERSIONS)
    by_month = (MONTHS, VERSIONS)
    return table_with_metrics(
        "P&L",
        Sheet(
            by_account,
            (("Amount", ColumnType.NUMBER), ("Units", ColumnType.INTEGER)),
            lambda: (
                (*items, random_amount(rng, 500_000), None if random_boolean(rng, 0.7) else int(rng.random() * 900))
                for items, rng in item_combinations(by_account, rows, seed)
            ),
        ),
        Sheet(
            by_country,
            (("Revenue target", ColumnType.NUMBER),),
            lambda: (
                (*items, random_amount(rng, 900_000)) for items, rng in item_combinations(by_country, rows // 8, seed)
            ),
        ),
        Sheet(
            by_month,
            (("Board comment", ColumnType.TEXT),),
            lambda: ((*items, pick(rng, MEMOS[3:])) for items, rng in item_combinations(by_month, rows // 60, seed)),
        ),
    )


def headcount(rows: int, seed: int) -> tuple[Table, list[Metric]]:
    """Return the headcount table and its metrics, which have two different sets of dimensions."""
    by_country = (DEPARTMENTS, COUNTRIES, MONTHS, VERSIONS)
    by_department = (DEPARTMENTS, VERSIONS)
    return table_with_metrics(
        "Headcount",
        Sheet(
            by_country,
            (("FTE", ColumnType.NUMBER), ("Payroll cost", ColumnType.NUMBER)),
            lambda: (
                (*items, Decimal(int(rng.random() * 400)) / 10, random_amount(rng, 80_000))
                for items, rng in item_combinations(by_country, rows, seed)
            ),
        ),
        Sheet(
            by_department,
            (("Headcount target", ColumnType.INTEGER), ("Hiring open", ColumnType.BOOLEAN)),
            lambda: (
                (*items, int(rng.random() * 40), pick(rng, (True, False, None)))
                for items, rng in item_combinations(by_department, 30, seed)
            ),
        ),
    )


def standalone_metrics(seed: int) -> list[Metric]:
    """Return the metrics that belong to no table: numbers with exponents, and dates."""
    fx = Sheet(
        (CURRENCIES, MONTHS),
        (("FX rate to EUR", ColumnType.NUMBER),),
        lambda: (
            (
                *items,
                {"EUR": 1.0, "JPY": 0.0061, "IDR": 0.00006}.get(str(items[0]), 0.9) * (1 + rng.random() / 50),
            )
            for items, rng in item_combinations((CURRENCIES, MONTHS), 1000, seed)
        ),
    )
    closes = Sheet(
        (COUNTRIES,),
        (("Last close", ColumnType.DATE),),
        lambda: (
            (*items, date(2026, 4, 30) + timedelta(int(rng.random() * 20)))
            for items, rng in item_combinations((COUNTRIES,), 7, seed)
        ),
    )
    return [*sheet_metrics(fx), *sheet_metrics(closes)]

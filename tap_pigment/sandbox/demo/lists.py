"""The small dimension lists of the demo, equal for every seed."""

import calendar
import uuid
from datetime import date
from decimal import Decimal
from typing import Final

from tap_pigment.sandbox.api import Column, ColumnType, DimensionList

_NAMESPACE = uuid.UUID("3d5d1c52-92b2-4a53-b52c-0a3f6f3b3f61")
FIRST_YEAR = 2025
_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = 24
_CLOSED_MONTHS = 16


def demo_id(name: str) -> str:
    """Return the id for a name; it never changes."""
    return str(uuid.uuid5(_NAMESPACE, name))


CURRENCIES: Final = DimensionList(
    id=demo_id("Currencies"),
    name="Currencies",
    properties=(Column("Currency name"), Column("Decimals", ColumnType.INTEGER)),
    rows=(
        ("EUR", "Euro", 2),
        ("USD", "US dollar", 2),
        ("GBP", "Pound sterling", 2),
        ("SEK", "Swedish krona", 2),
        ("JPY", "Yen", 0),
        ("IDR", "Rupiah", None),
    ),
)

COUNTRIES: Final = DimensionList(
    id=demo_id("Countries"),
    name="Countries",
    properties=(
        Column("ISO code"),
        Column("Region"),
        Column("Currency", ColumnType.DIMENSION, source_id=CURRENCIES.id),
        Column("In EU", ColumnType.BOOLEAN),
        Column("Opened on", ColumnType.DATE),
        Column("Tax rate", ColumnType.NUMBER),
        Column("Dialling code"),
    ),
    rows=(
        ("France", "FR", "EMEA", "EUR", True, date(2009, 3, 2), Decimal("0.25"), "0033"),
        ("Germany", "DE", "EMEA", "EUR", True, date(2012, 1, 1), Decimal("0.2983"), "0049"),
        ("Spain", "ES", "EMEA", "EUR", True, date(2014, 9, 15), Decimal("0.25"), "0034"),
        ("Côte d'Ivoire", "CI", "EMEA", "EUR", False, date(2022, 5, 30), Decimal("0.25"), "00225"),
        ("United Kingdom", "GB", "EMEA", "GBP", False, date(2011, 6, 1), Decimal("0.25"), "0044"),
        ("Sweden", "SE", "EMEA", "SEK", True, date(2017, 4, 3), Decimal("0.206"), "0046"),
        ("United States", "US", "Americas", "USD", False, date(2015, 2, 2), Decimal("0.21"), "001"),
        ("Japan", "JP", "APAC", "JPY", False, date(2019, 10, 1), Decimal("0.3062"), "0081"),
        ("Indonesia", "ID", "APAC", "IDR", None, None, None, "0062"),
    ),
)

DEPARTMENTS: Final = DimensionList(
    id=demo_id("Departments"),
    name="Departments",
    properties=(
        Column("Cost centre"),
        Column("Head"),
        Column("Active", ColumnType.BOOLEAN),
        Column("Legacy code"),
    ),
    rows=(
        ("Finance", "0100", "Moreau, Camille", True, None),
        ("People & Culture", "0150", "Okafor, Ngozi", True, None),
        ("Legal", "0180", None, True, None),
        ("R&D; Platform", "0200", "Lindqvist, Åsa", True, None),
        ("R&D; Data", "0210", "Tanaka, 陽子", True, None),
        ('Sales "EMEA"', "0300", "O'Brien, Séan", True, None),
        ("Sales Americas", "0310", "Smith, Jordan", True, None),
        ("Marketing", "0400", "García, Lucía", True, None),
        ("Customer Care 💙", "0500", "Dubois, Inès", True, None),
        ("Facilities", "0900", None, False, None),
    ),
)

# In Pigment, two blocks can have the same name. This one lists the departments before a merger.
FORMER_DEPARTMENTS: Final = DimensionList(
    id=demo_id("Departments before the merger"),
    name="Departments",
    properties=(
        Column("Cost centre"),
        Column("Became", ColumnType.DIMENSION, source_id=DEPARTMENTS.id),
        Column("Closed on", ColumnType.DATE),
    ),
    rows=(
        ("Administration", "001", "Finance", date(2021, 12, 31)),
        ("Engineering", "002", "R&D; Platform", date(2021, 12, 31)),
        ("Sales", "003", 'Sales "EMEA"', date(2022, 3, 31)),
        ("Canteen", "004", None, date(2020, 4, 30)),
    ),
)

ACCOUNTS: Final = DimensionList(
    id=demo_id("Accounts"),
    name="Accounts",
    properties=(
        Column("Code"),
        Column("Category"),
        Column("Sign", ColumnType.INTEGER),
        Column("Is operating", ColumnType.BOOLEAN),
        Column("Note"),
    ),
    rows=(
        ("0400 - Licence revenue", "0400", "Revenue", 1, True, None),
        ("0410 - Services revenue", "0410", "Revenue", 1, True, None),
        ("0490 - Discounts; rebates", "0490", "Revenue", -1, True, 'Shown as "contra revenue"'),
        ("0500 - Hosting", "0500", "Cost of sales", -1, True, None),
        ("0510 - Support staff", "0510", "Cost of sales", -1, True, None),
        ("0600 - Salaries", "0600", "Operating expense", -1, True, "Gross pay.\nSocial charges are in 0610."),
        ("0610 - Social charges", "0610", "Operating expense", -1, True, None),
        ("0620 - Contractors", "0620", "Operating expense", -1, True, None),
        ("0630 - Travel", "0630", "Operating expense", -1, True, "✈️ Policy: economy, 2nd class"),
        ("0640 - Software", "0640", "Operating expense", -1, True, None),
        ("0650 - Rent", "0650", "Operating expense", -1, True, None),
        ("0660 - Events", "0660", "Operating expense", -1, True, None),
        ("0700 - Depreciation", "0700", "Depreciation", -1, None, None),
        ("0800 - Interest", "0800", "Financial", -1, False, None),
        ("0900 - Income tax", "0900", "Tax", -1, False, None),
    ),
)


def _month_row(index: int) -> tuple[str, date, int, str, bool]:
    year, month = FIRST_YEAR + index // 12, index % 12 + 1
    return (
        f"{_MONTH_NAMES[month - 1]} {year % 100}",
        date(year, month, 1),
        calendar.monthrange(year, month)[1],
        f"Q{(month + 2) // 3} {year % 100}",
        index < _CLOSED_MONTHS,
    )


MONTHS: Final = DimensionList(
    id=demo_id("Months"),
    name="Months",
    properties=(
        Column("Start date", ColumnType.DATE),
        Column("Days", ColumnType.INTEGER),
        Column("Quarter"),
        Column("Closed", ColumnType.BOOLEAN),
    ),
    rows=tuple(_month_row(index) for index in range(_MONTHS)),
)

VERSIONS: Final = DimensionList(
    id=demo_id("Versions"),
    name="Versions",
    properties=(Column("Locked", ColumnType.BOOLEAN), Column("Description")),
    rows=(
        ("Actual", None, None),
        ("Budget 2026", True, 'Approved by the board.\r\n"Final" means final.'),
        ("Forecast Q3 🔮", False, "Bottom-up; refreshed monthly"),
    ),
)

PROJECTS: Final = DimensionList(
    id=demo_id("Projects"),
    name="Projects",
    properties=(
        Column("Sponsor", ColumnType.DIMENSION, source_id=DEPARTMENTS.id),
        Column("Budget", ColumnType.NUMBER),
        Column("Ends on", ColumnType.DATE),
    ),
)

SKILLS: Final = DimensionList(
    id=demo_id("Skills"),
    name="Skills",
    properties=(Column("Family"), Column("Scarce", ColumnType.BOOLEAN)),
    rows=(
        ("Consolidation", "Finance", True),
        ("Payroll", "Finance", False),
        ("SQL", "Engineering", False),
        ("日本語", "Languages", True),
    ),
)

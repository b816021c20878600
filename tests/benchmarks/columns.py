"""The columns of the large table, and their types, which some contenders need to be given."""

from __future__ import annotations

COLUMNS = (
    "_month_GDBAK8",
    "entity_S1XCS2",
    "departments_ITJAES",
    "account_9K9VIT",
    "version_HS12V0",
    "posting_date_A6LQWZ",
    "amount_XLRCXO",
    "quantity_TMSAX1",
    "is_manual_YMOLOB",
    "comment_NJ6AKX",
)
DAY, NUMBER, WHOLE, YES_NO = COLUMNS[5:9]  # The others are text.

KEY = (*COLUMNS[:6], WHOLE)
"""Columns that identify a row in exports of up to 20,000,000 rows."""

"""Columns of an export, the types of their cells, and which texts fit a type."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

# The rule of each type, for inference (`fits`) and for reading (`exports.sql`). The numbers are JSON's.
TRUE = "TRUE"
FALSE = "FALSE"
WHOLE_PATTERN = r"-?(0|[1-9][0-9]*)"
NUMBER_PATTERN = WHOLE_PATTERN + r"(\.[0-9]+)?([eE][+-]?[0-9]+)?"
DATE_PATTERN = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"

_WHOLE = re.compile(WHOLE_PATTERN)
_NUMBER = re.compile(NUMBER_PATTERN)
_DATE = re.compile(DATE_PATTERN)


class ColumnType(StrEnum):
    """The type of a column's values."""

    TEXT = "text"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DATE = "date"


@dataclass(frozen=True)
class Column:
    """A column of an export.

    Attributes:
        name: The name under which it is emitted.
        header: Its name in the export.
        type: The type of its values.
        nullable: Whether a blank cell is null. If not, a blank text is "", and any other blank does not fit.
        position: Its position in the export, from 0.
    """

    name: str
    header: str
    type: ColumnType
    nullable: bool
    position: int


def fits(column_type: ColumnType, text: str) -> bool:
    """Return whether the text of a cell that is not blank fits a type."""
    match column_type:
        case ColumnType.BOOLEAN:
            return text in {TRUE, FALSE}
        case ColumnType.DATE:
            return _DATE.fullmatch(text) is not None and _is_real_date(text)
        case ColumnType.NUMBER:
            return _NUMBER.fullmatch(text) is not None and math.isfinite(float(text))
        case ColumnType.INTEGER:
            return _WHOLE.fullmatch(text) is not None and math.isfinite(float(text))
        case ColumnType.TEXT:
            return True


def _is_real_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def type_in_metadata(pigment_type: str | None) -> ColumnType | None:
    """Return the column type for a type in Pigment's metadata, or None if that does not determine it."""
    return {
        "Number": ColumnType.NUMBER,
        "Integer": ColumnType.INTEGER,
        "Date": ColumnType.DATE,
        "Boolean": ColumnType.BOOLEAN,
        "Text": ColumnType.TEXT,
        "Dimension": ColumnType.TEXT,
        "Access Rights": ColumnType.TEXT,
        "Permissions": ColumnType.TEXT,
    }.get(pigment_type or "")

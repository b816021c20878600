"""Which columns are the key, and what type each has."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tap_pigment.errors import CatalogError, SettingsError
from tap_pigment.naming import CONTENT_HASH, OCCURRENCE, slug, without_technical_suffix

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

KEYLESS = (CONTENT_HASH, OCCURRENCE)
"""The key of a stream in which no exported column is known to identify a row."""


class ColumnType(StrEnum):
    """What a column's cells are turned into."""

    TEXT = "text"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DATE = "date"


@dataclass(frozen=True)
class Column:
    """A column of an export.

    Attributes:
        name: The name it is emitted under.
        header: What the export calls it.
        type: What its cells are turned into.
        nullable: Whether a blank cell is null. Where it is not, a blank text is "" and any other blank does not fit.
        position: Where it stands in the export, from 0.
    """

    name: str
    header: str
    type: ColumnType
    nullable: bool
    position: int


@dataclass(frozen=True)
class CellCounts:
    """Of one column in a sample: how many cells are filled, and how many of these fit each type."""

    filled: int
    booleans: int
    dates: int
    numbers: int
    integers: int


def guessed_type(counts: CellCounts, *, is_value: bool) -> ColumnType:
    """Return the type that every filled cell of a sample has; text when in doubt.

    Whole numbers are codes and stay text, except in a value column, where an empty sample too is taken for numbers.
    """
    filled = counts.filled
    if not filled:
        return ColumnType.NUMBER if is_value else ColumnType.TEXT
    if counts.booleans == filled:
        return ColumnType.BOOLEAN
    if counts.dates == filled:
        return ColumnType.DATE
    if counts.numbers == filled and (is_value or counts.integers < filled):
        return ColumnType.NUMBER
    return ColumnType.TEXT


def type_in_metadata(pigment_type: str | None) -> ColumnType | None:
    """Return the column type for a type in Pigment's metadata, or None if it says nothing of its cells."""
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


def value_columns_start(
    headers: Sequence[str], *, friendly: bool, metric_names: Collection[str], list_names: Collection[str]
) -> int | None:
    """Return where a table's metrics begin, at the first column that bears a metric's name; None if none does."""
    metrics = {slug(name) for name in metric_names} - {slug(name) for name in list_names}
    for position, header in enumerate(headers):
        if slug(header if friendly else without_technical_suffix(header)) in metrics:
            return position
    return None


def named_columns(names: Sequence[str], existing: Sequence[str], *, setting: str) -> tuple[str, ...]:
    """Return `names`, each once, after a check that the columns exist.

    Raises:
        SettingsError: If a name is no column of the export.
    """
    if missing := [name for name in names if name not in existing]:
        raise SettingsError(
            f"{setting}: no column {', '.join(missing)} in the export. Its columns: {', '.join(existing)}."
        )
    return tuple(dict.fromkeys(names))


def json_schema_type(column_type: ColumnType, *, nullable: bool) -> dict[str, Any]:
    """Return the JSON schema of a column's values."""
    json_type = "string" if column_type in {ColumnType.TEXT, ColumnType.DATE} else column_type.value
    schema: dict[str, Any] = {"type": [json_type, "null"] if nullable else [json_type]}
    if column_type is ColumnType.DATE:
        schema["format"] = "date"
    return schema


def type_in_json_schema(schema: Mapping[str, Any], *, where: str) -> tuple[ColumnType, bool]:
    """Return the column type that a catalog's JSON schema asks for, and whether a blank is null.

    Raises:
        CatalogError: If it asks for something that no export holds.
    """
    declared = schema.get("type", [] if schema.keys() & {"anyOf", "oneOf", "allOf"} else "string")
    types = [declared] if isinstance(declared, str) else list(declared)
    nullable = "null" in types
    text_format = schema.get("format")
    match [json_type for json_type in types if json_type != "null"]:
        case ["string"] if text_format == "date":
            return ColumnType.DATE, nullable
        case ["string"] if text_format not in {"date-time", "time", "duration"}:
            return ColumnType.TEXT, nullable
        case ["number" | "integer" | "boolean" as json_type]:
            return ColumnType(json_type), nullable
    formatted = f" with format {text_format}" if text_format else ""
    raise CatalogError(
        f"{where}: the catalog asks for type {types}{formatted}, which the tap cannot make of a cell. Use string, "
        "number, integer, boolean, or string with format date."
    )

"""JSON schema types of columns, to and from a catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_pigment.columns.types import ColumnType
from tap_pigment.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def json_schema_type(column_type: ColumnType, *, nullable: bool) -> dict[str, Any]:
    """Return the JSON schema of a column's values."""
    json_type = "string" if column_type in {ColumnType.TEXT, ColumnType.DATE} else column_type.value
    schema: dict[str, Any] = {"type": [json_type, "null"] if nullable else [json_type]}
    if column_type is ColumnType.DATE:
        schema["format"] = "date"
    return schema


def type_in_json_schema(schema: Mapping[str, Any], *, where: str) -> tuple[ColumnType, bool]:
    """Return the column type of a catalog's JSON schema, and whether a blank is null.

    Raises:
        CatalogError: If no cell can have the type.
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
        f"{where}: a cell cannot have the catalog's type ({' or '.join(types) or 'a choice'}{formatted}). Use string, "
        "number, integer, boolean, or string with format date."
    )


def with_nullable_columns(schema: Mapping[str, Any], key: Collection[str]) -> dict[str, Any]:
    """Return the JSON schema of records in which every column outside of the key may be null."""
    properties = {
        name: member if name in key or "type" not in member else {**member, "type": _with_null(member["type"])}
        for name, member in schema["properties"].items()
    }
    return {**schema, "properties": properties}


def _with_null(declared: str | list[str]) -> list[str]:
    types = [declared] if isinstance(declared, str) else declared
    return types if "null" in types else [*types, "null"]

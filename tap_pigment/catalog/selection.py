"""The selected columns of a stream, found in the header of its export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_pigment.columns import ADDED_COLUMNS, Column, column_names, type_in_json_schema
from tap_pigment.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HOW_TO_REFRESH = (
    "Discover again to refresh the catalog (Meltano: add --refresh-catalog, or set use_cached_catalog: false)."
)


def selected_columns(
    stream_name: str,
    properties: Mapping[str, Any],
    selected: Sequence[str],
    header: Sequence[str],
    *,
    friendly: bool,
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """Return the columns to emit, at their positions in the export, and the names of columns not in the catalog.

    Args:
        stream_name: The stream's name; messages start with it.
        properties: The properties of the catalog's schema.
        selected: The names of the selected properties.
        header: The header of the export.
        friendly: Whether it holds display names.

    Raises:
        CatalogError: If the export lacks a selected column, or no cell can have its type.
    """
    names = column_names(header, friendly=friendly)
    positions = {name: position for position, name in enumerate(names)}
    columns = []
    for name in selected:
        if name in ADDED_COLUMNS:
            continue
        if name not in positions:
            raise CatalogError(
                f"{stream_name}: column {name} is in the catalog and no longer in the export. Nothing was emitted. "
                f"{HOW_TO_REFRESH}"
            )
        column_type, nullable = type_in_json_schema(properties[name], where=f"{stream_name}: column {name}")
        position = positions[name]
        columns.append(Column(name, header[position], column_type, nullable=nullable, position=position))
    return tuple(columns), tuple(name for name in names if name not in properties)

"""The selected columns of a stream, found in the header of its export."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tap_pigment.columns import ADDED_COLUMNS, Column, column_names, type_in_json_schema
from tap_pigment.errors import CatalogError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HOW_TO_REFRESH = (
    "Discover again to refresh the catalog (Meltano: add --refresh-catalog, or set use_cached_catalog: false)."
)


def check_headers(stream_name: str, header: Sequence[str], *, friendly: bool) -> None:
    """Check that no two columns have the same display name: nothing would tell them apart.

    Raises:
        SettingsError: If two have.
    """
    repeated = [name for name, count in Counter(header).items() if count > 1]
    if friendly and repeated:
        raise SettingsError(
            f'{stream_name}: {Counter(header)[repeated[0]]:,} columns have the display name "{repeated[0]}" and cannot '
            f"be told apart. Nothing was emitted. Set stream_overrides.{stream_name}.headers: technical."
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

    A column is found by its header, which is the title of its property or else its name: columns may stand in another
    order than at discovery.

    Args:
        stream_name: The stream's name; messages start with it.
        properties: The properties of the catalog's schema.
        selected: The names of the selected properties.
        header: The header of the export.
        friendly: Whether it holds display names.

    Raises:
        CatalogError: If the export lacks a selected column, or no cell can have its type.
        SettingsError: If two columns have the same display name.
    """
    check_headers(stream_name, header, friendly=friendly)
    names = column_names(header, friendly=friendly)
    found = _positions(properties, header, names, friendly=friendly)
    columns = []
    for name in selected:
        if name in ADDED_COLUMNS:
            continue
        if name not in found:
            raise CatalogError(
                f"{stream_name}: column {name} is in the catalog and no longer in the export. Nothing was emitted. "
                f"{HOW_TO_REFRESH}"
            )
        column_type, nullable = type_in_json_schema(properties[name], where=f"{stream_name}: column {name}")
        position = found[name]
        columns.append(Column(name, header[position], column_type, nullable=nullable, position=position))
    known = set(found.values())
    return tuple(columns), tuple(name for position, name in enumerate(names) if position not in known)


def _positions(
    properties: Mapping[str, Any], header: Sequence[str], names: Sequence[str], *, friendly: bool
) -> dict[str, int]:
    """Return the position of the column of each property that the export has."""
    counts = Counter(header)
    by_header = {text: position for position, text in enumerate(header) if counts[text] == 1}
    # For technical headers that repeat each other exactly, and for titles that somebody changed. A friendly name may be
    # that of another column now: the number behind it depends on the order of the columns.
    by_name = {name: position for position, name in enumerate(names)}
    found = {}
    for name, schema in properties.items():
        position = by_header.get(schema.get("title", name))
        if position is None and not (friendly and "title" in schema):
            position = by_name.get(name)
        if position is not None and name not in ADDED_COLUMNS:
            found[name] = position
    return found

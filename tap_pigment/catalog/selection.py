"""The selected columns of a stream, found in the header of its export."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_pigment.catalog.blocks import PROPERTY_NAMES
from tap_pigment.columns import ADDED_COLUMNS, Column, column_names, is_name_of, type_in_json_schema
from tap_pigment.errors import CatalogError, SettingsError
from tap_pigment.pigment import BlockType

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tap_pigment.catalog.blocks import StreamSource
    from tap_pigment.settings import Settings

_LISTS = {BlockType.DIMENSION_LIST, BlockType.TRANSACTION_LIST}

HOW_TO_REFRESH = (
    "Discover again to refresh the catalog (Meltano: add --refresh-catalog, or set use_cached_catalog: false)."
)


def check_headers(stream_name: str, header: Sequence[str], *, friendly: bool) -> None:
    """Check that no two columns have the same display name: nothing would tell them apart.

    Raises:
        SettingsError: If two have.
    """
    counts = Counter(header)
    repeated = next((name for name, count in counts.items() if count > 1), None)
    if friendly and repeated is not None:
        raise SettingsError(
            f'{stream_name}: {counts[repeated]:,} columns have the display name "{repeated}" and cannot be told apart. '
            f"Nothing was emitted. Set stream_overrides.{stream_name}.headers: technical."
        )


def repeated_header_warning(stream_name: str, header: Sequence[str], columns: Sequence[Column]) -> str | None:
    """Return a warning of a selected column whose header another one has too, as in views; None if there is none."""
    counts = Counter(header)
    repeated = next((column.header for column in columns if counts[column.header] > 1), None)
    if repeated is None:
        return None
    return (
        f'{stream_name}: {counts[repeated]:,} columns have the header "{repeated}", and only their order tells them '
        "apart. If it changes in Pigment, their cells change places. Rename one of them in Pigment, and discover again."
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

    A column is found by its header: columns may stand in another order than at discovery.

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


@dataclass(frozen=True)
class NarrowedExport:
    """The export of a list without its deselected properties.

    Attributes:
        properties: The technical names of the properties to request.
        header: The columns that the export must have then, in any order.
    """

    properties: tuple[str, ...]
    header: frozenset[str]


def narrowed_export(
    source: StreamSource, properties: Mapping[str, Any], selected: Collection[str], settings: Settings
) -> NarrowedExport | None:
    """Return the export of a list without its deselected properties; None if Pigment is to export them all.

    That is so where the settings name the properties, where display names are the headers, and for other blocks: rows
    of a table in which only a deselected metric has a value would vanish.

    Args:
        source: The block, with the stream's name and settings.
        properties: The properties of the catalog's schema, in the order of the export.
        selected: The names of the selected ones.
        settings: The settings.
    """
    is_named = any(body.get(PROPERTY_NAMES) is not None for body in source.override.request_bodies)
    if source.block.type not in _LISTS or source.has_friendly_headers(settings) or is_named:
        return None
    exported = [name for name in properties if name not in ADDED_COLUMNS]
    headers = {name: _header(name, properties[name], friendly=False) for name in exported if name in selected}
    # The first column of a dimension list is the item, which is no property and comes in any case.
    has_item = source.block.type is BlockType.DIMENSION_LIST
    optional = exported[1:] if has_item else exported
    # Blank cells of a single column would be empty lines.
    if all(name in headers for name in optional) or not (has_item or len(headers) > 1):
        return None
    return NarrowedExport(tuple(headers[name] for name in optional if name in headers), frozenset(headers.values()))


def _positions(
    properties: Mapping[str, Any], header: Sequence[str], names: Sequence[str], *, friendly: bool
) -> dict[str, int]:
    """Return the position of the column of each property that the export has."""
    counts = Counter(header)
    by_header = {text: position for position, text in enumerate(header) if counts[text] == 1}
    exported = {name: schema for name, schema in properties.items() if name not in ADDED_COLUMNS}
    headers = {name: _header(name, schema, friendly=friendly) for name, schema in exported.items()}
    shares = Counter(headers.values())
    found = {name: by_header[text] for name, text in headers.items() if text in by_header and shares[text] == 1}
    for position, (name, text) in enumerate(zip(names, header, strict=True)):
        if name not in exported or name in found or position in found.values():
            continue
        # By name, if as many headers repeat each other as at discovery, or the catalog does not have the header,
        # because somebody changed or removed the title. A number behind a name depends on the order of columns.
        is_repeated = headers[name] == text and counts[text] == shares[text] > 1
        has_no_header = "title" not in exported[name] if friendly else headers[name] == name
        is_own_name = counts[text] == shares[headers[name]] == 1 and column_names([text], friendly=friendly) == (name,)
        if is_repeated or (has_no_header and is_own_name):
            found[name] = position
    return found


def _header(name: str, schema: Mapping[str, Any], *, friendly: bool) -> str:
    """Return the header of the column of a property.

    It is the title where the name differs from the header. With technical headers, the title of any other column may be
    its display name, which says nothing about its header.
    """
    title = schema.get("title", name)
    return title if friendly or (isinstance(title, str) and is_name_of(name, title, friendly=False)) else name

"""A stream's definition as a Singer catalog has it, and what a catalog that came back asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib import Catalog, CatalogEntry, Metadata, Schema

from tap_pigment.columns import (
    KEYLESS,
    Column,
    ColumnType,
    json_schema_type,
    named_columns,
    type_in_json_schema,
)
from tap_pigment.errors import CatalogError
from tap_pigment.listing import NamedStream, is_wanted, override_of, report
from tap_pigment.naming import ADDED_COLUMNS, CONTENT_HASH, DELETED_AT, OCCURRENCE, StreamName, column_names
from tap_pigment.protocol import Block, BlockType
from tap_pigment.schema import ChangeDetection

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping, Sequence

    from tap_pigment.discovery import StreamDefinition
    from tap_pigment.listing import Listing
    from tap_pigment.settings import Settings, StreamOverride

HOW_TO_REFRESH = (
    "Discover again to refresh the catalog (Meltano: add --refresh-catalog, or set use_cached_catalog: false)."
)

_ADDED_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    CONTENT_HASH: {"type": ["string"], "title": "SHA-256 of the exported cells"},
    OCCURRENCE: {"type": ["integer"], "title": "Number of the row among identical rows"},
    DELETED_AT: {"type": ["string", "null"], "format": "date-time", "title": "When the row was found to be gone"},
}


@dataclass(frozen=True)
class CataloguedStream:
    """A stream of a catalog, as Pigment has it now; `is_gone` if Pigment does not list its block any more."""

    entry: CatalogEntry
    stream: NamedStream
    is_gone: bool


def catalogued_streams(
    catalog: Catalog, listing: Listing, settings: Settings, logger: logging.Logger
) -> list[CataloguedStream]:
    """Return the streams of a catalog that are extracted, and say what is in only one of catalog and Pigment."""
    by_name = {str(stream.name): stream.block for stream in listing.streams}
    found = [_catalogued(entry, listing, by_name, settings) for entry in catalog.streams]
    report(listing, [catalogued.stream.override for catalogued in found], settings, logger)
    known = {catalogued.stream.block.id for catalogued in found}
    if new := sorted(stream.name for stream in listing.streams if stream.block.id not in known):
        logger.warning("In Pigment and not in the catalog: %s. %s", ", ".join(new), HOW_TO_REFRESH)
    wanted_ids = {stream.block.id for stream in listing.streams}
    left_in = []
    for catalogued in found:
        stream = catalogued.stream
        if catalogued.is_gone or stream.block.id in wanted_ids or is_wanted(stream, settings):
            left_in.append(catalogued)
        else:
            logger.warning("%s is in the catalog and left out by include, exclude or block_types.", stream.name)
    return left_in


def _catalogued(
    entry: CatalogEntry, listing: Listing, by_name: Mapping[str, Block], settings: Settings
) -> CataloguedStream:
    """Return a catalog's entry with its block: the one whose id it has; without an id, the one of that name."""
    name = entry.stream or entry.tap_stream_id
    listed = listing.blocks.get(entry.table or "") or (None if entry.table else by_name.get(name))
    block = listed or Block(entry.table or name, name, BlockType.TABLE, entry.database or "")
    override = override_of(name, block.id, settings, named=True)
    return CataloguedStream(entry, NamedStream(StreamName(name), block, override), is_gone=listed is None)


def schema_of(definition: StreamDefinition, settings: Settings) -> dict[str, Any]:
    """Return the JSON schema of a stream's records."""
    properties: dict[str, Any] = {}
    for column in definition.columns:
        properties[column.name] = json_schema_type(column.type, nullable=column.nullable)
        if column.name != column.header:
            properties[column.name]["title"] = column.header
    properties |= _added_schemas(definition.key, settings)
    return {"type": "object", "title": definition.block.name, "properties": properties}


def _added_schemas(key: tuple[str, ...], settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the schemas of the columns that the tap adds."""
    names = KEYLESS if key == KEYLESS else (CONTENT_HASH,)
    if settings.change_detection is not ChangeDetection.ROW:
        return {name: dict(_ADDED_SCHEMAS[name]) for name in names}
    added = {name: dict(_ADDED_SCHEMAS[name]) for name in (*names, DELETED_AT)}
    if key != KEYLESS:
        added[CONTENT_HASH]["type"] = ["string", "null"]  # A row that is gone has none.
    return added


def resolved(catalog: Catalog, settings: Settings) -> Catalog:
    """Return a catalog in which the user's wishes about keys and types have been carried out.

    They come as overrides in the settings, or as `table-key-properties` in the metadata, where Meltano puts what its
    `metadata` extra says; the SDK by itself looks at neither once discovery has found a key.

    Raises:
        SettingsError: If a wish names a column that is not in the catalog.
    """
    return Catalog({stream_id: _resolved_entry(entry, settings) for stream_id, entry in catalog.items()})


def _resolved_entry(entry: CatalogEntry, settings: Settings) -> CatalogEntry:
    name = entry.stream or entry.tap_stream_id
    override = override_of(name, entry.table or "", settings, named=True)
    schema = entry.schema.to_dict()
    properties: dict[str, Any] = dict(schema.get("properties", {}))
    exported = [column for column in properties if column not in ADDED_COLUMNS]
    key = _resolved_key(entry, override, exported, name)
    for column in named_columns(tuple(override.types), exported, setting=f"stream_overrides.{name}.types"):
        properties[column] = _retyped(
            properties[column], ColumnType(override.types[column]), nullable=column not in key
        )
    for column in key:
        # Discovery never makes a key column nullable: it became one after that, and a key column is text.
        if column in exported and "null" in properties[column].get("type", []):
            properties[column] = _retyped(properties[column], ColumnType.TEXT, nullable=False)
    for column in ADDED_COLUMNS:
        properties.pop(column, None)
    added = _added_schemas(key, settings)
    properties |= added
    for column in {*key, *added}:
        entry.metadata["properties", column].inclusion = Metadata.InclusionType.AUTOMATIC
    entry.metadata.root.table_key_properties = key
    entry.key_properties = list(key)
    entry.schema = Schema.from_dict({**schema, "properties": properties})
    return entry


def _resolved_key(entry: CatalogEntry, override: StreamOverride, exported: Sequence[str], name: str) -> tuple[str, ...]:
    if override.key_columns is not None:
        setting = f"stream_overrides.{name}.key_columns"
        return named_columns(override.key_columns, exported, setting=setting) or KEYLESS
    found = tuple(entry.key_properties or ())
    asked_for = entry.metadata.root.table_key_properties
    if isinstance(asked_for, str):
        asked_for = [asked_for]
    key = found if asked_for is None else tuple(asked_for)
    if key in {(), KEYLESS}:
        return KEYLESS
    return named_columns(key, exported, setting=f"table-key-properties of {name} in the catalog")


def _retyped(schema: Mapping[str, Any], column_type: ColumnType, *, nullable: bool) -> dict[str, Any]:
    kept = {name: value for name, value in schema.items() if name not in {"type", "format"}}
    return {**json_schema_type(column_type, nullable=nullable), **kept}


def selected_columns(
    stream_name: str,
    properties: Mapping[str, Any],
    selected: Sequence[str],
    headers: Sequence[str],
    *,
    friendly: bool,
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """Return the columns to emit, as a live header has them, and the names of columns that the catalog does not know.

    Args:
        stream_name: To begin a message with.
        properties: The properties of the catalog's schema.
        selected: Names of the selected properties.
        headers: The live header.
        friendly: Whether the header holds display names.

    Raises:
        CatalogError: If a selected column is gone, or a type in the catalog is none that a cell can have.
    """
    names = column_names(headers, friendly=friendly)
    positions = {name: position for position, name in enumerate(names)}
    columns = []
    for name in selected:
        if name in ADDED_COLUMNS:
            continue
        if name not in positions:
            raise CatalogError(
                f"{stream_name}: column {name} is in the catalog and no longer in the export. Nothing was sent. "
                f"{HOW_TO_REFRESH}"
            )
        column_type, nullable = type_in_json_schema(properties[name], where=f"{stream_name}.{name}")
        position = positions[name]
        columns.append(Column(name, headers[position], column_type, nullable=nullable, position=position))
    return tuple(columns), tuple(name for name in names if name not in properties)

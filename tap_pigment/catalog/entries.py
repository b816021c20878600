"""Catalog entries: what discovery writes into them, and what a given catalog asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib import Catalog, CatalogEntry, Metadata, Schema

from tap_pigment.catalog.blocks import StreamSource, is_included, override_in_catalog, warn_of_idle_settings
from tap_pigment.catalog.discovery import check_key_types
from tap_pigment.catalog.selection import HOW_TO_REFRESH
from tap_pigment.columns import (
    ADDED_COLUMNS,
    CONTENT_HASH,
    DELETED_AT,
    OCCURRENCE,
    ColumnType,
    RowKey,
    StreamName,
    existing_columns,
    json_schema_type,
)
from tap_pigment.errors import CatalogError
from tap_pigment.pigment import Block, BlockType
from tap_pigment.settings import ChangeDetection

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping, Sequence

    from tap_pigment.catalog.blocks import BlockInventory
    from tap_pigment.catalog.discovery import StreamDefinition
    from tap_pigment.settings import Settings, StreamOverride

_ADDED_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    CONTENT_HASH: {"type": ["string"], "title": "SHA-256 of the exported cells"},
    OCCURRENCE: {"type": ["integer"], "title": "Number of the row among identical rows"},
    DELETED_AT: {"type": ["string", "null"], "format": "date-time", "title": "When the row was found to be deleted"},
}


@dataclass(frozen=True)
class CatalogStream:
    """A stream of a given catalog.

    Attributes:
        entry: Its entry.
        source: Its block.
        is_missing: Whether Pigment no longer lists the block.
    """

    entry: CatalogEntry
    source: StreamSource
    is_missing: bool


def catalog_streams(
    catalog: Catalog, inventory: BlockInventory, settings: Settings, logger: logging.Logger
) -> list[CatalogStream]:
    """Return the streams of a catalog that are extracted; warn of those that only the catalog or only Pigment has."""
    sources_by_name = {str(source.name): source.block for source in inventory.sources}
    found = [_catalog_stream(entry, inventory, sources_by_name, settings) for entry in catalog.streams]
    warn_of_idle_settings(inventory, [stream.source.override for stream in found], settings, logger)
    known_ids = {stream.source.block.id for stream in found}
    if new := sorted(source.name for source in inventory.sources if source.block.id not in known_ids):
        logger.warning("In Pigment and not in the catalog: %s. %s", ", ".join(new), HOW_TO_REFRESH)
    included_ids = {source.block.id for source in inventory.sources}
    extracted = []
    for stream in found:
        if stream.is_missing or stream.source.block.id in included_ids or is_included(stream.source, settings):
            extracted.append(stream)
        else:
            logger.warning(
                "%s: skipped, although it is in the catalog, because of include, exclude or block_types",
                stream.source.name,
            )
    return extracted


def _catalog_stream(
    entry: CatalogEntry, inventory: BlockInventory, sources_by_name: Mapping[str, Block], settings: Settings
) -> CatalogStream:
    """Return an entry with its block: the block of its id, or without an id the block of its name."""
    name = entry.stream or entry.tap_stream_id
    listed = inventory.blocks.get(entry.table or "") or (None if entry.table else sources_by_name.get(name))
    block = listed or Block(entry.table or name, name, BlockType.TABLE, entry.database or "")
    override = override_in_catalog(name, block.id, settings)
    return CatalogStream(entry, StreamSource(StreamName(name), block, override), is_missing=listed is None)


def stream_schema(definition: StreamDefinition, settings: Settings) -> dict[str, Any]:
    """Return the JSON schema of a stream's records."""
    properties: dict[str, Any] = {}
    for column in definition.columns:
        properties[column.name] = json_schema_type(column.type, nullable=column.nullable)
        if column.name != column.header:
            properties[column.name]["title"] = column.header
    properties |= _added_schemas(definition.key, settings)
    return {"type": "object", "title": definition.source.block.name, "properties": properties}


def _added_schemas(key: RowKey, settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the schemas of the columns that the tap adds."""
    if settings.change_detection is not ChangeDetection.ROW:
        return {name: dict(_ADDED_SCHEMAS[name]) for name in key.added_columns}
    added = {name: dict(_ADDED_SCHEMAS[name]) for name in (*key.added_columns, DELETED_AT)}
    if not key.is_keyless:
        added[CONTENT_HASH]["type"] = ["string", "null"]  # A deleted row has none.
    return added


def resolve_catalog(catalog: Catalog, settings: Settings) -> Catalog:
    """Return a catalog with the keys and types that the user asks for.

    They are overrides in the settings, or `table-key-properties` in the metadata, where Meltano writes its `metadata`
    extra. The SDK ignores the latter once discovery has found a key.

    Raises:
        SettingsError: If the user asks for a column that is not in the catalog, or a key of numbers.
        CatalogError: If a key column of the catalog is a number.
    """
    return Catalog({stream_id: _resolved_entry(entry, settings) for stream_id, entry in catalog.items()})


def _resolved_entry(entry: CatalogEntry, settings: Settings) -> CatalogEntry:
    name = entry.stream or entry.tap_stream_id
    override = override_in_catalog(name, entry.table or "", settings)
    schema = entry.schema.to_dict()
    properties: dict[str, Any] = dict(schema.get("properties", {}))
    exported = [column for column in properties if column not in ADDED_COLUMNS]
    key = _resolved_key(entry, override, exported, name)
    setting = f"stream_overrides.{name}.types"
    check_key_types(key, override.types, setting=setting)
    for column in existing_columns(override.types, exported, setting=setting):
        properties[column] = _retyped(
            properties[column], ColumnType(override.types[column]), nullable=column not in key.columns
        )
    for column in key.columns:
        json_types = properties[column].get("type", [])
        # Discovery makes no key column nullable, so this one became part of the key later; then it is text.
        if "null" in json_types:
            properties[column] = _retyped(properties[column], ColumnType.TEXT, nullable=False)
        elif "number" in json_types:
            raise CatalogError(
                f"{name}: column {column} of the catalog is a key column and cannot be a number. Make it a string or "
                "an integer there, or choose another key."
            )
    for column in ADDED_COLUMNS:
        properties.pop(column, None)
    added = _added_schemas(key, settings)
    properties |= added
    for column in {*key.primary_key, *added}:
        entry.metadata["properties", column].inclusion = Metadata.InclusionType.AUTOMATIC
    entry.metadata.root.table_key_properties = key.primary_key
    entry.key_properties = list(key.primary_key)
    entry.schema = Schema.from_dict({**schema, "properties": properties})
    return entry


def _resolved_key(entry: CatalogEntry, override: StreamOverride, exported: Sequence[str], name: str) -> RowKey:
    if override.key_columns is not None:
        setting = f"stream_overrides.{name}.key_columns"
        return RowKey(existing_columns(override.key_columns, exported, setting=setting))
    wanted = entry.metadata.root.table_key_properties
    if isinstance(wanted, str):
        wanted = [wanted]
    key = RowKey.from_primary_key((entry.key_properties or ()) if wanted is None else wanted)
    return RowKey(existing_columns(key.columns, exported, setting=f"table-key-properties of {name} in the catalog"))


def _retyped(schema: Mapping[str, Any], column_type: ColumnType, *, nullable: bool) -> dict[str, Any]:
    kept = {name: value for name, value in schema.items() if name not in {"type", "format"}}
    return {**json_schema_type(column_type, nullable=nullable), **kept}

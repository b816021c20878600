"""Catalog entries: what discovery writes into them, and what a given catalog asks for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib import Catalog, CatalogEntry, Metadata, Schema

from tap_pigment.catalog.blocks import StreamSource, is_included, override_in_catalog, warn_of_idle_settings
from tap_pigment.catalog.discovery import check_key_types
from tap_pigment.catalog.metadata_tables import METADATA_TABLES, is_metadata_entry, resolve_metadata_entry
from tap_pigment.catalog.request_bodies import override_failure
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
    file_name_problem,
    json_schema_type,
)
from tap_pigment.errors import CatalogError, NotFoundError, PigmentError, SettingsError, counted
from tap_pigment.pigment import Block, BlockType
from tap_pigment.settings import ChangeDetection

if TYPE_CHECKING:
    import logging
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from tap_pigment.catalog.blocks import BlockInventory
    from tap_pigment.catalog.discovery import StreamDefinition
    from tap_pigment.settings import Settings, StreamOverride

_HASH_CHARACTERS = 64
_ADDED_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    CONTENT_HASH: {"type": ["string"], "maxLength": _HASH_CHARACTERS, "title": "SHA-256 of the exported cells"},
    OCCURRENCE: {"type": ["integer"], "title": "Number of the row among identical rows"},
    DELETED_AT: {"type": ["string", "null"], "format": "date-time", "title": "When the row was found to be deleted"},
}


NO_STREAM_SELECTED = (
    "No stream is selected, so nothing is extracted. Select streams in the catalog (Meltano: the select extra)."
)
_MAX_NAMED_STREAMS = 5


@dataclass(frozen=True)
class ResolvedCatalog:
    """A given catalog with the keys and types that the user asks for.

    Attributes:
        catalog: The catalog; each entry has one name, as `stream` and as `tap_stream_id`.
        failures: The errors of entries that do not fit the settings, by stream name.
        incremental: The names of the streams for which the catalog asks for incremental replication, in vain.
    """

    catalog: Catalog
    failures: Mapping[str, PigmentError]
    incremental: tuple[str, ...]


@dataclass(frozen=True)
class CatalogStream:
    """A stream of a given catalog.

    Attributes:
        entry: Its entry.
        source: Its block.
        failure: The error that ends the stream when it is synced; None if there is none.
    """

    entry: CatalogEntry
    source: StreamSource
    failure: PigmentError | None


def catalog_streams(
    resolved: ResolvedCatalog, inventory: BlockInventory, settings: Settings, logger: logging.Logger
) -> list[CatalogStream]:
    """Return the streams of a catalog; warn of those that only Pigment has.

    Raises:
        CatalogError: If it is the catalog of another tap.
    """
    included_ids = {source.block.id for source in inventory.sources}
    by_name = {str(source.name): source.block for source in inventory.sources}
    found = []
    for entry in resolved.catalog.streams:
        if is_metadata_entry(entry, settings):
            continue
        listed = inventory.blocks.get(entry.table) if entry.table else by_name.get(entry.tap_stream_id)
        is_included_block = listed is not None and listed.id in included_ids
        stream = _catalog_stream(entry, resolved, listed, settings, is_included_block=is_included_block)
        if listed is None:
            stream = replace(stream, failure=_reason_not_listed(entry, inventory, settings) or stream.failure)
        found.append(stream)
    warn_of_idle_settings(inventory, [stream.source.override for stream in found], settings, logger)
    for key, name in _idle_names(found, settings):
        logger.warning(
            "stream_overrides.%s.name has no effect: the catalog has the stream as %s. %s", key, name, HOW_TO_REFRESH
        )
    if found and all(isinstance(stream.failure, NotFoundError) and not stream.entry.table for stream in found):
        names = ", ".join(str(stream.source.name) for stream in found[:_MAX_NAMED_STREAMS])
        raise CatalogError(
            f"--catalog: none of its {counted(len(found), 'stream')} is a block of Pigment ({names}). It may be the "
            f"catalog of another tap. {HOW_TO_REFRESH}"
        )
    known_ids = {stream.source.block.id for stream in found}
    new = [str(source.name) for source in inventory.sources if source.block.id not in known_ids]
    if new := sorted([*new, *(settings.reserved_names - set(resolved.catalog))]):
        logger.warning("In Pigment and not in the catalog: %s. %s", ", ".join(new), HOW_TO_REFRESH)
    return found


def _idle_names(streams: Sequence[CatalogStream], settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the key of each override whose `name` is not that of its stream, and the stream's name."""
    for key, override in sorted(settings.stream_overrides.items()):
        for stream in streams:
            if stream.source.override is override and override.name not in {None, stream.source.name}:
                yield key, stream.source.name


def uncataloged_streams(
    resolved: ResolvedCatalog, inventory: BlockInventory, known: Collection[str]
) -> dict[str, PigmentError]:
    """Return an error for each included stream that an earlier run extracted and the catalog lacks.

    Discovery leaves out a block that it cannot read. If only that run failed, its catalog would hide the stream for
    good.

    Args:
        resolved: The catalog.
        inventory: The blocks.
        known: The streams in the state.
    """
    ids = {entry.table for entry in resolved.catalog.streams}
    return {
        str(source.name): CatalogError(
            f"{source.name}: it was extracted before, and is in Pigment and not in the catalog. Nothing was emitted. "
            f"{HOW_TO_REFRESH} If it is no longer wanted, add it to exclude."
        )
        for source in inventory.sources
        if source.name in known and source.name not in resolved.catalog and source.block.id not in ids
    }


def _catalog_stream(
    entry: CatalogEntry,
    resolved: ResolvedCatalog,
    listed: Block | None,
    settings: Settings,
    *,
    is_included_block: bool,
) -> CatalogStream:
    """Return an entry with its block: the block of its id, or without an id the block of its name.

    Args:
        entry: The entry.
        resolved: The catalog.
        listed: The block; None if Pigment does not list it.
        settings: The settings.
        is_included_block: Whether the block is extracted.
    """
    name = StreamName(entry.tap_stream_id)
    block = listed or Block(entry.table or name, name, BlockType.TABLE, entry.database or "")
    source = StreamSource(name, block, override_in_catalog(name, block.id, settings))
    failure = resolved.failures.get(name)
    if listed is None and name in METADATA_TABLES and not entry.table:
        failure = SettingsError(
            f"{name}: it is in the catalog, and metadata_streams is off. Set metadata_streams: true, or deselect the "
            "stream."
        )
    elif listed is None:
        failure = NotFoundError(
            f"{name}: the block is in the catalog and no longer in Pigment. Nothing was emitted. {HOW_TO_REFRESH}"
        )
    elif not is_included_block and not is_included(source, settings):
        failure = SettingsError(
            f"{name}: it is selected in the catalog, and include, exclude or block_types skip its block. Nothing was "
            "emitted. Deselect the stream, or correct the setting."
        )
    elif settings.stores and (problem := file_name_problem(name)):
        failure = CatalogError(
            f"{name}: {settings.stores[0].setting}: files are named after the stream, and its name cannot be used: "
            f"{problem}. Nothing was emitted. Rename the stream in the catalog."
        )
    elif found := override_failure(source, settings):
        failure = found
    return CatalogStream(entry, source, failure)


def _reason_not_listed(entry: CatalogEntry, inventory: BlockInventory, settings: Settings) -> PigmentError | None:
    """Return why the block of an entry is not listed, other than that Pigment no longer has it; None if nothing is."""
    if error := inventory.listing.failures.get(entry.database or ""):
        return error
    if entry.table and not settings.application_ids:
        return SettingsError(needs_application(entry))
    return None


def needs_application(entry: CatalogEntry) -> str:
    """Return the message about an entry of a block that is not listed, because the settings name no application."""
    return (
        f"{entry.tap_stream_id}: without an application, only blocks with a block_type are extracted. Set "
        f"application_id, or stream_overrides.{entry.table}.block_type, or deselect the stream."
    )


def selected_names(catalog: Catalog) -> list[str]:
    """Return the names of the selected streams of a catalog.

    Raises:
        CatalogError: If there are none.
    """
    names = [name for name, entry in catalog.items() if entry.metadata.resolve_selection()[()]]
    if not names:
        raise CatalogError(NO_STREAM_SELECTED)
    return names


def known_entries(resolved: ResolvedCatalog, inventory: BlockInventory, settings: Settings) -> dict[str, CatalogEntry]:
    """Return the entries of an older catalog that need no discovery, by stream name.

    They fit the settings, and their blocks and streams have the names of then; or they are streams of metadata.
    """
    titles = {(source.block.id, str(source.name)): _title(source) for source in inventory.sources}
    return {
        name: entry
        for name, entry in resolved.catalog.items()
        if name not in resolved.failures
        if is_metadata_entry(entry, settings)
        or (entry.table and titles.get((entry.table, name), "") == entry.schema.title)
    }


def _title(source: StreamSource) -> str:
    """Return the title of a stream's schema; a block that is not listed has no name."""
    return source.block.name or source.name


def stream_schema(definition: StreamDefinition, settings: Settings) -> dict[str, Any]:
    """Return the JSON schema of a stream's records."""
    properties: dict[str, Any] = {}
    for column in definition.columns:
        properties[column.name] = json_schema_type(column.type, nullable=column.nullable)
        if column.name != column.header:
            properties[column.name]["title"] = column.header
        elif display_name := definition.display_names.get(column.name):
            properties[column.name]["title"] = display_name
    properties |= _added_schemas(definition.key, settings)
    return {"type": "object", "title": _title(definition.source), "properties": properties}


def _added_schemas(key: RowKey, settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the schemas of the columns that the tap adds."""
    if settings.change_detection is not ChangeDetection.ROW:
        return {name: dict(_ADDED_SCHEMAS[name]) for name in key.added_columns}
    added = {name: dict(_ADDED_SCHEMAS[name]) for name in (*key.added_columns, DELETED_AT)}
    if not key.is_keyless:
        added[CONTENT_HASH]["type"] = ["string", "null"]  # A deleted row has none.
    return added


def resolve_catalog(catalog: Catalog, settings: Settings) -> ResolvedCatalog:
    """Return a catalog with the keys and types that the user asks for.

    They are overrides in the settings, or `table-key-properties` in the metadata, where Meltano writes its `metadata`
    extra. The SDK ignores the latter once discovery has found a key.

    Raises:
        CatalogError: If the catalog has no stream, or two of the same name.
    """
    if not catalog:
        raise CatalogError(f"--catalog: it has no streams, so nothing can be extracted. {HOW_TO_REFRESH}")
    entries: dict[str, CatalogEntry] = {}
    failures: dict[str, PigmentError] = {}
    incremental = []
    lower_names: set[str] = set()
    for stream_id, entry in catalog.items():
        name = entry.stream or stream_id
        if name.lower() in lower_names:
            raise CatalogError(
                f"--catalog: two of its streams have the name {name}; upper and lower case make no difference. Rename "
                "or remove one of them."
            )
        lower_names.add(name.lower())
        entry.stream = entry.tap_stream_id = name
        if () not in entry.metadata:
            entry.metadata.root.selected = True  # The SDK's rule, as long as nothing is added to the metadata.
        if _drop_replication(entry):
            incremental.append(name)
        if is_metadata_entry(entry, settings):
            resolve_metadata_entry(entry)
            entries[name] = entry
            continue
        try:
            entries[name] = _resolved_entry(entry, settings)
        except (SettingsError, CatalogError) as error:
            entries[name], failures[name] = entry, error
    return ResolvedCatalog(Catalog(entries), failures, tuple(incremental))


def _drop_replication(entry: CatalogEntry) -> bool:
    """Remove what an entry says of incremental replication, and return whether it asks for it."""
    root = entry.metadata.root
    wanted = [entry.replication_method, root.forced_replication_method, entry.replication_key, root.replication_key]
    entry.replication_method = "FULL_TABLE"
    root.forced_replication_method = entry.replication_key = root.replication_key = None
    return any(method not in {None, "FULL_TABLE"} for method in wanted)


def _resolved_entry(entry: CatalogEntry, settings: Settings) -> CatalogEntry:
    """Return an entry with the key and types that the user asks for.

    Raises:
        SettingsError: If the user asks for a column that is not in the catalog, or a key of numbers.
        CatalogError: If a key column of the catalog is a number.
    """
    name = entry.tap_stream_id
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
        is_number = "number" in json_types
        # Discovery makes no key column nullable: this one became part of the key later, or the user wrote the null.
        if "null" in json_types and is_number:
            properties[column] = _retyped(properties[column], ColumnType.TEXT, nullable=False)
        elif "null" in json_types:
            properties[column] = {**properties[column], "type": [kind for kind in json_types if kind != "null"]}
        elif is_number:
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

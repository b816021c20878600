"""The streams of what Pigment lists: their names, keys and schemas, and their rows. No I/O.

A block shared by several applications is one stream, but a row of `pigment_blocks` for each of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib import Metadata

from tap_pigment.columns import StreamName
from tap_pigment.errors import KeysNotUniqueError
from tap_pigment.settings import METADATA_STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from singer_sdk.singerlib import CatalogEntry

    from tap_pigment.catalog.blocks import BlockInventory
    from tap_pigment.pigment import Application, Block, View
    from tap_pigment.settings import Settings

_Row = dict[str, Any]

APPLICATIONS, BLOCKS, VIEWS = map(StreamName, METADATA_STREAMS)


@dataclass(frozen=True)
class MetadataTable:
    """A stream of metadata.

    Attributes:
        name: The stream's name.
        key: The Singer primary key.
        schema: The JSON schema of its records.
    """

    name: StreamName
    key: tuple[str, ...]
    schema: Mapping[str, Any]


@dataclass(frozen=True)
class BlockStream:
    """The stream of a block in this run.

    Attributes:
        name: The stream's name.
        is_selected: Whether it is selected.
        has_failure: Whether it will fail, as far as that is known before its export.
    """

    name: str
    is_selected: bool
    has_failure: bool


def _table(
    name: StreamName, title: str, key: tuple[str, ...], properties: Mapping[str, tuple[str, str]]
) -> MetadataTable:
    """Return a stream of metadata.

    Args:
        name: The stream's name.
        title: What its rows are.
        key: The primary key.
        properties: The JSON type and the description of each column; a type that ends with `?` allows null.
    """
    schemas = {
        column: {
            "type": [kind.removesuffix("?"), "null"] if kind.endswith("?") else [kind],
            "description": description,
        }
        for column, (kind, description) in properties.items()
    }
    return MetadataTable(name, key, {"type": "object", "title": title, "properties": schemas})


METADATA_TABLES: Mapping[str, MetadataTable] = {
    table.name: table
    for table in (
        _table(
            APPLICATIONS,
            "Applications that the API key can see",
            ("id",),
            {
                "id": ("string", "Id of the application"),
                "name": ("string", "Name of the application in Pigment"),
            },
        ),
        _table(
            BLOCKS,
            "Lists, metrics and tables of the extracted applications",
            ("application_id", "id"),
            {
                "application_id": ("string", "Id of the application that lists the block"),
                "id": ("string", "Id of the block"),
                "name": ("string", "Name of the block in Pigment"),
                "type": ("string", "DimensionList, TransactionList, Metric or Table"),
                "stream_name": ("string?", "Name of the block's stream, before stream maps; null if it has none"),
                "is_extracted": ("boolean", "Whether the run extracts the block"),
                "not_extracted_reason": ("string?", "Why the run does not extract the block; null if it does"),
            },
        ),
        _table(
            VIEWS,
            "Views of the blocks of the extracted applications",
            ("application_id", "id"),
            {
                "application_id": ("string", "Id of the application that lists the view"),
                "id": ("string", "Id of the view"),
                "name": ("string", "Name of the view in Pigment"),
                "type": ("string", "Public or Personal"),
                "block_id": ("string", "Id of the block that the view shows"),
            },
        ),
    )
}


def is_metadata_entry(entry: CatalogEntry, settings: Settings) -> bool:
    """Return whether an entry of a catalog is a stream of metadata.

    An entry of a block has the block's id: it is one of a block even if the name was not reserved at discovery.
    """
    return not entry.table and entry.tap_stream_id in settings.reserved_names


def resolve_metadata_entry(entry: CatalogEntry) -> None:
    """Give an entry the key and schema that its stream has in any case."""
    table = METADATA_TABLES[entry.tap_stream_id]
    entry.key_properties = list(table.key)
    entry.metadata.root.table_key_properties = table.key
    entry.schema = type(entry.schema).from_dict(dict(table.schema))
    for column in table.key:
        entry.metadata["properties", column].inclusion = Metadata.InclusionType.AUTOMATIC


def application_rows(applications: Iterable[Application]) -> Iterator[_Row]:
    """Yield the rows of `pigment_applications`."""
    for application in applications:
        yield {"id": application.id, "name": application.name}


def block_rows(
    inventory: BlockInventory, streams: Mapping[str, BlockStream], settings: Settings, *, has_catalog: bool
) -> Iterator[_Row]:
    """Yield the rows of `pigment_blocks`.

    Args:
        inventory: The blocks.
        streams: The stream of each block that has one in this run, by the block's id.
        settings: The settings.
        has_catalog: Whether a catalog was given.
    """
    names = {source.block.id: str(source.name) for source in inventory.sources}
    for block in (block for listed in inventory.listing.blocks.values() for block in listed):
        stream = streams.get(block.id)
        reason = _reason(block, stream, settings, is_included=block.id in names, has_catalog=has_catalog)
        yield {
            "application_id": block.application_id,
            "id": block.id,
            "name": block.name,
            "type": block.type.label,
            "stream_name": stream.name if stream else names.get(block.id),
            "is_extracted": reason is None,
            "not_extracted_reason": reason,
        }


def view_rows(views: Iterable[View]) -> Iterator[_Row]:
    """Yield the rows of `pigment_views`."""
    for view in views:
        yield {
            "application_id": view.application_id,
            "id": view.id,
            "name": view.name,
            "type": view.type,
            "block_id": view.block_id,
        }


def _reason(
    block: Block,
    stream: BlockStream | None,
    settings: Settings,
    *,
    is_included: bool,
    has_catalog: bool,
) -> str | None:
    """Return why a block is not extracted, or None if it is."""
    if stream and not stream.is_selected:
        return "its stream is not selected"
    if stream:
        return "its stream fails" if stream.has_failure else None
    if block.type.label not in settings.block_types:
        return f"block_types lacks {block.type.label}"
    if not is_included:
        return "include or exclude skips it"
    return "the catalog lacks it" if has_catalog else "its export failed at discovery"


def check_unique(table: MetadataTable, rows: Iterable[_Row]) -> None:
    """Check that no two rows share a key: a target would merge them.

    Raises:
        KeysNotUniqueError: If two do.
    """
    counts = Counter(tuple(row[column] for column in table.key) for row in rows)
    if repeated := next((cells for cells, count in counts.items() if count > 1), None):
        raise KeysNotUniqueError(
            f"{table.name}: Pigment lists {repeated[-1]} {counts[repeated]:,} times. Nothing was emitted. Run again "
            "later; if it persists, deselect the stream."
        )

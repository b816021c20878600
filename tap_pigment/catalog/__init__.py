"""From blocks to streams: inventory, filters, discovery, catalog entries and column selection."""

from tap_pigment.catalog.blocks import (
    BlockInventory,
    ModelNames,
    StreamSource,
    export_request,
    included_sources,
    take_inventory,
)
from tap_pigment.catalog.discovery import KnownColumns, define, discover
from tap_pigment.catalog.entries import (
    NO_STREAM_SELECTED,
    ResolvedCatalog,
    catalog_streams,
    needs_application,
    resolve_catalog,
    selected_names,
    stream_schema,
    uncataloged_streams,
)
from tap_pigment.catalog.listing import NO_APPLICATION_WITH_BLOCKS, first_by_id, no_block_visible, unlisted_blocks
from tap_pigment.catalog.metadata_tables import (
    APPLICATIONS,
    BLOCKS,
    METADATA_TABLES,
    VIEWS,
    BlockStream,
    MetadataTable,
    application_rows,
    block_rows,
    check_unique,
    is_metadata_entry,
    view_rows,
)
from tap_pigment.catalog.request_bodies import override_failure, request_errors
from tap_pigment.catalog.selection import HOW_TO_REFRESH, NarrowedExport, narrowed_export, selected_columns

__all__ = [
    "APPLICATIONS",
    "BLOCKS",
    "HOW_TO_REFRESH",
    "METADATA_TABLES",
    "NO_APPLICATION_WITH_BLOCKS",
    "NO_STREAM_SELECTED",
    "VIEWS",
    "BlockInventory",
    "BlockStream",
    "KnownColumns",
    "MetadataTable",
    "ModelNames",
    "NarrowedExport",
    "ResolvedCatalog",
    "StreamSource",
    "application_rows",
    "block_rows",
    "catalog_streams",
    "check_unique",
    "define",
    "discover",
    "export_request",
    "first_by_id",
    "included_sources",
    "is_metadata_entry",
    "narrowed_export",
    "needs_application",
    "no_block_visible",
    "override_failure",
    "request_errors",
    "resolve_catalog",
    "selected_columns",
    "selected_names",
    "stream_schema",
    "take_inventory",
    "uncataloged_streams",
    "unlisted_blocks",
    "view_rows",
]

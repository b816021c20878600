"""From blocks to streams: inventory, filters, discovery, catalog entries and column selection."""

from tap_pigment.catalog.blocks import (
    BlockInventory,
    ModelNames,
    StreamSource,
    export_request,
    included_sources,
    no_block_visible,
    take_inventory,
)
from tap_pigment.catalog.discovery import KnownColumns, define, discover
from tap_pigment.catalog.entries import (
    NO_STREAM_SELECTED,
    ResolvedCatalog,
    catalog_streams,
    resolve_catalog,
    selected_names,
    stream_schema,
    uncataloged_streams,
)
from tap_pigment.catalog.request_bodies import request_errors, request_failure
from tap_pigment.catalog.selection import HOW_TO_REFRESH, selected_columns

__all__ = [
    "HOW_TO_REFRESH",
    "NO_STREAM_SELECTED",
    "BlockInventory",
    "KnownColumns",
    "ModelNames",
    "ResolvedCatalog",
    "StreamSource",
    "catalog_streams",
    "define",
    "discover",
    "export_request",
    "included_sources",
    "no_block_visible",
    "request_errors",
    "request_failure",
    "resolve_catalog",
    "selected_columns",
    "selected_names",
    "stream_schema",
    "take_inventory",
    "uncataloged_streams",
]

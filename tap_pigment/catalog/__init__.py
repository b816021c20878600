"""From blocks to streams: inventory, filters, discovery, catalog entries and column selection."""

from tap_pigment.catalog.blocks import StreamSource, export_request, included_sources, take_inventory
from tap_pigment.catalog.discovery import discover
from tap_pigment.catalog.entries import catalog_streams, resolve_catalog, stream_schema
from tap_pigment.catalog.selection import HOW_TO_REFRESH, selected_columns

__all__ = [
    "HOW_TO_REFRESH",
    "StreamSource",
    "catalog_streams",
    "discover",
    "export_request",
    "included_sources",
    "resolve_catalog",
    "selected_columns",
    "stream_schema",
    "take_inventory",
]

"""One export: downloaded, complete, counted, and readable as a validated table."""

from tap_pigment.exports import sql
from tap_pigment.exports.download import ExportDownloader, ExportFile, ExportPart
from tap_pigment.exports.duckdb_session import DuckDBSession, StreamDatabase, preload
from tap_pigment.exports.parts import JoinedParts
from tap_pigment.exports.prefetch import PostponedError, Prefetcher, in_thread
from tap_pigment.exports.sample import ExportSample, fetch_sample
from tap_pigment.exports.spool_directory import SpoolDirectory, disk_errors
from tap_pigment.exports.spool_room import SpoolRoom
from tap_pigment.exports.table import ExportTable, memory_bytes
from tap_pigment.exports.validation import (
    KeptColumns,
    ValidatedExport,
    check_64_bits,
    nul_warning,
    overlap_warning,
    validate,
)

__all__ = [
    "DuckDBSession",
    "ExportDownloader",
    "ExportFile",
    "ExportPart",
    "ExportSample",
    "ExportTable",
    "JoinedParts",
    "KeptColumns",
    "PostponedError",
    "Prefetcher",
    "SpoolDirectory",
    "SpoolRoom",
    "StreamDatabase",
    "ValidatedExport",
    "check_64_bits",
    "disk_errors",
    "fetch_sample",
    "in_thread",
    "memory_bytes",
    "nul_warning",
    "overlap_warning",
    "preload",
    "sql",
    "validate",
]

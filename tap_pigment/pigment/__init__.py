"""Pigment's REST API: requests, authentication, HTTP/2, rate limit, retries and response errors.

Files, DuckDB and Singer streams are the concern of other packages.
"""

from tap_pigment.pigment.api import (
    WINDOW_REQUESTS,
    ApiRequest,
    Application,
    Block,
    BlockType,
    ColumnMetadata,
    Scope,
    View,
    export_block,
)
from tap_pigment.pigment.client import PigmentClient
from tap_pigment.pigment.request_schemas import check_request_body
from tap_pigment.pigment.responses import (
    RetriableResponseError,
    export_chunks,
    missing_end_proof,
)

__all__ = [
    "WINDOW_REQUESTS",
    "ApiRequest",
    "Application",
    "Block",
    "BlockType",
    "ColumnMetadata",
    "PigmentClient",
    "RetriableResponseError",
    "Scope",
    "View",
    "check_request_body",
    "export_block",
    "export_chunks",
    "missing_end_proof",
]

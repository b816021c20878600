"""Columns and keys: names, types, inference, key rules and JSON schema. No I/O."""

from tap_pigment.columns.inference import infer_type, value_columns_start
from tap_pigment.columns.json_schema import json_schema_type, type_in_json_schema
from tap_pigment.columns.keys import RowKey, existing_columns
from tap_pigment.columns.naming import (
    ADDED_COLUMNS,
    CONTENT_HASH,
    DELETED_AT,
    OCCURRENCE,
    NamedBlock,
    StreamName,
    column_names,
    file_name_problem,
    slug,
    snake_case,
    stream_names,
    without_technical_suffix,
)
from tap_pigment.columns.types import (
    DATE_PATTERN,
    FALSE,
    NUMBER_PATTERN,
    TRUE,
    WHOLE_PATTERN,
    Column,
    ColumnType,
    fits,
    type_in_metadata,
)

__all__ = [
    "ADDED_COLUMNS",
    "CONTENT_HASH",
    "DATE_PATTERN",
    "DELETED_AT",
    "FALSE",
    "NUMBER_PATTERN",
    "OCCURRENCE",
    "TRUE",
    "WHOLE_PATTERN",
    "Column",
    "ColumnType",
    "NamedBlock",
    "RowKey",
    "StreamName",
    "column_names",
    "existing_columns",
    "file_name_problem",
    "fits",
    "infer_type",
    "json_schema_type",
    "slug",
    "snake_case",
    "stream_names",
    "type_in_json_schema",
    "type_in_metadata",
    "value_columns_start",
    "without_technical_suffix",
]

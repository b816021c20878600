"""Columns and keys: names, types, inference, key rules and JSON schema. No I/O."""

from tap_pigment.columns.inference import infer_type, metric_value_column, scenario_column, value_columns_start
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
    is_name_of,
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
    "is_name_of",
    "json_schema_type",
    "metric_value_column",
    "scenario_column",
    "slug",
    "snake_case",
    "stream_names",
    "type_in_json_schema",
    "type_in_metadata",
    "value_columns_start",
    "without_technical_suffix",
]

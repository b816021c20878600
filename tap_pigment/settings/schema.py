"""The settings as users see them: names, types, defaults, titles and descriptions."""

from __future__ import annotations

from enum import StrEnum

from singer_sdk import typing as th


class Headers(StrEnum):
    """Where column names come from."""

    TECHNICAL = "technical"
    FRIENDLY = "friendly"


class ChangeDetection(StrEnum):
    """The unit of comparison with the last run, so that only changes are emitted."""

    NONE = "none"
    STREAM = "stream"
    ROW = "row"


class OnStreamError(StrEnum):
    """What happens to the other streams when one fails."""

    CONTINUE = "continue"
    STOP = "stop"


BLOCK_TYPES = ["DimensionList", "TransactionList", "Table", "Metric", "View"]
COLUMN_TYPES = ["text", "number", "integer", "boolean", "date"]
METADATA_STREAMS = ["pigment_applications", "pigment_blocks", "pigment_views"]

_DAY_SECONDS = 86_400
_MAX_BATCH_SIZE = 2**31 - 1  # The most that DuckDB takes for a row group.

_STREAM_OVERRIDE = th.ObjectType(
    th.Property(
        "name",
        th.StringType(min_length=1, max_length=63, pattern="^[a-zA-Z_][a-zA-Z0-9_]*$"),
        title="Stream name",
    ),
    th.Property("headers", th.StringType(allowed_values=[header.value for header in Headers]), title="Headers"),
    th.Property("key_columns", th.ArrayType(th.StringType(nullable=False)), title="Key columns"),
    th.Property(
        "types",
        th.ObjectType(additional_properties=th.StringType(allowed_values=COLUMN_TYPES, nullable=False)),
        title="Column types",
    ),
    th.Property("request", th.ObjectType(additional_properties=True), title="Request body"),
    th.Property("slices", th.ArrayType(th.ObjectType(additional_properties=True, nullable=False)), title="Slices"),
    th.Property("block_type", th.StringType(allowed_values=BLOCK_TYPES), title="Block type"),
    additional_properties=False,
)

SETTINGS = th.PropertiesList(
    th.Property(
        "api_key",
        th.StringType(nullable=False, min_length=1),
        required=True,
        secret=True,
        title="API key",
        description="Pigment API key with the Export scope (and Modeling Metadata, unless `metadata_api_key` is set).",
    ),
    th.Property(
        "metadata_api_key",
        th.StringType(min_length=1),
        secret=True,
        title="Metadata API key",
        description="API key with the Modeling Metadata scope, if scopes are split over two keys. Default: `api_key`.",
    ),
    th.Property(
        "application_id",
        th.StringType(min_length=1),
        title="Application ID",
        description=(
            "The Pigment application to extract from. This or `application_ids` is required, unless `stream_overrides` "
            "has a `block_type`."
        ),
    ),
    th.Property(
        "application_ids",
        th.ArrayType(th.StringType(nullable=False, min_length=1)),
        title="Application IDs",
        description=(
            'Several applications to extract from, or `["*"]` for every one that the key sees; stream names then begin '
            "with the application's name."
        ),
    ),
    th.Property(
        "api_url",
        th.StringType(nullable=False),
        default="https://pigment.app/api",
        title="API URL",
        description="Base address of Pigment's API. Plain `http` only to a loopback address: it is not encrypted.",
    ),
    th.Property(
        "block_types",
        th.ArrayType(th.StringType(nullable=False, allowed_values=BLOCK_TYPES)),
        default=BLOCK_TYPES[:3],
        title="Block types",
        description="Kinds of blocks to extract: `DimensionList`, `TransactionList`, `Table`, `Metric`, `View`.",
    ),
    th.Property(
        "include",
        th.ArrayType(th.StringType(nullable=False)),
        default=["*"],
        title="Include",
        description="Blocks to extract: globs on block names, stream names and block ids, ignoring case.",
    ),
    th.Property(
        "exclude",
        th.ArrayType(th.StringType(nullable=False)),
        default=[],
        title="Exclude",
        description="Blocks to skip: globs like those of `include`. They are not even sampled.",
    ),
    th.Property(
        "headers",
        th.StringType(nullable=False, allowed_values=[header.value for header in Headers]),
        default=Headers.TECHNICAL.value,
        title="Headers",
        description="Column names: `technical` (stable technical names) or `friendly` (display names in snake_case).",
    ),
    th.Property(
        "infer_types",
        th.BooleanType(nullable=False),
        default=True,
        title="Infer types",
        description="Learn column types from the first rows of each export. If false, every column is text.",
    ),
    th.Property(
        "column_titles",
        th.BooleanType(nullable=False),
        default=False,
        title="Column titles",
        description=(
            "Give columns with technical names their display names as `title` in the schema. Discovery then sends one "
            "more request per block, and reads only the header."
        ),
    ),
    th.Property(
        "stream_overrides",
        th.ObjectType(additional_properties=_STREAM_OVERRIDE),
        default={},
        title="Stream overrides",
        description=(
            "By stream name or block id: `name`, `headers`, `key_columns` (`[]` for none), `types` (column to `text`, "
            "`number`, `integer`, `boolean` or `date`), `request` (raw request body, for filters and scenarios), "
            "`slices` (raw request bodies of a large export in parts) and, by block id, `block_type` (of a block that "
            "need not be listed)."
        ),
    ),
    th.Property(
        "metadata_streams",
        th.BooleanType(nullable=False),
        default=False,
        title="Metadata streams",
        description=(
            "Extract what Pigment lists, too: `pigment_applications`, `pigment_blocks` and `pigment_views`, which "
            "takes one more request per block."
        ),
    ),
    th.Property(
        "request_timeout_seconds",
        th.IntegerType(nullable=False, minimum=1, maximum=_DAY_SECONDS),
        default=60,
        title="Request timeout in seconds",
        description="Longest silence tolerated on a connection, to the first byte and between bytes.",
    ),
    th.Property(
        "max_export_seconds",
        th.IntegerType(nullable=False, minimum=1, maximum=_DAY_SECONDS),
        default=3600,
        title="Maximum export time in seconds",
        description="Longest time of one export request, until all of its response has arrived. It is not retried.",
    ),
    th.Property(
        "max_retries",
        th.IntegerType(nullable=False, minimum=0),
        default=3,
        title="Maximum retries",
        description="How often a failed request is sent again, after the first try.",
    ),
    th.Property(
        "requests_per_window",
        th.IntegerType(nullable=False, minimum=1),
        default=500,
        title="Requests per window",
        description="Most requests in any 5 minutes. Lower it to leave quota for others on the same IP address.",
    ),
    th.Property(
        "quota_file",
        th.StringType(min_length=1),
        title="Quota file",
        description=(
            "File in which all runs that name it count their requests, so that they share `requests_per_window`. It "
            "is made at the first run, on a disk of the machine."
        ),
    ),
    th.Property(
        "parallel_exports",
        th.IntegerType(nullable=False, minimum=1, maximum=64),
        default=4,
        title="Parallel exports",
        description="Exports downloaded at once, ahead of the one being emitted.",
    ),
    th.Property(
        "max_prefetch_mb",
        th.IntegerType(minimum=0),
        title="Maximum prefetch in MB",
        description=(
            "Most megabytes that exports downloaded ahead may take in the spool directory, all together. Default: half "
            "of the free space when the run begins."
        ),
    ),
    th.Property(
        "spool_dir",
        th.StringType(min_length=1),
        title="Spool directory",
        description=(
            "Directory where exports are spooled until they are complete and validated. Files are private to the user, "
            "and removed when the run ends. Default: the system's directory for temporary files."
        ),
    ),
    th.Property(
        "change_detection",
        th.StringType(nullable=False, allowed_values=[choice.value for choice in ChangeDetection]),
        default=ChangeDetection.NONE.value,
        title="Change detection",
        description=(
            "Emit only changes since the last run: whole streams (`stream`), or single rows (`row`, which marks "
            "deleted rows in `_sdc_deleted_at`). `none` emits everything."
        ),
    ),
    th.Property(
        "snapshot_uri",
        th.StringType(min_length=1),
        title="Snapshot URI",
        description="Store of snapshots for `change_detection: row`: a path, `s3://`, `gs://` or another fsspec URL.",
    ),
    th.Property(
        "max_shrink_percent",
        th.IntegerType(nullable=False, minimum=0, maximum=100),
        default=50,
        title="Maximum shrink in percent",
        description=(
            "Fail a stream whose export lost more than this share of its rows since the last run: a lost access right "
            "looks like deleted rows. 100 turns the guard off."
        ),
    ),
    th.Property(
        "on_stream_error",
        th.StringType(nullable=False, allowed_values=[choice.value for choice in OnStreamError]),
        default=OnStreamError.CONTINUE.value,
        title="On stream error",
        description=(
            "When a stream fails: finish the other streams first (`continue`), or `stop`. The run fails either way."
        ),
    ),
    th.Property(
        "emit_activate_version_messages",
        th.BooleanType(nullable=False),
        default=True,
        title="Emit ACTIVATE_VERSION messages",
        description=(
            "Emit ACTIVATE_VERSION after the last record of each validated export, so that targets delete the rows "
            "that are no longer in Pigment. No effect with `batch_config` or `change_detection: row`."
        ),
    ),
    # Whatever turns the members into settings of their own, as Meltano Hub does, would pass on a default of one, and
    # require those that are required here, so `config_errors` checks them.
    th.Property(
        "batch_config",
        th.ObjectType(
            th.Property(
                "encoding",
                th.ObjectType(
                    th.Property(
                        "format",
                        th.StringType(nullable=False, allowed_values=["jsonl", "parquet"]),
                        title="Format",
                        description="Format of the files.",
                    ),
                    th.Property(
                        "compression",
                        th.StringType(allowed_values=["gzip", "none"]),
                        title="Compression",
                        description="Compression of the files. Default: none for jsonl, snappy for parquet.",
                    ),
                    additional_properties=False,
                ),
                required=True,
                title="Encoding",
                description="How the files are written.",
            ),
            th.Property(
                "storage",
                th.ObjectType(
                    th.Property(
                        "root",
                        th.StringType(nullable=False, min_length=1),
                        title="Root",
                        description="Directory or fsspec URL, such as `file:///data` or `s3://bucket/path`.",
                    ),
                    th.Property("prefix", th.StringType(), title="Prefix", description="Beginning of the file names."),
                    th.Property(
                        "params",
                        th.ObjectType(additional_properties=True),
                        title="Parameters",
                        description="Options of the fsspec filesystem.",
                    ),
                    additional_properties=False,
                ),
                required=True,
                title="Storage",
                description="Store of the files.",
            ),
            th.Property(
                "batch_size",
                th.IntegerType(nullable=False, minimum=1, maximum=_MAX_BATCH_SIZE),
                title="Batch size",
                description="Most rows in a file. Default: 10,000.",
            ),
            additional_properties=False,
        ),
        title="Batch configuration",
        description="Emit BATCH messages for files instead of records: `encoding`, `storage`, `batch_size`.",
    ),
    additional_properties=False,
).to_dict()

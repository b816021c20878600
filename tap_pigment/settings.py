"""The settings: one schema for users, one frozen `Settings` for us."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from singer_sdk import typing as th

from tap_pigment.naming import DELETED_AT

if TYPE_CHECKING:
    from collections.abc import Mapping


class Headers(StrEnum):
    """Where column names come from."""

    TECHNICAL = "technical"
    FRIENDLY = "friendly"


class ChangeDetection(StrEnum):
    """What is compared with the last run, so that only what has changed is sent."""

    NONE = "none"
    STREAM = "stream"
    ROW = "row"


class OnStreamError(StrEnum):
    """What happens to the other streams when one has failed."""

    CONTINUE = "continue"
    STOP = "stop"


BLOCK_TYPES = ["DimensionList", "TransactionList", "Table", "Metric", "View"]
COLUMN_TYPES = ["text", "number", "integer", "boolean", "date"]

_STREAM_OVERRIDE = th.ObjectType(
    th.Property(
        "name",
        th.StringType(min_length=1, max_length=63, pattern="^[a-zA-Z_][a-zA-Z0-9_]*$"),
        title="Stream name",
    ),
    th.Property("key_columns", th.ArrayType(th.StringType(nullable=False)), title="Key columns"),
    th.Property(
        "types",
        th.ObjectType(additional_properties=th.StringType(allowed_values=COLUMN_TYPES, nullable=False)),
        title="Column types",
    ),
    th.Property("request", th.ObjectType(additional_properties=True), title="Request body"),
    additional_properties=False,
)

SETTINGS = th.PropertiesList(
    th.Property(
        "api_key",
        th.StringType(nullable=False, min_length=1),
        required=True,
        secret=True,
        title="API key",
        description="Pigment API key with the Export right (and Modeling Metadata, unless `metadata_api_key` is set).",
    ),
    th.Property(
        "metadata_api_key",
        th.StringType(min_length=1),
        secret=True,
        title="Metadata API key",
        description="Key with the Modeling Metadata right, where rights are split over two keys. Default: `api_key`.",
    ),
    th.Property(
        "application_id",
        th.StringType(min_length=1),
        title="Application ID",
        description="The Pigment application to extract from. This or `application_ids` is required.",
    ),
    th.Property(
        "application_ids",
        th.ArrayType(th.StringType(nullable=False, min_length=1)),
        title="Application IDs",
        description="Several applications to extract from; stream names then begin with the application's name.",
    ),
    th.Property(
        "api_url",
        th.StringType(nullable=False),
        default="https://pigment.app/api",
        title="API URL",
        description="Where Pigment's API is. Plain `http` only to this machine: the key never travels in clear.",
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
        description="Globs on block names, stream names and block ids: what to extract.",
    ),
    th.Property(
        "exclude",
        th.ArrayType(th.StringType(nullable=False)),
        default=[],
        title="Exclude",
        description="Globs on block names, stream names and block ids: what to leave out. It is not even probed.",
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
        "stream_overrides",
        th.ObjectType(additional_properties=_STREAM_OVERRIDE),
        default={},
        title="Stream overrides",
        description=(
            "By stream name or block id: `name`, `key_columns` (`[]` for none), `types` (column to `text`, `number`, "
            "`integer`, `boolean` or `date`) and `request` (raw request body, for filters and scenarios)."
        ),
    ),
    th.Property(
        "request_timeout_seconds",
        th.IntegerType(nullable=False, minimum=1),
        default=60,
        title="Request timeout in seconds",
        description="Longest silence tolerated on a connection, to the first byte and between bytes.",
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
        description="Requests in any 5 minutes, at most. Lower it to leave quota for others on the same IP address.",
    ),
    th.Property(
        "parallel_exports",
        th.IntegerType(nullable=False, minimum=1, maximum=64),
        default=4,
        title="Parallel exports",
        description="Exports fetched at once, ahead of the one being written.",
    ),
    th.Property(
        "spool_dir",
        th.StringType(min_length=1),
        title="Spool directory",
        description=(
            "Where exports are kept until they are complete and checked. Files are private to the user and gone when "
            "the run ends. Default: the system's directory for temporary files."
        ),
    ),
    th.Property(
        "change_detection",
        th.StringType(nullable=False, allowed_values=[choice.value for choice in ChangeDetection]),
        default=ChangeDetection.NONE.value,
        title="Change detection",
        description=(
            "Send only what has changed since the last run: whole streams (`stream`), or single rows (`row`, with what "
            "is gone marked by `_sdc_deleted_at`). `none` sends everything."
        ),
    ),
    th.Property(
        "snapshot_uri",
        th.StringType(min_length=1),
        title="Snapshot URI",
        description="Where `change_detection: row` keeps snapshots: a path, `s3://`, `gs://` or another fsspec URL.",
    ),
    th.Property(
        "max_shrink_percent",
        th.IntegerType(nullable=False, minimum=0, maximum=100),
        default=50,
        title="Maximum shrink in percent",
        description=(
            "Refuse to delete more than this share of a stream's rows downstream: a lost access right looks just like "
            "deleted rows. 100 turns the guard off."
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
        default=False,
        title="Emit ACTIVATE_VERSION messages",
        description=(
            "After the last record of each checked export, send ACTIVATE_VERSION, so that targets delete what is gone."
        ),
    ),
    th.Property(
        "batch_config",
        th.ObjectType(
            th.Property(
                "encoding",
                th.ObjectType(
                    th.Property(
                        "format",
                        th.StringType(nullable=False, allowed_values=["jsonl", "parquet"]),
                        required=True,
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
                        required=True,
                        title="Root",
                        description="Directory or fsspec URL, such as `file:///data` or `s3://bucket/path`.",
                    ),
                    th.Property("prefix", th.StringType(), title="Prefix", description="What file names begin with."),
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
                description="Where the files are written.",
            ),
            th.Property(
                "batch_size",
                th.IntegerType(minimum=1),
                title="Batch size",
                description="Rows in a file. Default: 10000.",
            ),
            additional_properties=False,
        ),
        title="Batch configuration",
        description="Write files and BATCH messages instead of records: `encoding`, `storage`, `batch_size`.",
    ),
    additional_properties=False,
).to_dict()


@dataclass(frozen=True)
class StreamOverride:
    """What a user sets for one stream; None where nothing is set."""

    name: str | None = None
    key_columns: tuple[str, ...] | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """The settings, as the rest of the tap takes them."""

    api_key: str = field(repr=False)
    metadata_api_key: str = field(repr=False)
    application_ids: tuple[str, ...]
    api_url: str
    block_types: frozenset[str]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    headers: Headers
    infer_types: bool
    stream_overrides: Mapping[str, StreamOverride]
    request_timeout_seconds: int
    max_retries: int
    requests_per_window: int
    parallel_exports: int
    spool_dir: Path | None
    change_detection: ChangeDetection
    snapshot_uri: str
    max_shrink_percent: int
    on_stream_error: OnStreamError
    emit_activate_version_messages: bool

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Settings:
        """Return the settings of a config that has passed the schema and `problems`."""
        defaults = {name: schema.get("default") for name, schema in SETTINGS["properties"].items()}
        value = defaults | {name: setting for name, setting in config.items() if setting is not None}
        return cls(
            api_key=value["api_key"],
            metadata_api_key=value["metadata_api_key"] or value["api_key"],
            application_ids=_application_ids(config),
            api_url=value["api_url"].rstrip("/"),
            block_types=frozenset(value["block_types"]),
            include=tuple(value["include"]),
            exclude=tuple(value["exclude"]),
            headers=Headers(value["headers"]),
            infer_types=value["infer_types"],
            stream_overrides={
                stream: _stream_override(override or {}) for stream, override in value["stream_overrides"].items()
            },
            request_timeout_seconds=value["request_timeout_seconds"],
            max_retries=value["max_retries"],
            requests_per_window=value["requests_per_window"],
            parallel_exports=value["parallel_exports"],
            spool_dir=Path(value["spool_dir"]) if value["spool_dir"] else None,
            change_detection=ChangeDetection(value["change_detection"]),
            snapshot_uri=value["snapshot_uri"] or "",
            max_shrink_percent=value["max_shrink_percent"],
            on_stream_error=OnStreamError(value["on_stream_error"]),
            emit_activate_version_messages=value["emit_activate_version_messages"],
        )

    def for_a_look(self) -> Settings:
        """Return the settings for a look at some records, after which nothing is remembered or deleted."""
        return replace(self, change_detection=ChangeDetection.NONE, emit_activate_version_messages=False)

    @property
    def friendly_headers(self) -> bool:
        """Whether exports are asked for with display names in their header."""
        return self.headers is Headers.FRIENDLY

    @property
    def applications_in_names(self) -> bool:
        """Whether stream names begin with the application's name."""
        return len(self.application_ids) > 1


def problems(config: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a config beyond what its schema says, a message for each."""
    found = []
    if not _application_ids(config):
        found.append(
            "'application_id' is a required property: set it (or 'application_ids') to the id of the Pigment "
            "application to extract from."
        )
    url = config.get("api_url")
    if isinstance(url, str) and (problem := _url_problem(url)):
        found.append(f"api_url: {problem}")
    for name in ("api_key", "metadata_api_key"):
        key = config.get(name)
        if isinstance(key, str) and not (key.isascii() and key.isprintable() and key == key.strip()):
            found.append(f"{name}: it holds spaces, line breaks or characters that no key has. Copy it once more.")
    if config.get("batch_config") and config.get("stream_maps"):
        found.append(
            "batch_config: stream maps look at single records, BATCH files are written without. Remove stream_maps, or "
            "batch_config."
        )
    if config.get("change_detection") == ChangeDetection.ROW and not config.get("snapshot_uri"):
        found.append(
            "snapshot_uri: change_detection: row compares rows with a snapshot of the last run, and needs a place to "
            "keep it. Set snapshot_uri to a path or an fsspec URL."
        )
    if config.get("change_detection") == ChangeDetection.ROW and config.get("batch_config"):
        found.append(
            "batch_config: change_detection: row sends single rows and deletions, as records. Remove batch_config, or "
            "set change_detection to stream."
        )
    if config.get("change_detection") == ChangeDetection.ROW:
        found += _map_problems(config.get("stream_maps") or {})
    if config.get("batch_config") and config.get("emit_activate_version_messages"):
        found.append(
            "emit_activate_version_messages: BATCH messages carry no version, so that targets would delete what the "
            "files bring. Remove batch_config, or set emit_activate_version_messages to false."
        )
    return found


def _map_problems(stream_maps: Mapping[str, Any]) -> list[str]:
    """Return which stream maps would keep from a target what is gone: of such a row only the key is left."""
    found = []
    for stream, stream_map in stream_maps.items():
        if not isinstance(stream_map, dict):
            continue
        hiding = [name for name in ("__filter__", "__key_properties__") if stream_map.get(name) is not None]
        keeps = "__else__" not in stream_map
        if stream_map.get(DELETED_AT, DELETED_AT if keeps else None) != DELETED_AT:
            hiding.append(DELETED_AT if DELETED_AT in stream_map else "__else__")
        found += [
            f"stream_maps.{stream}.{name}: change_detection: row tells of a row that is gone by its key and "
            f"{DELETED_AT}, which have to pass unchanged. Remove it, or set change_detection to stream."
            for name in hiding
        ]
    return found


def _application_ids(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ids of both settings, each once, in order."""
    single = config.get("application_id")
    several = config.get("application_ids") or []
    return tuple(dict.fromkeys([*([single] if single else []), *several]))


def _url_problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # Raises if it is no port.
    except ValueError as error:
        return f"not a URL ({error})."
    if parts.scheme not in {"http", "https"} or not host:
        return "not a URL of the form https://pigment.app/api."
    if parts.username or parts.password or parts.query or parts.fragment:
        return "only scheme, host, port and path belong here."
    if parts.scheme == "http" and not is_loopback(host):
        return f"plain http to {host} would send the API key in clear. Use https."
    return None


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, which nothing on the way can read or cut."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _stream_override(override: Mapping[str, Any]) -> StreamOverride:
    keys = override.get("key_columns")
    return StreamOverride(
        name=override.get("name"),
        key_columns=None if keys is None else tuple(keys),
        types=override.get("types") or {},
        request=override.get("request") or {},
    )

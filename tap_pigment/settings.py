"""The settings as the rest of the tap takes them, and what a schema cannot say about them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tap_pigment.naming import DELETED_AT
from tap_pigment.schema import SETTINGS, ChangeDetection, Headers, OnStreamError

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY_START = "pgmt_"


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
    found += [
        f"{name}: it holds an API key. Set it to what stands in the address of Pigment's screens."
        for name in ("application_id", "application_ids")
        if _KEY_START in str(config.get(name))
    ]
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

"""The settings as the rest of the tap takes them: frozen and typed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_pigment.settings.schema import METADATA_STREAMS, SETTINGS, ChangeDetection, Headers, OnStreamError

if TYPE_CHECKING:
    from collections.abc import Mapping


ALL_APPLICATIONS = "*"


@dataclass(frozen=True)
class StreamOverride:
    """The settings of one stream; None where nothing is set.

    With `block_type`, its key is the id of a block that need not be listed.
    """

    name: str | None = None
    headers: Headers | None = None
    key_columns: tuple[str, ...] | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)
    slices: tuple[Mapping[str, Any], ...] = ()
    block_type: str | None = None

    @property
    def request_bodies(self) -> tuple[Mapping[str, Any], ...]:
        """The raw request body of each part of the export: `request`, or each of `slices` merged over it."""
        return tuple({**self.request, **body} for body in self.slices) or (self.request,)

    @property
    def part_names(self) -> tuple[str, ...]:
        """The name of each part of the export in messages, such as `slices[2]`; "" for an export in one part."""
        return tuple(f"slices[{number}]" for number in range(len(self.slices))) or ("",)


@dataclass(frozen=True)
class StoreAddress:
    """Where files are kept.

    Attributes:
        setting: The setting that holds the address.
        uri: A path or an fsspec URL.
        options: Options of the fsspec filesystem.
        is_read: Whether files there are listed and read, and not only written.
    """

    setting: str
    uri: str
    options: Mapping[str, Any]
    is_read: bool


@dataclass(frozen=True)
class Settings:
    """The settings of a run.

    Two of them are decided by several settings: `activates_versions`, whether ACTIVATE_VERSION may follow the records
    of a stream, and `writes_files`, whether rows leave in BATCH files.
    """

    api_key: str = field(repr=False)
    metadata_api_key: str = field(repr=False)
    application_ids: tuple[str, ...]
    api_url: str
    block_types: frozenset[str]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    headers: Headers
    infer_types: bool
    column_titles: bool
    stream_overrides: Mapping[str, StreamOverride]
    metadata_streams: bool
    request_timeout_seconds: int
    max_export_seconds: int
    max_retries: int
    requests_per_window: int
    quota_file: str
    parallel_exports: int
    max_prefetch_mb: int | None
    spool_dir: Path | None
    change_detection: ChangeDetection
    snapshot_uri: str
    max_shrink_percent: int
    on_stream_error: OnStreamError
    activates_versions: bool
    writes_files: bool
    stores: tuple[StoreAddress, ...]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Settings:
        """Return the settings of a config that is valid: see the JSON schema and `config_errors`."""
        defaults = {name: schema.get("default") for name, schema in SETTINGS["properties"].items()}
        value = defaults | {name: setting for name, setting in config.items() if setting is not None}
        return cls(
            api_key=value["api_key"],
            metadata_api_key=value["metadata_api_key"] or value["api_key"],
            application_ids=application_ids(config),
            api_url=value["api_url"].rstrip("/"),
            block_types=frozenset(value["block_types"]),
            include=tuple(value["include"]),
            exclude=tuple(value["exclude"]),
            headers=Headers(value["headers"]),
            infer_types=value["infer_types"],
            column_titles=value["column_titles"],
            stream_overrides={
                _override_key(stream, override or {}): _stream_override(override or {})
                for stream, override in value["stream_overrides"].items()
            },
            metadata_streams=value["metadata_streams"],
            request_timeout_seconds=value["request_timeout_seconds"],
            max_export_seconds=value["max_export_seconds"],
            max_retries=value["max_retries"],
            requests_per_window=value["requests_per_window"],
            quota_file=value["quota_file"] or "",
            parallel_exports=value["parallel_exports"],
            max_prefetch_mb=value["max_prefetch_mb"],
            spool_dir=Path(value["spool_dir"]) if value["spool_dir"] else None,
            change_detection=ChangeDetection(value["change_detection"]),
            snapshot_uri=value["snapshot_uri"] or "",
            max_shrink_percent=value["max_shrink_percent"],
            on_stream_error=OnStreamError(value["on_stream_error"]),
            activates_versions=value["emit_activate_version_messages"] and not ignoring_activation(config),
            writes_files=bool(config.get("batch_config")),
            stores=_stores(config),
        )

    def for_test_run(self) -> Settings:
        """Return the settings for `--test`, which reads some records and compares none."""
        return replace(self, change_detection=ChangeDetection.NONE, activates_versions=True)

    @property
    def reserved_names(self) -> frozenset[str]:
        """The stream names that no block may have, because metadata streams have them."""
        return frozenset(METADATA_STREAMS if self.metadata_streams else ())

    @property
    def applications_in_names(self) -> bool:
        """Whether stream names begin with the application's name."""
        return self.takes_all_applications or len(self.application_ids) > 1

    @property
    def takes_all_applications(self) -> bool:
        """Whether every application that the key sees is extracted."""
        return self.application_ids == (ALL_APPLICATIONS,)


def ignoring_activation(config: Mapping[str, Any]) -> str | None:
    """Return the setting with which `emit_activate_version_messages` has no effect, or None if it has one."""
    if config.get("batch_config"):
        return "batch_config"  # BATCH messages have no version.
    if config.get("change_detection") == ChangeDetection.ROW:
        return "change_detection: row"  # Unchanged rows keep their old version.
    return None


def _stores(config: Mapping[str, Any]) -> tuple[StoreAddress, ...]:
    """Return the stores that a run needs."""
    found = []
    if config.get("change_detection") == ChangeDetection.ROW:
        found.append(StoreAddress("snapshot_uri", config["snapshot_uri"], {}, is_read=True))
    if config.get("batch_config"):
        storage = config["batch_config"]["storage"]
        options = storage.get("params") or {}
        found.append(StoreAddress("batch_config.storage.root", storage["root"], options, is_read=False))
    return tuple(found)


def application_ids(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the application ids of both settings, each once, in order."""
    single = config.get("application_id")
    several = config.get("application_ids") or []
    return tuple(dict.fromkeys([*([single] if single else []), *several]))


def _override_key(key: str, override: Mapping[str, Any]) -> str:
    """Return the key of an override; ids of blocks are compared with those of Pigment, which are in lower case."""
    return key.lower() if override.get("block_type") else key


def _stream_override(override: Mapping[str, Any]) -> StreamOverride:
    keys = override.get("key_columns")
    return StreamOverride(
        name=override.get("name"),
        headers=Headers(override["headers"]) if override.get("headers") else None,
        key_columns=None if keys is None else tuple(keys),
        types=override.get("types") or {},
        request=override.get("request") or {},
        slices=tuple(override.get("slices") or ()),
        block_type=override.get("block_type"),
    )

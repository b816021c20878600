"""`Settings`: defaults, conversions, and keys that are never shown."""

from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from tap_pigment.settings import (
    SETTINGS,
    ChangeDetection,
    Headers,
    OnStreamError,
    Settings,
    StoreAddress,
    StreamOverride,
)
from tests.unit.settings.configs import CONFIG, KEY

BATCH_CONFIG = {"encoding": {"format": "jsonl"}, "storage": {"root": "s3://bucket", "params": {"anon": True}}}


def test_settings_that_are_not_set_have_their_defaults() -> None:
    settings = Settings.from_config(CONFIG)

    assert settings == Settings(
        api_key=KEY,
        metadata_api_key=KEY,
        application_ids=("app-1",),
        api_url="https://pigment.app/api",
        block_types=frozenset({"DimensionList", "TransactionList", "Table"}),
        include=("*",),
        exclude=(),
        headers=Headers.TECHNICAL,
        infer_types=True,
        column_titles=False,
        stream_overrides={},
        metadata_streams=False,
        request_timeout_seconds=60,
        max_export_seconds=3600,
        max_retries=3,
        requests_per_window=500,
        quota_file="",
        parallel_exports=4,
        max_prefetch_mb=None,
        spool_dir=None,
        change_detection=ChangeDetection.NONE,
        snapshot_uri="",
        max_shrink_percent=50,
        on_stream_error=OnStreamError.CONTINUE,
        activates_versions=True,
        writes_files=False,
        stores=(),
    )
    assert not settings.applications_in_names


def test_settings_that_are_set_are_converted() -> None:
    settings = Settings.from_config(
        {
            "api_key": KEY,
            "metadata_api_key": "pgmt_Other",
            "application_id": "app-2",
            "application_ids": ["app-1", "app-2", "app-1"],
            "api_url": "http://localhost:1/api/",
            "block_types": ["View"],
            "include": ["Plan*"],
            "exclude": ["*old*"],
            "headers": "friendly",
            "infer_types": False,
            "column_titles": True,
            "metadata_streams": True,
            "request_timeout_seconds": 5,
            "max_export_seconds": 700,
            "max_retries": 0,
            "requests_per_window": 40,
            "quota_file": "/run/quota.db",
            "parallel_exports": 1,
            "max_prefetch_mb": 0,
            "spool_dir": "/tmp/spool",  # noqa: S108 - a path that is not opened.
            "change_detection": "row",
            "snapshot_uri": "s3://bucket/snapshots",
            "max_shrink_percent": 100,
            "on_stream_error": "stop",
            "emit_activate_version_messages": True,
        }
    )

    assert settings == Settings(
        api_key=KEY,
        metadata_api_key="pgmt_Other",
        application_ids=("app-2", "app-1"),
        api_url="http://localhost:1/api",
        block_types=frozenset({"View"}),
        include=("Plan*",),
        exclude=("*old*",),
        headers=Headers.FRIENDLY,
        infer_types=False,
        column_titles=True,
        stream_overrides={},
        metadata_streams=True,
        request_timeout_seconds=5,
        max_export_seconds=700,
        max_retries=0,
        requests_per_window=40,
        quota_file="/run/quota.db",
        parallel_exports=1,
        max_prefetch_mb=0,
        spool_dir=Path("/tmp/spool"),  # noqa: S108 - a path that is not opened.
        change_detection=ChangeDetection.ROW,
        snapshot_uri="s3://bucket/snapshots",
        max_shrink_percent=100,
        on_stream_error=OnStreamError.STOP,
        activates_versions=False,
        writes_files=False,
        stores=(StoreAddress("snapshot_uri", "s3://bucket/snapshots", {}, is_read=True),),
    )
    assert settings.applications_in_names


@pytest.mark.parametrize("setting", [name for name in SETTINGS["properties"] if name not in CONFIG])
def test_null_is_a_setting_that_is_not_set(setting: str) -> None:
    assert Settings.from_config({**CONFIG, setting: None}) == Settings.from_config(CONFIG)


@pytest.mark.parametrize("field", ["name", "headers", "key_columns", "types", "request", "slices", "block_type"])
def test_null_in_an_override_is_not_set_either(field: str) -> None:
    settings = Settings.from_config({**CONFIG, "stream_overrides": {"plan": {field: None}}})

    assert settings.stream_overrides == {"plan": StreamOverride()}


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ({}, StreamOverride()),
        (None, StreamOverride()),
        ({"name": "budget"}, StreamOverride(name="budget")),
        ({"headers": "friendly"}, StreamOverride(headers=Headers.FRIENDLY)),
        ({"key_columns": []}, StreamOverride(key_columns=())),
        ({"block_type": "View"}, StreamOverride(block_type="View")),
        ({"key_columns": ["b", "a"]}, StreamOverride(key_columns=("b", "a"))),
        ({"types": {"a": "date"}}, StreamOverride(types={"a": "date"})),
        ({"request": {"scenarios": ["s-1"]}}, StreamOverride(request={"scenarios": ["s-1"]})),
        ({"slices": [{"metrics": []}, {}]}, StreamOverride(slices=({"metrics": []}, {}))),
    ],
)
def test_an_override_is_read(override: dict[str, Any] | None, expected: StreamOverride) -> None:
    settings = Settings.from_config({**CONFIG, "stream_overrides": {"plan": override}})

    assert settings.stream_overrides == {"plan": expected}


def test_empty_key_columns_differ_from_none_set() -> None:
    settings = Settings.from_config({**CONFIG, "stream_overrides": {"a": {"key_columns": []}, "b": {}}})

    assert settings.stream_overrides["a"].key_columns == ()
    assert settings.stream_overrides["b"].key_columns is None


@pytest.mark.parametrize(
    ("config", "activates"),
    [
        ({}, True),
        ({"emit_activate_version_messages": False}, False),
        ({"change_detection": "stream"}, True),
        ({"change_detection": "row", "snapshot_uri": "/store", "emit_activate_version_messages": True}, False),
        ({"batch_config": BATCH_CONFIG, "emit_activate_version_messages": True}, False),
    ],
)
def test_versions_are_activated_only_where_all_rows_leave_as_records(
    config: dict[str, Any], *, activates: bool
) -> None:
    assert Settings.from_config({**CONFIG, **config}).activates_versions is activates


def test_stores_are_those_of_snapshots_and_files() -> None:
    settings = Settings.from_config({**CONFIG, "batch_config": BATCH_CONFIG, "snapshot_uri": "/unused"})

    assert settings.writes_files
    assert settings.stores == (StoreAddress("batch_config.storage.root", "s3://bucket", {"anon": True}, is_read=False),)


def test_a_connection_test_compares_no_rows() -> None:
    config = {**CONFIG, "change_detection": "row", "snapshot_uri": "/store"}

    settings = Settings.from_config(config).for_test_run()

    assert settings.change_detection is ChangeDetection.NONE


def test_settings_do_not_show_their_keys() -> None:
    settings = Settings.from_config({**CONFIG, "metadata_api_key": "pgmt_Other"})

    assert "pgmt_" not in repr(settings)
    assert "pgmt_" not in str(settings)
    assert "app-1" in repr(settings)


def test_settings_cannot_be_changed() -> None:
    settings = Settings.from_config(CONFIG)

    with pytest.raises(FrozenInstanceError):
        settings.max_retries = 9  # type: ignore[misc] # that is the point.


def test_every_application_comes_first_in_stream_names() -> None:
    settings = Settings.from_config({"api_key": KEY, "application_ids": ["*"]})

    assert settings.takes_all_applications
    assert settings.applications_in_names
    assert not Settings.from_config(CONFIG).takes_all_applications


def test_the_id_of_a_block_is_in_lower_case() -> None:
    settings = Settings.from_config({**CONFIG, "stream_overrides": {"0A": {"block_type": "View"}, "Plan": {}}})

    assert list(settings.stream_overrides) == ["0a", "Plan"]

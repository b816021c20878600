"""The JSON schema of the settings: what it refuses, and what it says of each setting."""

from typing import Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_pigment.settings import SETTINGS
from tap_pigment.tap import TapPigment
from tests.unit.settings.configs import APPLICATION_MISSING, CONFIG, KEY

PROPERTIES = SETTINGS["properties"]


def errors(**config: Any) -> list[str]:  # noqa: ANN401 - anything that a user may set, wrong types too.
    """Return what the tap reports about a config.

    `application_id` is left out, so that the tap stops before it sends a request: that one error always occurs, and is
    removed here.
    """
    with pytest.raises(ConfigValidationError) as caught:
        TapPigment(config={"api_key": KEY, **config}, parse_env_config=False)
    found = list(caught.value.errors)
    found.remove(APPLICATION_MISSING)
    return found


@pytest.mark.parametrize("config", [{}, {"api_key": ""}, {"api_key": None}, {"api_key": 1}])
def test_a_missing_api_key_is_named(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigValidationError) as caught:
        TapPigment(config={"application_id": "app-1", **config}, parse_env_config=False)

    assert len(caught.value.errors) == 1
    assert "api_key" in caught.value.errors[0]


@pytest.mark.parametrize(
    ("config", "parts"),
    [
        ({"aplication_id": "x"}, ["'aplication_id' was unexpected"]),
        ({"max_retries": -1}, ["-1", "max_retries"]),
        ({"max_retries": "3"}, ["'3'", "max_retries"]),
        ({"requests_per_window": 0}, ["0", "requests_per_window"]),
        ({"request_timeout_seconds": 0}, ["0", "request_timeout_seconds"]),
        (
            {"request_timeout_seconds": 86_401},
            ["86401 is greater than the maximum of 86400", "request_timeout_seconds"],
        ),
        ({"max_export_seconds": 10**30}, ["is greater than the maximum of 86400", "max_export_seconds"]),
        (
            {"batch_config": {"encoding": {"format": "jsonl"}, "storage": {"root": "x"}, "batch_size": 2**31}},
            ["2147483648 is greater than the maximum of 2147483647", "batch_config.batch_size"],
        ),
        ({"parallel_exports": 0}, ["0", "parallel_exports"]),
        ({"parallel_exports": 65}, ["65", "parallel_exports"]),
        ({"max_shrink_percent": 101}, ["101", "max_shrink_percent"]),
        ({"block_types": ["Lists"]}, ["'Lists'", "'DimensionList'", "block_types"]),
        ({"headers": "pretty"}, ["'pretty' is not one of ['technical', 'friendly'", "headers"]),
        ({"change_detection": "rows"}, ["'rows' is not one of ['none', 'stream', 'row'", "change_detection"]),
        ({"on_stream_error": "skip"}, ["'skip' is not one of ['continue', 'stop'", "on_stream_error"]),
        ({"infer_types": "yes"}, ["'yes'", "infer_types"]),
        ({"spool_dir": ""}, ["spool_dir"]),
        ({"stream_overrides": {"plan": {"keys": ["a"]}}}, ["'keys' was unexpected", "stream_overrides"]),
        ({"stream_overrides": {"plan": {"types": {"a": "float"}}}}, ["'float'", "'number'", "types"]),
        ({"stream_overrides": {"plan": {"name": "a.b"}}}, ["'a.b'", "name"]),
        ({"stream_overrides": {"plan": {"name": "x" * 64}}}, ["too long", "name"]),
        ({"stream_overrides": {"plan": {"key_columns": [None]}}}, ["null", "key_columns"]),
        ({"stream_overrides": {"plan": {"slices": [None]}}}, ["null", "slices"]),
        ({"stream_overrides": {"plan": {"slices": {}}}}, ["{}", "slices"]),
        ({"stream_overrides": ["plan"]}, ["stream_overrides"]),
    ],
)
def test_a_value_outside_the_schema_is_refused_and_named(config: dict[str, Any], parts: list[str]) -> None:
    (error,) = errors(**config)

    for part in parts:
        assert part in error


def test_errors_of_the_schema_and_of_the_rules_are_reported_together() -> None:
    found = errors(api_url="http://pigment.app", max_retries=-1, metadata_api_key=" x", nonsense=1)

    assert len(found) == 4


@pytest.mark.parametrize("setting", [name for name in PROPERTIES if name not in CONFIG])
def test_the_schema_accepts_null_for_a_setting_that_is_not_set(setting: str) -> None:
    assert errors(**{setting: None}) == []


@pytest.mark.parametrize("field", ["name", "key_columns", "types", "request", "slices"])
def test_the_schema_accepts_null_in_an_override(field: str) -> None:
    assert errors(stream_overrides={"plan": {field: None}}) == []


@pytest.mark.parametrize(
    "override",
    [
        {},
        {"name": "budget"},
        {"key_columns": []},
        {"key_columns": ["b", "a"]},
        {"types": {"a": "date"}},
        {"request": {"scenarios": ["0a000000-0000-4000-8000-000000000001"]}},
        {"request": {}, "slices": [{"metrics": []}, {}]},
    ],
)
def test_the_schema_accepts_an_override(override: dict[str, Any]) -> None:
    assert errors(stream_overrides={"plan": override}) == []


def test_every_default_is_valid() -> None:
    defaults = {name: schema["default"] for name, schema in PROPERTIES.items() if "default" in schema}

    assert errors(**defaults) == []


@pytest.mark.parametrize("setting", PROPERTIES)
def test_every_setting_has_a_title_and_a_description(setting: str) -> None:
    schema = PROPERTIES[setting]

    assert schema["title"]
    assert schema["description"].endswith(".")


def test_only_the_api_keys_are_secret() -> None:
    secrets = {name for name, schema in PROPERTIES.items() if schema.get("secret")}

    assert secrets == {"api_key", "metadata_api_key"}


def test_a_tap_does_not_change_the_schema() -> None:
    before = set(PROPERTIES)

    errors()

    assert set(PROPERTIES) == before

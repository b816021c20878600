"""The settings: what is refused and how it is said, and what the rest of the tap is given."""

from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_pigment.schema import SETTINGS, ChangeDetection, Headers, OnStreamError
from tap_pigment.settings import Settings, StreamOverride, problems
from tap_pigment.tap import TapPigment

KEY = "pgmt_Abc123DEF456"
CONFIG = {"api_key": KEY, "application_id": "app-1"}
PROPERTIES = SETTINGS["properties"]
APPLICATION_MISSING = (
    "'application_id' is a required property: set it (or 'application_ids') to the id of the Pigment application to "
    "extract from."
)


def errors(**config: Any) -> list[str]:  # noqa: ANN401 - anything that a user may set, wrong types too.
    """Return what the tap finds wrong with a config.

    `application_id` is left out, so that the tap stops before it asks Pigment for anything: that one error always
    comes, and is taken off here.
    """
    with pytest.raises(ConfigValidationError) as caught:
        TapPigment(config={"api_key": KEY, **config}, parse_env_config=False)
    found = list(caught.value.errors)
    found.remove(APPLICATION_MISSING)
    return found


@pytest.mark.parametrize(
    "config", [{}, {"application_id": None}, {"application_ids": []}, {"application_id": None, "application_ids": None}]
)
def test_a_missing_application_is_named(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigValidationError) as caught:
        TapPigment(config={"api_key": KEY, **config}, parse_env_config=False)

    assert caught.value.errors == [APPLICATION_MISSING]


@pytest.mark.parametrize("config", [CONFIG, {"api_key": KEY, "application_ids": ["app-1", "app-2"]}])
def test_a_key_and_an_application_are_enough(config: dict[str, Any]) -> None:
    assert problems(config) == []


@pytest.mark.parametrize("config", [{}, {"api_key": ""}, {"api_key": None}, {"api_key": 1}])
def test_a_missing_api_key_is_named(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigValidationError) as caught:
        TapPigment(config={"application_id": "app-1", **config}, parse_env_config=False)

    assert len(caught.value.errors) == 1
    assert "api_key" in caught.value.errors[0]


@pytest.mark.parametrize("setting", ["api_key", "metadata_api_key"])
@pytest.mark.parametrize("key", [" pgmt_Abc", "pgmt_Abc\n", "pgmt_Äbc", "pgmt_\tAbc", "pgmt_\x00"])
def test_a_key_that_was_copied_badly_is_refused_and_not_shown(setting: str, key: str) -> None:
    (error,) = errors(**{setting: key})

    assert error == f"{setting}: it holds spaces, line breaks or characters that no key has. Copy it once more."


@pytest.mark.parametrize(
    "url",
    [
        "https://pigment.app/api",
        "https://eu.pigment.app:8443/",
        "http://localhost:8080/api",
        "http://LOCALHOST",
        "http://127.0.0.1:1/api",
        "http://127.8.9.10",
        "http://[::1]:8080/api",
    ],
)
def test_https_is_accepted_and_http_to_this_machine(url: str) -> None:
    assert errors(api_url=url) == []


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://pigment.app/api", "pigment.app"),
        ("HTTP://Pigment.app/api", "pigment.app"),
        ("http://localhost.example/api", "localhost.example"),
        ("http://127.0.0.1.example/api", "127.0.0.1.example"),
        ("http://10.0.0.1/api", "10.0.0.1"),
        ("http://0.0.0.0/api", "0.0.0.0"),  # noqa: S104 - an address that is refused.
        ("http://[2001:db8::1]/api", "2001:db8::1"),
    ],
)
def test_a_key_never_travels_in_clear(url: str, host: str) -> None:
    assert errors(api_url=url) == [f"api_url: plain http to {host} would send the API key in clear. Use https."]


@pytest.mark.parametrize("url", ["", "pigment.app/api", "ftp://pigment.app", "https://", "https:///api", "file:///etc"])
def test_what_is_no_address_is_refused(url: str) -> None:
    assert errors(api_url=url) == ["api_url: not a URL of the form https://pigment.app/api."]


@pytest.mark.parametrize("url", ["http://[::1/api", "https://pigment.app:99999/api", "https://pigment.app:x/api"])
def test_a_broken_address_is_refused(url: str) -> None:
    (error,) = errors(api_url=url)

    assert error.startswith("api_url: not a URL")


@pytest.mark.parametrize(
    "url",
    [
        "https://user:secret@pigment.app/api",
        "http://127.0.0.1@pigment.app/api",
        "https://pigment.app/api?key=1",
        "https://pigment.app/api#x",
    ],
)
def test_an_address_holds_nothing_but_an_address(url: str) -> None:
    assert errors(api_url=url) == ["api_url: only scheme, host, port and path belong here."]


@pytest.mark.parametrize(
    ("config", "parts"),
    [
        ({"aplication_id": "x"}, ["'aplication_id' was unexpected"]),
        ({"max_retries": -1}, ["-1", "max_retries"]),
        ({"max_retries": "3"}, ["'3'", "max_retries"]),
        ({"requests_per_window": 0}, ["0", "requests_per_window"]),
        ({"request_timeout_seconds": 0}, ["0", "request_timeout_seconds"]),
        ({"parallel_exports": 0}, ["0", "parallel_exports"]),
        ({"parallel_exports": 65}, ["65", "parallel_exports"]),
        ({"block_types": ["Lists"]}, ["'Lists'", "'DimensionList'", "block_types"]),
        ({"headers": "pretty"}, ["'pretty' is not one of ['technical', 'friendly'", "headers"]),
        ({"infer_types": "yes"}, ["'yes'", "infer_types"]),
        ({"spool_dir": ""}, ["spool_dir"]),
        ({"stream_overrides": {"plan": {"keys": ["a"]}}}, ["'keys' was unexpected", "stream_overrides"]),
        ({"stream_overrides": {"plan": {"types": {"a": "float"}}}}, ["'float'", "'number'", "types"]),
        ({"stream_overrides": {"plan": {"name": "a.b"}}}, ["'a.b'", "name"]),
        ({"stream_overrides": {"plan": {"name": "x" * 64}}}, ["too long", "name"]),
        ({"stream_overrides": {"plan": {"key_columns": [None]}}}, ["None", "key_columns"]),
        ({"stream_overrides": ["plan"]}, ["stream_overrides"]),
    ],
)
def test_what_a_setting_cannot_be_is_said(config: dict[str, Any], parts: list[str]) -> None:
    (error,) = errors(**config)

    for part in parts:
        assert part in error


def test_everything_that_is_wrong_is_said_at_once() -> None:
    found = errors(api_url="http://pigment.app", max_retries=-1, metadata_api_key=" x", nonsense=1)

    assert len(found) == 4


@pytest.mark.parametrize("setting", [name for name in PROPERTIES if name not in CONFIG])
def test_null_is_a_setting_that_is_not_set(setting: str) -> None:
    assert errors(**{setting: None}) == []
    assert Settings.from_config({**CONFIG, setting: None}) == Settings.from_config(CONFIG)


@pytest.mark.parametrize("field", ["name", "key_columns", "types", "request"])
def test_null_in_an_override_is_not_set_either(field: str) -> None:
    override = {"plan": {field: None}}

    assert errors(stream_overrides=override) == []
    settings = Settings.from_config({**CONFIG, "stream_overrides": override})
    assert settings.stream_overrides == {"plan": StreamOverride()}


@pytest.mark.parametrize("setting", PROPERTIES)
def test_every_setting_is_explained(setting: str) -> None:
    schema = PROPERTIES[setting]

    assert schema["title"]
    assert schema["description"].endswith(".")


def test_the_keys_and_nothing_else_are_secret() -> None:
    secrets = {name for name, schema in PROPERTIES.items() if schema.get("secret")}

    assert secrets == {"api_key", "metadata_api_key"}


def test_a_default_passes_its_own_schema() -> None:
    defaults = {name: schema["default"] for name, schema in PROPERTIES.items() if "default" in schema}

    assert errors(**defaults) == []


def test_the_settings_that_users_need_not_set() -> None:
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
        stream_overrides={},
        request_timeout_seconds=60,
        max_retries=3,
        requests_per_window=500,
        parallel_exports=4,
        spool_dir=None,
        change_detection=ChangeDetection.NONE,
        snapshot_uri="",
        max_shrink_percent=50,
        on_stream_error=OnStreamError.CONTINUE,
        emit_activate_version_messages=False,
    )
    assert not settings.friendly_headers
    assert not settings.applications_in_names


def test_the_settings_that_users_set() -> None:
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
            "request_timeout_seconds": 5,
            "max_retries": 0,
            "requests_per_window": 40,
            "parallel_exports": 1,
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
        stream_overrides={},
        request_timeout_seconds=5,
        max_retries=0,
        requests_per_window=40,
        parallel_exports=1,
        spool_dir=Path("/tmp/spool"),  # noqa: S108 - a path that is not opened.
        change_detection=ChangeDetection.ROW,
        snapshot_uri="s3://bucket/snapshots",
        max_shrink_percent=100,
        on_stream_error=OnStreamError.STOP,
        emit_activate_version_messages=True,
    )
    assert settings.friendly_headers
    assert settings.applications_in_names


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ({}, StreamOverride()),
        ({"name": "budget"}, StreamOverride(name="budget")),
        ({"key_columns": []}, StreamOverride(key_columns=())),
        ({"key_columns": ["b", "a"]}, StreamOverride(key_columns=("b", "a"))),
        ({"types": {"a": "date"}}, StreamOverride(types={"a": "date"})),
        ({"request": {"scenarios": ["s-1"]}}, StreamOverride(request={"scenarios": ["s-1"]})),
    ],
)
def test_an_override_is_read(override: dict[str, Any], expected: StreamOverride) -> None:
    assert errors(stream_overrides={"plan": override}) == []
    assert Settings.from_config({**CONFIG, "stream_overrides": {"plan": override}}).stream_overrides == {
        "plan": expected
    }


def test_no_key_key_columns_differ_from_none_set() -> None:
    settings = Settings.from_config({**CONFIG, "stream_overrides": {"a": {"key_columns": []}, "b": {}}})

    assert settings.stream_overrides["a"].key_columns == ()
    assert settings.stream_overrides["b"].key_columns is None


def test_settings_do_not_show_their_keys() -> None:
    settings = Settings.from_config({**CONFIG, "metadata_api_key": "pgmt_Other"})

    assert "pgmt_" not in repr(settings)
    assert "pgmt_" not in str(settings)
    assert "app-1" in repr(settings)


def test_settings_do_not_change() -> None:
    settings = Settings.from_config(CONFIG)

    with pytest.raises(FrozenInstanceError):
        settings.max_retries = 9  # type: ignore[misc] # that is the point.


def test_two_taps_do_not_share_their_schema() -> None:
    before = set(PROPERTIES)

    errors()

    assert set(PROPERTIES) == before


@pytest.mark.parametrize(
    ("stream_map", "names"),
    [
        ({"Size": "Size and Size * 2", "Name": None}, []),
        ({"__alias__": "lands", "_sdc_deleted_at": "_sdc_deleted_at"}, []),
        ({"Code": "Code", "_sdc_deleted_at": "_sdc_deleted_at", "__else__": None}, []),
        ({"__filter__": "Size > 2"}, ["__filter__"]),
        ({"__key_properties__": ["Name"]}, ["__key_properties__"]),
        ({"_sdc_deleted_at": None}, ["_sdc_deleted_at"]),
        ({"_sdc_deleted_at": "'never'", "__filter__": "Size"}, ["__filter__", "_sdc_deleted_at"]),
        ({"Code": "Code", "__else__": None}, ["__else__"]),
        (None, []),
    ],
)
def test_a_map_that_hides_what_is_gone_is_refused_where_deletions_are_told(
    stream_map: dict[str, Any] | None, names: list[str]
) -> None:
    config = {**CONFIG, "snapshot_uri": "/snapshots", "stream_maps": {"countries": stream_map}}

    found = problems({**config, "change_detection": "row"})

    assert [problem.split(":")[0] for problem in found] == [f"stream_maps.countries.{name}" for name in names]
    assert problems({**config, "change_detection": "stream"}) == []

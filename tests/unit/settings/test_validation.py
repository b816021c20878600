"""The rules for settings that a JSON schema cannot express."""

from typing import Any

import pytest

from tap_pigment.settings import config_errors, is_loopback, readable_schema_error, settings_without_effect
from tests.unit.settings.configs import APPLICATION_MISSING, CONFIG, KEY

BLOCK_ID = "0a000000-0000-4000-8000-00000000000a"


@pytest.mark.parametrize(
    "config", [{}, {"application_id": None}, {"application_ids": []}, {"application_id": None, "application_ids": None}]
)
def test_a_missing_application_is_named(config: dict[str, Any]) -> None:
    assert config_errors({"api_key": KEY, **config}) == [APPLICATION_MISSING]


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        {"api_key": KEY, "application_ids": ["app-1", "app-2"]},
        {"api_key": KEY, "application_ids": ["*"]},
        {"api_key": KEY, "stream_overrides": {BLOCK_ID: {"block_type": "View"}}},
        {"api_key": KEY, "stream_overrides": {BLOCK_ID.upper(): {"block_type": "View"}, "plan": {}}},
    ],
)
def test_a_key_and_an_application_or_a_block_are_enough(config: dict[str, Any]) -> None:
    assert config_errors(config) == []


@pytest.mark.parametrize(
    "overrides", [None, [], {}, {BLOCK_ID: None}, {BLOCK_ID: "View"}, {BLOCK_ID: {"block_type": None}}]
)
def test_overrides_without_a_block_type_need_an_application(overrides: object) -> None:
    assert config_errors({"api_key": KEY, "stream_overrides": overrides}) == [APPLICATION_MISSING]


@pytest.mark.parametrize("key", ["plan", BLOCK_ID[1:], f"{BLOCK_ID}\n", f"{{{BLOCK_ID}}}"])
def test_a_block_type_needs_the_id_of_a_block(key: str) -> None:
    assert config_errors({**CONFIG, "stream_overrides": {key: {"block_type": "View"}}}) == [
        (
            f"stream_overrides.{key}: it has a block_type, so its key must be the id of a block, and {key} is not a "
            "UUID. Set it to the id, or remove block_type."
        )
    ]


@pytest.mark.parametrize(
    "config", [{"application_ids": ["*", "app-1"]}, {"application_ids": ["*"], "application_id": "app-1"}]
)
def test_every_application_excludes_single_ones(config: dict[str, Any]) -> None:
    assert config_errors({"api_key": KEY, **config}) == [
        (
            'application_ids: "*" already means every application that the key sees. Remove the other ids, and '
            "application_id."
        )
    ]


def test_a_star_is_not_the_id_of_an_application() -> None:
    assert config_errors({"api_key": KEY, "application_id": "*"}) == [
        'application_id: "*" is not an id. For every application, set application_ids to ["*"] instead.'
    ]


@pytest.mark.parametrize("config", [{"application_id": KEY}, {"application_ids": ["app-1", KEY]}])
def test_an_api_key_in_place_of_an_application_is_not_shown(config: dict[str, Any]) -> None:
    (setting,) = config

    assert config_errors({"api_key": KEY, **config}) == [
        f"{setting}: it holds an API key. Set it to the id in the address of Pigment's screens."
    ]


def test_metadata_streams_need_an_application() -> None:
    by_id = {"f5a8c1de-0000-4000-8000-000000000001": {"block_type": "Table"}}
    config = {"api_key": KEY, "stream_overrides": by_id, "metadata_streams": True}

    [error] = config_errors(config)
    assert error.startswith("metadata_streams: no application is set, so there is nothing to list.")
    assert config_errors({**config, "application_id": "app-1"}) == []


@pytest.mark.parametrize("setting", ["api_key", "metadata_api_key"])
@pytest.mark.parametrize("key", [" pgmt_Abc", "pgmt_Abc\n", "pgmt_Äbc", "pgmt_\tAbc", "pgmt_\x00"])
def test_a_key_with_characters_of_no_key_is_refused_and_not_shown(setting: str, key: str) -> None:
    assert config_errors({**CONFIG, setting: key}) == [
        f"{setting}: it holds spaces, line breaks or characters that no API key has. Copy it again."
    ]


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
def test_https_is_accepted_and_http_to_a_loopback_address(url: str) -> None:
    assert config_errors({**CONFIG, "api_url": url}) == []


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
def test_plain_http_to_another_host_is_refused(url: str, host: str) -> None:
    assert config_errors({**CONFIG, "api_url": url}) == [
        f"api_url: plain http to {host} would send the API key unencrypted. Use https."
    ]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "pigment.app/api",
        "ftp://pigment.app",
        "https://",
        "https:///api",
        "file:///etc",
        "https://pig ment.app/api",
        " https://a.b",
    ],
)
def test_an_address_of_another_form_is_refused(url: str) -> None:
    assert config_errors({**CONFIG, "api_url": url}) == ["api_url: not a URL of the form https://pigment.app/api."]


@pytest.mark.parametrize("url", ["http://[::1/api", "https://pigment.app:99999/api", "https://pigment.app:x/api"])
def test_an_address_that_cannot_be_parsed_is_refused(url: str) -> None:
    (error,) = config_errors({**CONFIG, "api_url": url})

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
def test_an_address_with_user_query_or_fragment_is_refused(url: str) -> None:
    assert config_errors({**CONFIG, "api_url": url}) == ["api_url: only scheme, host, port and path are allowed."]


BATCH = {"encoding": {"format": "jsonl"}, "storage": {"root": "/batches"}}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"snapshot_uri": "/s"}, ["snapshot_uri has no effect with change_detection: none"], id="store"),
        pytest.param(
            {"snapshot_uri": "/s", "change_detection": "stream"},
            ["snapshot_uri has no effect with change_detection: stream"],
            id="store and stream",
        ),
        pytest.param({"snapshot_uri": "/s", "change_detection": "row"}, [], id="store and row"),
        pytest.param(
            {"emit_activate_version_messages": False, "batch_config": BATCH},
            ["emit_activate_version_messages has no effect with batch_config"],
            id="ACTIVATE_VERSION and BATCH",
        ),
        pytest.param(
            {"emit_activate_version_messages": True, "snapshot_uri": "/s", "change_detection": "row"},
            ["emit_activate_version_messages has no effect with change_detection: row"],
            id="ACTIVATE_VERSION and row",
        ),
        pytest.param({"emit_activate_version_messages": True}, [], id="ACTIVATE_VERSION"),
        pytest.param(
            {"headers": "friendly", "column_titles": True},
            ["column_titles has no effect with headers: friendly"],
            id="titles of display names",
        ),
        pytest.param(
            {"headers": "friendly", "column_titles": True, "stream_overrides": {"a": {"headers": "friendly"}}},
            ["column_titles has no effect with headers: friendly"],
            id="titles of display names in an override",
        ),
        pytest.param(
            {"headers": "friendly", "column_titles": True, "stream_overrides": {"a": {"headers": "technical"}}},
            [],
            id="titles of one stream",
        ),
        pytest.param({"headers": "friendly", "column_titles": False}, [], id="no titles"),
        pytest.param({"column_titles": True, "stream_overrides": {"a": None}}, [], id="titles of technical names"),
        pytest.param(
            {"stream_map_config": {"seed": 1}, "faker_config": {"seed": 1}},
            ["stream_map_config has no effect without stream_maps", "faker_config has no effect without stream_maps"],
            id="maps are missing",
        ),
        pytest.param({"stream_map_config": {"seed": 1}, "stream_maps": {"a": {"b": "c"}}}, [], id="maps"),
        pytest.param(
            {"flattening_enabled": False, "flattening_max_depth": 2, "flattening_separator": "."},
            [
                "flattening_max_depth has no effect without flattening_enabled",
                "flattening_separator has no effect without flattening_enabled",
            ],
            id="no flattening",
        ),
        pytest.param({"flattening_enabled": True, "flattening_max_key_length": 9}, [], id="flattening"),
    ],
)
def test_settings_without_effect_are_named(config: dict[str, Any], expected: list[str]) -> None:
    assert settings_without_effect({**CONFIG, **config}) == expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param({"batch_config": {}, "stream_maps": {"a": {}}}, [], id="an empty batch_config"),
        pytest.param(
            {"batch_config": {"encoding": {}, "storage": {"prefix": "x"}}},
            ["'format' is a required property: set it in batch_config.encoding", "'root' is a required property"],
            id="BATCH without format and root",
        ),
        pytest.param(
            {"batch_config": {"encoding": {"format": "jsonl"}}, "stream_maps": {"a": {}}},
            ["batch_config: stream maps change single records"],
            id="BATCH and stream maps",
        ),
        pytest.param(
            {"change_detection": "row"},
            ["snapshot_uri: change_detection: row compares rows with a snapshot of the last run"],
            id="row without a store",
        ),
        pytest.param({"change_detection": "stream"}, [], id="stream without a store"),
        pytest.param(
            {"flattening_enabled": True, "flattening_max_depth": 1, "flattening_max_key_length": 63},
            ["flattening_max_key_length: 63 would rename columns in SCHEMA and records, and not in keys and files."],
            id="flattening that renames columns",
        ),
        pytest.param({"flattening_enabled": True, "flattening_max_key_length": 64}, [], id="flattening of long names"),
        pytest.param({"flattening_enabled": False, "flattening_max_key_length": 9}, [], id="no flattening"),
        pytest.param(
            {"change_detection": "row", "snapshot_uri": "/store", "batch_config": {"encoding": {"format": "jsonl"}}},
            ["batch_config: change_detection: row emits changed and deleted rows as records"],
            id="row and BATCH",
        ),
        pytest.param(
            {"emit_activate_version_messages": True, "batch_config": {"encoding": {"format": "jsonl"}}},
            [],
            id="BATCH and ACTIVATE_VERSION",
        ),
        pytest.param(
            {
                "change_detection": "row",
                "batch_config": {"encoding": {"format": "jsonl"}},
                "stream_maps": {"a": {"__filter__": "x"}},
            },
            [
                "batch_config: stream maps",
                "snapshot_uri: ",
                "batch_config: change_detection: row",
                "stream_maps.a.__filter__: ",
            ],
            id="several at once",
        ),
    ],
)
def test_settings_that_exclude_each_other_are_refused(config: dict[str, Any], expected: list[str]) -> None:
    found = config_errors({**CONFIG, **config})

    assert len(found) == len(expected)
    for error, start in zip(found, expected, strict=True):
        assert error.startswith(start)


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
def test_a_map_that_hides_deleted_rows_is_refused_with_row(stream_map: dict[str, Any] | None, names: list[str]) -> None:
    config = {**CONFIG, "snapshot_uri": "/snapshots", "stream_maps": {"countries": stream_map}}

    found = config_errors({**config, "change_detection": "row"})

    assert [error.split(":")[0] for error in found] == [f"stream_maps.countries.{name}" for name in names]
    assert config_errors({**config, "change_detection": "stream"}) == []


@pytest.mark.parametrize(
    "wrong",
    [{"application_id": [1]}, {"application_ids": 5}, {"application_ids": [[1]]}, {"stream_maps": "x"}],
    ids=str,
)
def test_settings_of_a_wrong_type_are_left_to_the_schema(wrong: dict[str, Any]) -> None:
    config = {**CONFIG, "change_detection": "row", "snapshot_uri": "/snapshots", **wrong}

    assert config_errors(config) == []


def test_a_map_of_metadata_may_hide_rows_with_row() -> None:
    maps = {"stream_maps": {"pigment_blocks": {"__filter__": "is_extracted"}}}
    config = {**CONFIG, **maps, "change_detection": "row", "snapshot_uri": "/snapshots"}

    assert config_errors({**config, "metadata_streams": True}) == []
    assert len(config_errors(config)) == 1  # It may be the stream of a block.


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("10.0.0.1", False), ("pigment.app", False), ("", False)],
)
def test_a_loopback_address_is_recognised(host: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table.
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            "Additional properties are not allowed ('change_detections' was unexpected)",
            "change_detections: unknown setting ('change_detections' was unexpected). Did you mean change_detection?",
        ),
        (
            "Additional properties are not allowed ('foo', 'bar' were unexpected)",
            "foo: unknown setting ('foo' was unexpected). bar: unknown setting ('bar' was unexpected).",
        ),
        (
            "Additional properties are not allowed ('nam' was unexpected) in config['stream_overrides']['a']",
            "stream_overrides.a.nam: unknown setting ('nam' was unexpected). Did you mean name?",
        ),
        (
            "'rows' is not one of ['none', 'stream', 'row'] in config['change_detection']",
            "change_detection: 'rows' is not one of ['none', 'stream', 'row']",
        ),
        (
            "'geo' is not one of ['text', 'date'] in config['stream_overrides']['a']['types']['b']",
            "stream_overrides.a.types.b: 'geo' is not one of ['text', 'date']",
        ),
        ("'x' is not of type 'integer', 'null' in config['max_retries']", "max_retries: 'x' is not of type 'integer'"),
        ("7 is not of type 'string' in config['include'][0]", "include.0: 7 is not of type 'string'"),
        (
            "Decimal('3.5') is not of type 'integer' in config['max_retries']",
            "max_retries: 3.5 is not of type 'integer'",
        ),
        (
            "None is not of type 'object' in config['stream_overrides']['a']",
            "stream_overrides.a: null is not of type 'object'",
        ),
        (
            "{'a': True, 'b': [None, \"None isn't Decimal('1')\"]} is not of type 'string' in config['headers']",
            "headers: {'a': true, 'b': [null, \"None isn't Decimal('1')\"]} is not of type 'string'",
        ),
        ("'api_key' is a required property", "'api_key' is a required property: set it."),
        (
            "'root' is a required property in config['batch_config']['storage']",
            "'root' is a required property: set it in batch_config.storage.",
        ),
        ("something else", "something else"),
    ],
)
def test_an_error_of_the_schema_begins_with_its_setting(error: str, message: str) -> None:
    assert readable_schema_error(error) == message


@pytest.mark.parametrize(
    ("setting", "config"),
    [
        ("application_id", {"application_id": "app\0"}),
        ("application_ids", {"application_ids": ["app-1", "app\n2"]}),
        ("api_url", {"api_url": "https://pigment.app/\x7fapi"}),
        ("spool_dir", {"spool_dir": "spool\0"}),
        ("snapshot_uri", {"snapshot_uri": "s3://bucket/\ud800"}),
        ("batch_config.storage.root", {"batch_config": {"storage": {"root": "file:///x\0"}}}),
        ("batch_config.storage.prefix", {"batch_config": {"storage": {"root": "file:///x", "prefix": "\r"}}}),
    ],
)
def test_a_control_character_in_an_address_or_a_path_is_an_error(setting: str, config: dict[str, Any]) -> None:
    assert f"{setting}: it holds a control character, such as a line end or NUL. Remove it." in config_errors(
        {**CONFIG, **config}
    )

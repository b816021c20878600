"""Environment variables: settings, unknown variables, the log level and the file of TLS keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.errors import SettingsError
from tap_pigment.settings import (
    SETTINGS,
    check_key_log,
    read_variables,
    unknown_variables_warning,
    use_known_log_level,
)

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "TAP_PIGMENT_"
PROPERTIES: dict[str, Any] = SETTINGS["properties"]


def read(**variables: str) -> tuple[dict[str, Any], list[str]]:
    """Read variables, named without their prefix."""
    return read_variables({f"{PREFIX}{name}": text for name, text in variables.items()}, PREFIX, PROPERTIES)


def warning(*names: str, **others: str) -> str | None:
    """Return the warning about variables."""
    return unknown_variables_warning(dict.fromkeys(names, "x") | others, PREFIX, PROPERTIES)


# Settings


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        *(("INFER_TYPES", text, True) for text in ("true", "TRUE", "1", "yes", "Yes", "on", " on ")),
        *(("INFER_TYPES", text, False) for text in ("false", "False", "0", "no", "off", "OFF")),
        ("MAX_RETRIES", "3", 3),
        ("MAX_RETRIES", " 0 ", 0),
        ("MAX_RETRIES", "-1", -1),
        ("INCLUDE", '["a,b", "c"]', ["a,b", "c"]),
        ("INCLUDE", " []", []),
        ("INCLUDE", "countries", ["countries"]),
        ("INCLUDE", "countries, months", ["countries", "months"]),
        ("STREAM_OVERRIDES", '{"gl": {"key_columns": []}}', {"gl": {"key_columns": []}}),
        ("HEADERS", "friendly", "friendly"),
        ("API_KEY", "true", "true"),
        ("APPLICATION_ID", "007", "007"),
    ],
)
def test_a_variable_is_read_by_the_type_of_its_setting(name: str, text: str, value: object) -> None:
    assert read(**{name: text}) == ({name.lower(): value}, [])


@pytest.mark.parametrize("name", ["API_KEY", "INFER_TYPES", "MAX_RETRIES", "INCLUDE", "STREAM_OVERRIDES", "HEADERS"])
def test_an_empty_variable_is_not_set(name: str) -> None:
    assert read(**{name: ""}) == ({}, [])


def test_a_huge_number_is_left_to_the_limit_of_its_setting() -> None:
    assert read(MAX_RETRIES="1" + "0" * 30) == ({"max_retries": 10**30}, [])


def test_other_variables_are_not_read() -> None:
    assert read_variables({"API_KEY": "x", "tap_pigment_api_key": "y"}, PREFIX, PROPERTIES) == ({}, [])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("INFER_TYPES", "banana", "it is not a boolean. Set it to true or false, 1 or 0, yes or no, on or off."),
        ("INFER_TYPES", "2", "it is not a boolean. Set it to true or false, 1 or 0, yes or no, on or off."),
        *(
            ("MAX_RETRIES", text, "it is not a whole number. Set it to digits only, such as 3.")
            for text in ("three", "3.0", "1_000", "³", "--1", "9" * 5000)
        ),
        (
            "INCLUDE",
            "[countries",
            'it is not JSON: Expecting value: line 1 column 2 (char 1). Write a list as JSON, such as ["a", "b"].',
        ),
        ("STREAM_OVERRIDES", "[]", 'it is not an object. Write an object as JSON, such as {"name": "value"}.'),
        (
            "STREAM_OVERRIDES",
            '{"gl": NaN}',
            'it is not JSON: NaN is not a number. Write an object as JSON, such as {"name": "value"}.',
        ),
    ],
)
def test_a_variable_that_cannot_be_read_is_named(name: str, text: str, message: str) -> None:
    assert read(**{name: text}) == ({}, [f"TAP_PIGMENT_{name}: {message}"])


def test_every_variable_that_cannot_be_read_is_reported_without_its_value() -> None:
    secret = "hunter2"  # noqa: S105 - a value in the place of another.

    config, errors = read(
        INFER_TYPES=secret,
        MAX_RETRIES=secret,
        STREAM_OVERRIDES=f'{{"{secret}"',
        INCLUDE=f"[{secret}",
        HEADERS="friendly",
    )

    assert config == {"headers": "friendly"}
    assert len(errors) == 4
    assert secret not in "".join(errors)


# Unknown variables


def test_an_unknown_variable_is_named_with_the_nearest_setting() -> None:
    assert warning("TAP_PIGMENT_INCLUDES", "TAP_PIGMENT_ZZZ", "TAP_PIGMENT_INCLUDE", "PATH") == (
        "Environment variables without a setting have no effect: TAP_PIGMENT_INCLUDES (did you mean "
        "TAP_PIGMENT_INCLUDE?), TAP_PIGMENT_ZZZ. Correct or remove them."
    )


@pytest.mark.parametrize(
    "name",
    [
        "TAP_PIGMENT_LOGLEVEL",
        "TAP_PIGMENT__SELECT",
        "TAP_PIGMENT__METADATA___X",
        "TAP_PIGMENT_BATCH_CONFIG_ENCODING_FORMAT",
        "TAP_PIGMENT_STREAM_OVERRIDES_P_L_KEY_COLUMNS",
        "TAP_PIGMENTS_API_KEY",
        "TAP_PIGMENT_",
    ],
)
def test_a_variable_of_meltano_or_the_sdk_is_no_unknown_one(name: str) -> None:
    assert warning(name) is None


def test_an_unknown_variable_that_is_empty_is_ignored() -> None:
    assert unknown_variables_warning({"TAP_PIGMENT_INCLUDES": ""}, PREFIX, PROPERTIES) is None


@pytest.mark.parametrize(
    "name",
    [
        "TAP_PIGMENT_EMEA_API_KEY",
        "TAP_PIGMENT_EMEA_SOUTH_STREAM_OVERRIDES",
        "TAP_PIGMENT_EMEA__SELECT_FILTER",
        "TAP_PIGMENT_EMEA_BATCH_CONFIG_STORAGE_ROOT",
    ],
)
def test_a_variable_of_an_inheriting_plugin_is_known_under_meltano_only(name: str) -> None:
    assert warning(name, MELTANO_PROJECT_ROOT="/project") is None
    assert warning(name) is not None


def test_a_misspelt_setting_is_unknown_under_meltano_too() -> None:
    assert warning("TAP_PIGMENT_INCLUDES", MELTANO_PROJECT_ROOT="/project") is not None


# Variables that are not settings


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"LOGLEVEL": "TRACE"}, "LOGLEVEL"),
        ({"LOGLEVEL": "10"}, "LOGLEVEL"),
        ({"TAP_PIGMENT_LOGLEVEL": "loud", "LOGLEVEL": "DEBUG"}, "TAP_PIGMENT_LOGLEVEL"),
        ({"TAP_PIGMENT_LOGLEVEL": "", "LOGLEVEL": "loud"}, "LOGLEVEL"),
    ],
)
def test_an_unknown_log_level_becomes_info(environment: dict[str, str], name: str) -> None:
    others = {other: level for other, level in environment.items() if other != name and level}

    found = use_known_log_level(environment, PREFIX)

    assert found == (f"{name}: unknown level, so INFO is used. Set it to DEBUG, INFO, WARNING, ERROR or CRITICAL.")
    assert environment == {**others, name: "INFO"}


def test_an_empty_log_level_is_not_set() -> None:
    environment = {"LOGLEVEL": "", "TAP_PIGMENT_LOGLEVEL": ""}

    assert use_known_log_level(environment, PREFIX) is None
    assert environment == {}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LOGLEVEL": "warning"},
        {"LOGLEVEL": "CRITICAL"},
        {"TAP_PIGMENT_LOGLEVEL": "DEBUG", "LOGLEVEL": "TRACE"},
    ],
)
def test_a_known_log_level_stays(environment: dict[str, str]) -> None:
    given = dict(environment)

    assert use_known_log_level(environment, PREFIX) is None
    assert environment == given


def test_a_file_of_tls_keys_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "keys"

    with pytest.raises(SettingsError) as error:
        check_key_log({"SSLKEYLOGFILE": str(path)})

    assert str(error.value) == (
        f"SSLKEYLOGFILE: cannot write {path}: No such file or directory. Set the variable to a file that can be "
        "written, or remove it."
    )


def test_a_file_of_tls_keys_keeps_its_content(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("CLIENT_RANDOM")

    check_key_log({"SSLKEYLOGFILE": str(path)})
    check_key_log({"SSLKEYLOGFILE": ""})
    check_key_log({})

    assert path.read_text() == "CLIENT_RANDOM"

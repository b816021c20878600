"""Addresses and keys, from the environment or a config file."""

import json
from pathlib import Path

import pytest

from tap_pigment.sandbox.verify.access import Access, CannotVerifyError, read_access

ENVIRONMENT = {"TAP_PIGMENT_API_KEY": "pgmt_a", "TAP_PIGMENT_APPLICATION_ID": "app"}


def test_the_environment_is_read_with_the_defaults_of_the_tap() -> None:
    access = read_access(None, ENVIRONMENT)

    assert access == Access("https://pigment.app/api", "pgmt_a", "pgmt_a", "app")
    assert (access.host, access.is_encrypted) == ("pigment.app", True)
    assert "pgmt_a" not in repr(access)


def test_a_config_is_read_without_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"api_key": "b", "metadata_api_key": "c", "application_ids": ["*", "app"], "x": 1}))

    assert read_access(path, ENVIRONMENT) == Access("https://pigment.app/api", "b", "c", "app")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not JSON."),
        ("[]", "not a JSON object."),
        ('{"api_key": 1}', "api_key: not a string."),
        ('{"api_key": "a", "application_ids": ["*"]}', "application_id: not set."),
    ],
)
def test_an_unusable_config_is_named(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)

    with pytest.raises(CannotVerifyError) as error:
        read_access(path, {})

    assert str(error.value).startswith(f"{path}: {problem}")


def test_a_missing_config_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotVerifyError, match=r"config\.json: No such file or directory\."):
        read_access(tmp_path / "config.json", {})


@pytest.mark.parametrize(
    "url",
    [
        "http://pigment.app/api",
        "http://10.0.0.1/api",
        "ftp://pigment.app",
        "pigment.app",
        "https://",
        "https://a:b@pigment.app",
        "https://pigment.app:x/api",
        "https://pigment.app/api?x=1",
        "https://pigment.app/\napi",
    ],
)
def test_an_address_to_which_no_key_may_be_sent_is_refused(url: str) -> None:
    with pytest.raises(CannotVerifyError, match=r"^TAP_PIGMENT_API_URL: not an https address"):
        read_access(None, {**ENVIRONMENT, "TAP_PIGMENT_API_URL": url})


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/api", "http://localhost/api/", "http://[::1]/api", "https://x/api"]
)
def test_https_and_this_machine_are_accepted(url: str) -> None:
    assert read_access(None, {**ENVIRONMENT, "TAP_PIGMENT_API_URL": url}).url == url.rstrip("/")


@pytest.mark.parametrize("key", ["pgmt_ä", "pgmt a", "pgmt\na"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(CannotVerifyError, match=r"^TAP_PIGMENT_API_KEY: it holds characters") as error:
        read_access(None, {**ENVIRONMENT, "TAP_PIGMENT_API_KEY": key})

    assert "pgmt" not in str(error.value)


def test_a_key_in_place_of_the_application_is_refused_and_not_shown() -> None:
    with pytest.raises(CannotVerifyError, match=r"^application_id: it holds an API key") as error:
        read_access(None, {**ENVIRONMENT, "TAP_PIGMENT_APPLICATION_ID": "pgmt_a"})

    assert "pgmt" not in str(error.value)

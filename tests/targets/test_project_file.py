"""What meltano.yml says of the tap is what the tap says of itself."""

from __future__ import annotations

import importlib.resources
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import jsonschema  # type: ignore[import-untyped] # its stubs are a package of their own.
import pytest
import yaml

from tests.targets.environments import ROOT
from tests.targets.pipeline import environment

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture(scope="module")
def about() -> dict[str, Any]:
    """Return what the tap says of itself."""
    command = [sys.executable, "-m", "tap_pigment", "--about", "--format", "json"]
    answer = subprocess.run(command, check=True, capture_output=True, env=environment(), timeout=60)
    said: dict[str, Any] = json.loads(answer.stdout)
    return said


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """Return meltano.yml."""
    read: dict[str, Any] = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    return read


@pytest.fixture(scope="module")
def extractor(project: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definition of the tap."""
    [definition] = project["plugins"]["extractors"]
    assert isinstance(definition, dict)
    return definition


def kind(schema: Mapping[str, Any]) -> str:
    """Return Meltano's kind of a setting that has this JSON schema."""
    if schema.get("secret"):
        return "password"
    if "enum" in schema:
        return "options"
    [json_type] = [name for name in schema["type"] if name != "null"]
    return str(json_type)


def test_the_project_file_is_as_meltano_wants_it(project: Mapping[str, Any]) -> None:
    schema = json.loads((importlib.resources.files("meltano") / "schemas" / "meltano.schema.json").read_text())

    errors = [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(project)]

    assert errors == []


def test_the_settings_are_the_taps(about: Mapping[str, Any], extractor: Mapping[str, Any]) -> None:
    properties = about["settings"]["properties"]

    settings = {
        setting["name"]: (
            setting["label"],
            setting["description"],
            setting["kind"],
            setting.get("sensitive", False),
            [option["value"] for option in setting.get("options", [])],
        )
        for setting in extractor["settings"]
    }

    assert settings == {
        name: (
            schema["title"],
            schema["description"],
            kind(schema),
            schema.get("secret", False),
            schema.get("enum", []),
        )
        for name, schema in properties.items()
    }


def test_the_values_are_the_taps_defaults(about: Mapping[str, Any], extractor: Mapping[str, Any]) -> None:
    properties = about["settings"]["properties"]

    values = {setting["name"]: setting["value"] for setting in extractor["settings"] if "value" in setting}

    # A default of {} is left out, as Meltano has no use for it.
    assert values == {
        name: schema["default"] for name, schema in properties.items() if schema.get("default") not in (None, {})
    }


def test_the_capabilities_are_the_taps(about: Mapping[str, Any], extractor: Mapping[str, Any]) -> None:
    assert sorted(extractor["capabilities"]) == sorted(about["capabilities"])


def test_either_setting_names_the_applications(extractor: Mapping[str, Any]) -> None:
    assert extractor["settings_group_validation"] == [["api_key", "application_id"], ["api_key", "application_ids"]]


def test_every_secret_of_every_plugin_is_sensitive(project: Mapping[str, Any]) -> None:
    plugins = [plugin for kind in project["plugins"].values() for plugin in kind]

    secret = {
        f"{plugin['name']} {setting['name']}"
        for plugin in plugins
        for setting in plugin["settings"]
        if setting["kind"] == "password" and setting.get("sensitive")
    }

    assert secret == {
        "tap-pigment api_key",
        "tap-pigment metadata_api_key",
        "target-postgres password",
        "target-postgres sqlalchemy_url",
        "target-postgres ssh_tunnel.private_key",
        "target-postgres ssh_tunnel.private_key_password",
        "target-postgres ssl_client_private_key",
    }


def test_the_loaders_are_the_versions_that_are_tested(project: Mapping[str, Any]) -> None:
    for loader in project["plugins"]["loaders"]:
        pinned = (ROOT / "tests/targets/requirements" / f"{loader['name']}.txt").read_text().splitlines()

        assert loader["pip_url"].split()[0] in pinned

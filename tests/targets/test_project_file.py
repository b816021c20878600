"""The definition of the tap in meltano.yml equals the output of `tap-pigment --about`."""

from __future__ import annotations

import importlib.resources
import json
import re
import subprocess
import sys
from pathlib import Path
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
    """Return the output of `--about`."""
    command = [sys.executable, "-m", "tap_pigment", "--about", "--format", "json"]
    answer = subprocess.run(command, check=True, capture_output=True, env=environment(), timeout=60)
    about: dict[str, Any] = json.loads(answer.stdout)
    return about


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """Return the content of meltano.yml."""
    project: dict[str, Any] = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    return project


@pytest.fixture(scope="module")
def extractor(project: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definition of the tap."""
    [definition] = project["plugins"]["extractors"]
    assert isinstance(definition, dict)
    return definition


def kind(schema: Mapping[str, Any]) -> str:
    """Return Meltano's kind of a setting with this JSON schema."""
    if "enum" in schema:
        return "options"
    [json_type] = [name for name in schema["type"] if name != "null"]
    return str(json_type)


def test_project_file_is_valid_by_the_schema_of_meltano(project: Mapping[str, Any]) -> None:
    schema = json.loads((importlib.resources.files("meltano") / "schemas" / "meltano.schema.json").read_text())

    errors = [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(project)]

    assert errors == []


def test_meltano_writes_the_project_file_as_it_is(project: Mapping[str, Any], tmp_path: Path) -> None:
    committed = (ROOT / "meltano.yml").read_text(encoding="utf-8")
    (tmp_path / "meltano.yml").write_text(committed, encoding="utf-8")
    set_again = ["config", "set", "meltano", "project_id", project["project_id"]]

    subprocess.run(
        [Path(sys.executable).with_name("meltano"), *set_again],
        cwd=tmp_path,
        env=environment(),
        check=True,
        capture_output=True,
        timeout=60,
    )

    # If they differ, order the keys and place the comments as Meltano does: run this command in the project.
    assert (tmp_path / "meltano.yml").read_text(encoding="utf-8") == committed


def test_settings_equal_those_of_the_tap(about: Mapping[str, Any], extractor: Mapping[str, Any]) -> None:
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


def test_values_equal_the_defaults_of_the_tap(about: Mapping[str, Any], extractor: Mapping[str, Any]) -> None:
    properties = about["settings"]["properties"]

    values = {setting["name"]: setting["value"] for setting in extractor["settings"] if "value" in setting}

    # Meltano needs no default of {}. It passes every value on, and the tap warns of a setting that is set in vain.
    assert values == {
        name: schema["default"]
        for name, schema in properties.items()
        if schema.get("default") not in (None, {}) and name != "emit_activate_version_messages"
    }


def test_capabilities_equal_those_of_the_tap(about: Mapping[str, Any], extractor: Mapping[str, Any]) -> None:
    assert sorted(extractor["capabilities"]) == sorted(about["capabilities"])


def test_an_application_or_overrides_are_required(extractor: Mapping[str, Any]) -> None:
    assert extractor["settings_group_validation"] == [
        ["api_key", "application_id"],
        ["api_key", "application_ids"],
        ["api_key", "stream_overrides"],
    ]


def test_secrets_of_all_plugins_are_sensitive(project: Mapping[str, Any]) -> None:
    plugins = [plugin for kind in project["plugins"].values() for plugin in kind]

    secret = {
        f"{plugin['name']} {setting['name']}"
        for plugin in plugins
        for setting in plugin["settings"]
        if setting.get("sensitive")
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


def test_loaders_have_the_tested_versions(project: Mapping[str, Any]) -> None:
    for loader in project["plugins"]["loaders"]:
        pinned = (ROOT / "tests/targets/requirements" / f"{loader['name']}.txt").read_text().splitlines()

        assert loader["pip_url"].split()[0] in pinned


def test_targets_page_has_the_tested_versions() -> None:
    page = (ROOT / "docs/targets.md").read_text(encoding="utf-8")
    requirements = [path.read_text() for path in (ROOT / "tests/targets/requirements").glob("target-*.txt")]

    tested = re.findall(r"^\| \*\*(.+?)\*\* \| (\S+) \|", page, re.MULTILINE)

    pinned = [f"{name}=={version}" for name, version in tested]
    assert len(pinned) == len(requirements)
    assert all(any(pin in text.splitlines() for text in requirements) for pin in pinned)

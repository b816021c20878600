"""The files for Meltano Hub: as generated, by the rules of the Hub, and equal to meltano.yml."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import jsonschema  # type: ignore[import-untyped] # its stubs are a package of their own.
import pytest
import yaml

from hub import generate
from hub.refresh import refreshed
from tap_pigment.tap import TapPigment
from tests.support.pigment import API_KEY, APPLICATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
HUB = ROOT / "hub"
[DEFINITION_FILE] = HUB.glob("_data/meltano/*/*/*.yml")
DEFINITION: dict[str, Any] = yaml.safe_load(DEFINITION_FILE.read_text(encoding="utf-8"))
HUB_SETTINGS = {setting["name"]: setting for setting in DEFINITION["settings"]}
PROJECT = generate.read_project()

TEXT = {"type": "string", "minLength": 1}
TEXTS = {"type": "array", "items": TEXT, "uniqueItems": True}
# What the Hub checks in a pull request, and what its site, its API and Meltano need besides; as of August 2026.
RULES: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": [
        *("name", "namespace", "variant", "quality", "pip_url", "repo", "label", "logo_url", "description"),
        *("domain_url", "capabilities", "keywords", "maintenance_status", "settings", "settings_group_validation"),
    ],
    "properties": {
        **dict.fromkeys(
            [
                *("name", "namespace", "variant", "pip_url", "repo", "label", "logo_url", "description", "domain_url"),
                *("docs", "executable", "log_parser", "python"),
                *("definition", "next_steps", "prereq", "settings_preamble", "usage"),
            ],
            TEXT,
        ),
        "capabilities": {
            **TEXTS,
            "items": {
                "enum": [
                    *("properties", "catalog", "discover", "state", "about", "stream-maps", "schema-flattening"),
                    *("activate-version", "batch", "test", "log-based", "structured-logging"),
                ]
            },
        },
        "keywords": TEXTS,
        "maintenance_status": {"enum": ["active", "beta", "development", "inactive", "unknown"]},
        "quality": {"enum": ["gold", "silver", "bronze", "unknown"]},
        "settings": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "label", "description", "kind"],
                "properties": {
                    **dict.fromkeys(
                        [
                            *("name", "label", "placeholder", "description", "tooltip", "documentation", "env"),
                            *("value_processor", "value_post_processor", "docs"),
                        ],
                        TEXT,
                    ),
                    "kind": {
                        "enum": [
                            *("oauth", "hidden", "password", "date_iso8601", "file", "email", "integer", "options"),
                            *("object", "array", "boolean", "decimal", "string"),
                        ]
                    },
                    "aliases": TEXTS,
                    "hidden": {"type": "boolean"},
                    "sensitive": {"type": "boolean"},
                    "oauth": {"type": "object"},
                    "options": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "additionalProperties": False,
                            "required": ["label", "value"],
                            "properties": {"label": TEXT, "value": TEXT},
                        },
                    },
                    "value": {},
                },
            },
        },
        "settings_group_validation": {"type": "array", "minItems": 1, "items": TEXTS},
        "supported_python_versions": {**TEXTS, "items": {"type": "string", "pattern": r"^3\.\d+$"}},
        "select": TEXTS,
        **{name: {"type": "object"} for name in ("commands", "metadata", "requires", "schema")},
        "hidden": {"type": "boolean"},
    },
}


def broken_rules(definition: object) -> list[str]:
    """Return what in a definition breaks a rule."""
    return [error.json_path for error in jsonschema.Draft7Validator(RULES).iter_errors(definition)]


def mappings(content: object) -> Iterator[dict[str, Any]]:
    """Yield all mappings in a content."""
    if isinstance(content, dict):
        yield content
    for inner in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        yield from mappings(inner)


@pytest.fixture(scope="module")
def about() -> dict[str, Any]:
    """Return the output of `--about`."""
    command = [sys.executable, "-m", "tap_pigment", "--about", "--format", "json"]
    answer = subprocess.run(command, check=True, capture_output=True, timeout=60)
    about: dict[str, Any] = json.loads(answer.stdout)
    return about


# The files


def test_the_files_are_those_of_the_generator() -> None:
    # If they differ: python -m hub.generate
    written = {path.relative_to(HUB).as_posix(): path.read_text(encoding="utf-8") for path in HUB.rglob("*.yml")}

    assert written == generate.files(PROJECT)


@pytest.mark.parametrize("path", sorted(HUB.rglob("*.yml")), ids=lambda path: path.name)
def test_keys_are_in_order_at_every_level(path: Path) -> None:
    for mapping in mappings(yaml.safe_load(path.read_text(encoding="utf-8"))):
        assert list(mapping) == sorted(mapping)


def test_lists_are_in_order() -> None:
    groups = DEFINITION["settings_group_validation"]

    assert list(HUB_SETTINGS) == sorted(HUB_SETTINGS)
    assert DEFINITION["capabilities"] == sorted(DEFINITION["capabilities"])
    assert groups == sorted(sorted(group) for group in groups)


def test_folder_and_file_are_named_for_tap_and_variant() -> None:
    path = DEFINITION_FILE.relative_to(HUB).as_posix()

    assert path == f"_data/meltano/extractors/{DEFINITION['name']}/{DEFINITION['variant']}.yml"
    assert DEFINITION["name"] == "tap-pigment"
    assert DEFINITION["variant"] == "tap-pigment"


def test_variant_is_the_default_and_has_the_only_maintainer() -> None:
    defaults = yaml.safe_load((HUB / "_data/default_variants.yml").read_text(encoding="utf-8"))
    maintainers = yaml.safe_load((HUB / "_data/maintainers.yml").read_text(encoding="utf-8"))

    owner, _, _ = DEFINITION["repo"].rpartition("/")
    assert defaults == {"extractors": {"tap-pigment": "tap-pigment"}}
    assert maintainers == {"tap-pigment": {"label": "tap-pigment", "name": "tap-pigment", "url": owner}}
    assert DEFINITION["repo"].split("/")[-2:] == ["tap-pigment", "tap-pigment"]


def test_all_addresses_of_the_project_are_in_its_repository() -> None:
    urls = PROJECT["urls"]

    assert set(urls) >= {"Homepage", "Documentation", "Changelog", "Issues", "Source"}
    assert all(url == urls["Source"] or url.startswith(f"{urls['Source']}/") for url in urls.values())


def test_logo_is_a_small_drawing_without_text_or_background() -> None:
    drawing = (HUB / "static" / DEFINITION["logo_url"].removeprefix("/")).read_bytes()

    elements = list(ET.fromstring(drawing).iter())  # noqa: S314 - our own file.
    assert {element.tag.rpartition("}")[2] for element in elements} == {"svg", "g", "rect"}
    assert {element.get("width") for element in elements[1:]} == {None, "32"}
    assert len(drawing) < 15_000


# The rules


def test_definition_follows_the_rules_of_the_hub() -> None:
    assert broken_rules(DEFINITION) == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        pytest.param(lambda wrong: wrong.update(descripton="x"), "$", id="unknown field"),
        pytest.param(lambda wrong: wrong.pop("quality"), "$", id="missing field"),
        pytest.param(lambda wrong: wrong["capabilities"].insert(0, "sync"), "$.capabilities[0]", id="capability"),
        pytest.param(lambda wrong: wrong["settings"][0].update(kind="number"), "$.settings[0].kind", id="kind"),
        pytest.param(lambda wrong: wrong["settings"][0].update(secret=True), "$.settings[0]", id="key of a setting"),
        pytest.param(
            lambda wrong: wrong["settings"][0].update(options=[{"label": "One", "value": 1}]),
            "$.settings[0].options[0].value",
            id="option that is a number",
        ),
        pytest.param(
            lambda wrong: wrong.update(supported_python_versions=[3.11]),
            "$.supported_python_versions[0]",
            id="version that is a number",
        ),
    ],
)
def test_the_rules_refuse_a_wrong_definition(change: Callable[[dict[str, Any]], object], place: str) -> None:
    wrong = copy.deepcopy(DEFINITION)

    change(wrong)

    assert broken_rules(wrong) == [place]


def test_the_api_keys_and_nothing_else_are_sensitive_passwords() -> None:
    passwords = {name for name, setting in HUB_SETTINGS.items() if setting["kind"] == "password"}
    sensitive = {name for name, setting in HUB_SETTINGS.items() if setting.get("sensitive")}

    assert passwords == sensitive == {"api_key", "metadata_api_key"}


def test_a_key_and_an_application_or_overrides_are_required() -> None:
    assert DEFINITION["settings_group_validation"] == [
        ["api_key", "application_id"],
        ["api_key", "application_ids"],
        ["api_key", "stream_overrides"],
    ]


# The other definitions of the tap


def test_definition_equals_that_of_the_project_file() -> None:
    project = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    [extractor] = project["plugins"]["extractors"]
    equal = ["name", "namespace", "label", "executable", "description", "log_parser", "settings_group_validation"]

    # meltano.yml has no kind `password`: Meltano turns it into a sensitive text.
    settings = {
        name: setting | ({"kind": "string"} if setting["kind"] == "password" else {})
        for name, setting in HUB_SETTINGS.items()
    }

    assert settings == {setting["name"]: setting for setting in extractor["settings"]}
    assert DEFINITION["capabilities"] == sorted(extractor["capabilities"])
    assert {name: DEFINITION[name] for name in equal} == {name: extractor[name] for name in equal}


def test_definition_equals_the_output_of_about(about: dict[str, Any]) -> None:
    properties = about["settings"]["properties"]

    assert list(HUB_SETTINGS) == sorted(properties)
    assert DEFINITION["capabilities"] == sorted(about["capabilities"])
    assert DEFINITION["supported_python_versions"] == about["supported_python_versions"]


# The weekly refresh


def test_the_hub_describes_the_settings_from_the_tap_each_week() -> None:
    # With this keyword, the Hub describes the settings again from `--about`. The next tests say what comes out.
    assert "meltano_sdk" in DEFINITION["keywords"]


def test_a_refresh_would_make_one_setting_a_password_that_is_no_secret(about: dict[str, Any]) -> None:
    settings = refreshed(DEFINITION, about)["settings"]

    passwords = {setting["name"] for setting in settings if setting["kind"] == "password"}
    assert passwords == {"api_key", "metadata_api_key", "application_id"}


def test_a_refresh_requires_what_the_definition_requires(about: dict[str, Any]) -> None:
    groups = refreshed(DEFINITION, about)["settings_group_validation"]

    assert groups == DEFINITION["settings_group_validation"]


def test_a_refresh_gives_values_that_change_nothing(about: dict[str, Any]) -> None:
    after = {setting["name"]: setting for setting in refreshed(DEFINITION, about)["settings"]}

    added = {
        name: setting["value"]
        for name, setting in after.items()
        if setting.get("value") != HUB_SETTINGS.get(name, {}).get("value")
    }

    assert added == {"emit_activate_version_messages": True, "stream_overrides": {}}
    TapPigment(config={"api_key": API_KEY, "application_id": APPLICATION_ID, **added}, setup_mapper=False)


def test_a_refresh_would_leave_the_other_settings_as_they_are(about: dict[str, Any]) -> None:
    new = refreshed(DEFINITION, about)
    after = {setting["name"]: setting for setting in new["settings"]}

    assert broken_rules(new) == []
    assert {name for name, setting in HUB_SETTINGS.items() if after.get(name) != setting} == {
        *("application_id", "emit_activate_version_messages", "stream_overrides"),
        *("batch_config", "faker_config", "stream_maps"),  # Their members stand for them.
    }

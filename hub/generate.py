"""Writes the files that Meltano Hub takes, from the tap's settings and pyproject.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tap_pigment.settings import SETTINGS
from tap_pigment.tap import TapPigment

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).parent
LOGO = "/assets/logos/extractors/pigment.svg"

_PYTHON = "Programming Language :: Python :: "
_STATUS = {"4 - Beta": "beta", "5 - Production/Stable": "active"}
_PREREQUISITES = """\
- An API key of Pigment with the scopes **Export** and **Modeling Metadata**
- The id of the application, which is in the address of its screens
"""
_NEXT_STEPS = """\
Test the API key, its scopes, the applications and all settings before the first run:

```bash
meltano invoke tap-pigment --check
```
"""
_USAGE = """\
With the default settings, a loader must support ACTIVATE_VERSION to remove deleted rows. With a loader that does not, \
set `change_detection: row` and `snapshot_uri`: then the tap emits changed rows only, and deleted rows with \
`_sdc_deleted_at`.
"""


def setting(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a setting as the Hub describes it."""
    [json_type] = [json_type for json_type in schema["type"] if json_type != "null"]
    described = {"name": name, "label": schema["title"], "description": schema["description"], "kind": json_type}
    if schema.get("secret"):
        described |= {"kind": "password", "sensitive": True}
    if choices := schema.get("enum"):
        options = [{"label": choice.capitalize(), "value": choice} for choice in choices]
        described |= {"kind": "options", "options": options}
    # Meltano passes every value on, and the tap warns of `emit_activate_version_messages` where it is set in vain.
    if schema.get("default") not in (None, {}) and name != "emit_activate_version_messages":
        described["value"] = schema["default"]
    return described


def definition(project: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definition of the tap, without an order of keys.

    Args:
        project: The table `project` of pyproject.toml.
    """
    schema = {"properties": dict(SETTINGS["properties"])}
    TapPigment.append_builtin_config(schema)
    name, source = project["name"], project["urls"]["Source"]
    classifiers = [tuple(classifier.split(" :: ", 1)) for classifier in project["classifiers"]]
    [status] = [value for topic, value in classifiers if topic == "Development Status"]
    return {
        "capabilities": sorted(capability.value for capability in TapPigment.capabilities),
        "description": "Business-planning platform",
        "docs": project["urls"]["Documentation"],
        "domain_url": "https://www.pigment.com",
        "executable": name,
        "keywords": ["api", "finance", "meltano_sdk", "planning"],
        "label": "Pigment",
        "log_parser": "singer-sdk",
        "logo_url": LOGO,
        "maintenance_status": _STATUS[status],
        "name": name,
        "namespace": name.replace("-", "_"),
        "next_steps": _NEXT_STEPS,
        "pip_url": name,
        "prereq": _PREREQUISITES,
        "quality": "silver",  # What the Hub computes for a tap of the community that uses the SDK.
        "repo": source,
        "settings": [setting(key, schema["properties"][key]) for key in sorted(schema["properties"])],
        "settings_group_validation": [
            ["api_key", "application_id"],
            ["api_key", "application_ids"],
            ["api_key", "stream_overrides"],  # With the types of blocks that need not be listed.
        ],
        "supported_python_versions": [
            line.removeprefix(_PYTHON) for line in project["classifiers"] if line.startswith(f"{_PYTHON}3.")
        ],
        "usage": _USAGE,
        "variant": variant(source),
    }


def variant(source: str) -> str:
    """Return the name of the tap's variant: the owner of its repository."""
    return source.split("/")[-2].lower()


def files(project: Mapping[str, Any]) -> dict[str, str]:
    """Return the content of each file, by its path in the Hub's repository.

    Args:
        project: The table `project` of pyproject.toml.
    """
    name, source = project["name"], project["urls"]["Source"]
    owner = variant(source)
    maintainer = {"label": owner, "name": owner, "url": source.rpartition("/")[0]}
    return {
        f"_data/meltano/extractors/{name}/{owner}.yml": _yaml(definition(project)),
        "_data/default_variants.yml": _yaml({"extractors": {name: owner}}),
        "_data/maintainers.yml": _yaml({owner: maintainer}),
    }


def read_project() -> dict[str, Any]:
    """Return the table `project` of pyproject.toml."""
    text = (FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8")
    project: dict[str, Any] = tomllib.loads(text)["project"]
    return project


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as they are."""


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)


def _yaml(content: Mapping[str, Any]) -> str:
    """Return YAML as the Hub wants it: keys in order, a line for each text, no lists in brackets."""
    return yaml.dump(
        content, Dumper=_Dumper, sort_keys=True, default_flow_style=False, allow_unicode=True, width=1_000_000
    )


def main() -> None:
    """Write the files."""
    for name, text in files(read_project()).items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""What Meltano Hub makes of the definition in its weekly refresh: it describes the settings again from `--about`.

The rules are those of `merge-metadata` in github.com/meltano/hub-utils, as of August 2026.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# A text setting whose name contains one of these becomes a password.
_PASSWORD_PARTS = ("password", "id", "token", "key", "secret")
_KEPT = ("placeholder", "documentation")


def refreshed(definition: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definition after the refresh.

    Args:
        definition: The definition that the Hub has.
        about: The output of `tap-pigment --about --format json`.
    """
    schema = about["settings"]
    listed = list(_settings(schema))
    known = {setting["name"]: setting for setting in definition["settings"]}
    settings = [_merged(_described(name, member), known.get(name, {})) for name, member, _ in listed]
    required = sorted({name for name, _, is_required in listed if is_required} | set(schema["required"]))
    groups = definition["settings_group_validation"]
    # The longer text wins.
    if len(str([required])) > len(str(groups)):
        groups = [required]
    return {
        **definition,
        "capabilities": sorted(about["capabilities"]),
        "settings": sorted(settings, key=lambda setting: str(setting["name"])),
        "settings_group_validation": groups,
    }


def _settings(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Yield the name of each setting, its schema, and whether an object requires it; members stand for an object."""
    for name, member in schema["properties"].items():
        if "object" in member.get("type", ()) and member.get("properties"):
            for inner, inner_member, is_required in _settings(member):
                yield f"{name}.{inner}", inner_member, is_required or inner in member.get("required", ())
        else:
            yield name, member, False


def _described(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a setting as the Hub reads it from its schema."""
    described = {"name": name, "label": schema["title"], "description": schema["description"]}
    described |= _kind(name, schema)
    if schema.get("default") is not None:
        described["value"] = schema["default"]
    return described


def _kind(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the kind of a setting, and what goes with it."""
    if "type" not in schema and name == "faker_config.locale":
        return {"kind": "array"}
    kind = next(json_type for json_type in schema.get("type", ["string"]) if json_type != "null")
    if kind == "number":
        return {"kind": "integer"}
    if kind != "string":
        return {"kind": kind}
    if any(part in name.lower() for part in _PASSWORD_PARTS):
        return {"kind": "password", "sensitive": True}
    if choices := schema.get("enum"):
        return {"kind": "options", "options": [{"label": choice.title(), "value": choice} for choice in choices]}
    return {"kind": "string"}


def _merged(new: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return a setting with what stays of the known one: a longer description of several lines, and links."""
    merged = {**new, **{name: known[name] for name in _KEPT if name in known}}
    description = known.get("description", "")
    if "\n" in description and len(description) > len(merged["description"]):
        merged["description"] = description
    return merged

"""Every setting of the schema reaches the code: another value gives other `Settings`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.settings import SETTINGS, Settings
from tests.unit.settings.configs import CONFIG

if TYPE_CHECKING:
    from collections.abc import Mapping

PROPERTIES: Mapping[str, Mapping[str, Any]] = SETTINGS["properties"]
# Where any value of the type will not do.
VALUES: Mapping[str, object] = {
    "batch_config": {"encoding": {"format": "jsonl"}, "storage": {"root": "files"}},
    "change_detection": "stream",
    "stream_overrides": {"plan": {"name": "budget"}},
}
# Used with another setting only.
TOGETHER: Mapping[str, Mapping[str, object]] = {"snapshot_uri": {"change_detection": "row"}}


def other_value(name: str) -> object:
    """Return a value that is not the default of a setting."""
    schema = PROPERTIES[name]
    default = schema.get("default")
    if name in VALUES:
        return VALUES[name]
    if choices := schema.get("enum"):
        return next(choice for choice in choices if choice != default)
    match [json_type for json_type in schema["type"] if json_type != "null"]:
        case ["boolean"]:
            return not default
        case ["integer"]:
            return (default or 0) + 1
        case ["array"]:
            return ["other"]
        case _:
            return "other"


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_setting_reaches_the_code(name: str) -> None:
    config = {**CONFIG, **TOGETHER.get(name, {}), "snapshot_uri": "snapshots"}

    assert Settings.from_config({**config, name: other_value(name)}) != Settings.from_config(config)

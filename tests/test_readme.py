"""What the README says is what the tap does."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

import tap_pigment
from tap_pigment.schema import SETTINGS
from tap_pigment.tap import TapPigment
from tests.pigment import API_KEY, APPLICATION_ID

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
OWN_SETTINGS = json.loads(json.dumps(SETTINGS))["properties"]
STATED_OTHERWISE = {"api_key": "required", "metadata_api_key": "`api_key`", "spool_dir": "system temp"}


def table(title: str) -> list[list[str]]:
    """Return the cells of the table below a title, without its head."""
    section = README.split(f"\n## {title}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows[2:]]


def code_blocks(language: str) -> list[str]:
    """Return the code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def messages() -> list[str]:
    """Return every text in the package's code, what is put into it left as a gap."""
    texts = []
    for path in Path(tap_pigment.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "\0" for part in node.values]
                texts.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return texts


def test_it_is_at_most_200_lines() -> None:
    assert len(README.splitlines()) <= 200


def test_it_describes_every_setting_and_no_other() -> None:
    assert [row[0] for row in table("Settings")] == [f"`{name}`" for name in OWN_SETTINGS]


@pytest.mark.parametrize("row", table("Settings"), ids=lambda row: row[0].strip("`"))
def test_it_states_the_default_of_every_setting(row: list[str]) -> None:
    name = row[0].strip("`")

    default = OWN_SETTINGS[name].get("default")

    stated = f"`{default if isinstance(default, str) else json.dumps(default)}`" if default is not None else ""
    assert row[1] == STATED_OTHERWISE.get(name, stated)


def test_it_names_the_settings_of_the_sdk() -> None:
    schema: dict[str, Any] = {"properties": {}}
    TapPigment.append_builtin_config(schema)

    sentence = README.split("and the SDK's own: ")[1].split("\n")[0]

    assert re.findall(r"`(\w+)`", sentence) == [name for name in schema["properties"] if name not in OWN_SETTINGS]


def test_its_override_is_one_that_the_tap_takes() -> None:
    example = next(json.loads(block) for block in code_blocks("json") if "stream_overrides" in block)
    config = {"api_key": API_KEY, "application_id": APPLICATION_ID, **example}

    tap = TapPigment(config=config, setup_mapper=False)

    assert tap.settings.stream_overrides["gl_transactions"].name == "ledger"


def test_an_override_it_does_not_describe_is_refused() -> None:
    config = {"api_key": API_KEY, "application_id": APPLICATION_ID, "stream_overrides": {"gl": {"keys": []}}}

    with pytest.raises(ConfigValidationError) as error:
        TapPigment(config=config, setup_mapper=False)

    assert "'keys' was unexpected" in error.value.errors[0]


@pytest.mark.parametrize("phrase", [phrase for row in table("Errors") for phrase in re.findall(r"`([^`]+)`", row[0])])
def test_its_errors_are_said_by_the_code(phrase: str) -> None:
    pattern = re.compile(re.sub(r"5\\\.\\\.|\b[34]\b(?!\d)", "\0", re.escape(phrase)))

    assert any(pattern.search(text) for text in messages())


def test_it_has_the_command_that_decides() -> None:
    assert "pip install uv && uv run pytest\n" in "".join(code_blocks("shell"))
    assert "uv run pytest" in (ROOT / ".ci" / "run").read_text()

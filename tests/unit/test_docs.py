"""The claims of README.md and docs/ about settings, output, hashes, files and links, compared with the code."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import re
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_pigment.changes import Bookmark, read_bookmark
from tap_pigment.columns import Column, ColumnType
from tap_pigment.exports import sql
from tap_pigment.run_report import Result, StreamProgress, table_lines
from tap_pigment.settings import SETTINGS
from tap_pigment.tap import TapPigment
from tests.support.code_texts import GAP, PACKAGE, TEXTS
from tests.support.doc_pages import PAGES, ROOT, code_blocks, quoted, section, table_rows
from tests.support.pigment import API_KEY, APPLICATION_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

README = PAGES["README.md"]
SETTINGS_PAGE = PAGES["docs/settings.md"]

OWN_SETTINGS: Mapping[str, Any] = json.loads(json.dumps(SETTINGS))["properties"]
STATED_OTHERWISE = {"api_key": "required", "metadata_api_key": "`api_key`", "spool_dir": "system temp"}
REQUIRED = {"api_key": API_KEY, "application_id": APPLICATION_ID}

INSTALL_UV = "python3 -m venv .uv && .uv/bin/pip install -q uv"
TRY_IT = (
    f"{INSTALL_UV} && .uv/bin/uv run --no-dev --group demo"
    " tap-pigment-sandbox run -- meltano run tap-pigment target-duckdb"
)
RUN_TESTS = f"{INSTALL_UV} && .uv/bin/uv run pytest"

# Pages whose blocks of text are output of the tap.
PAGES_WITH_OUTPUT = ("docs/change-detection.md", "docs/operations.md")
MIN_LITERAL_CHARACTERS = 12

# Settings

SETTING_ROWS = table_rows(SETTINGS_PAGE.split("\n## ")[0])


def json_type(schema: Mapping[str, Any]) -> str:
    """Return the type of a JSON schema."""
    [name] = [name for name in schema["type"] if name != "null"]
    return str(name)


def members(schema: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the name and the type of each member of an object, and of the objects in it that list their members."""
    for name, member in schema["properties"].items():
        if member.get("properties"):
            yield from members(member, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", json_type(member)


def test_settings_page_lists_every_setting_and_no_other() -> None:
    assert [row[0] for row in SETTING_ROWS] == [f"`{name}`" for name in OWN_SETTINGS]


@pytest.mark.parametrize("row", SETTING_ROWS, ids=lambda row: row[0].strip("`"))
def test_a_setting_has_the_type_default_and_meaning_of_the_schema(row: list[str]) -> None:
    name = row[0].strip("`")
    schema = OWN_SETTINGS[name]

    kind, _, details = row[1].partition(", ")
    default = schema.get("default")
    stated = f"`{default if isinstance(default, str) else json.dumps(default)}`" if default is not None else ""

    limits = {"secret": schema.get("secret", False)}
    limits |= {f"at least {schema.get('minimum')}": "minimum" in schema and "maximum" not in schema}
    limits |= {f"{schema.get('minimum')} to {schema.get('maximum')}": "maximum" in schema}
    assert kind == json_type(schema)
    assert details == ", ".join(limit for limit, applies in limits.items() if applies)
    assert row[2] == STATED_OTHERWISE.get(name, stated)
    assert row[3] == schema["description"]


def test_settings_page_names_the_settings_of_the_sdk() -> None:
    schema: dict[str, Any] = {"properties": {}}
    TapPigment.append_builtin_config(schema)

    named = quoted(section(SETTINGS_PAGE, "SDK settings"))

    assert named == [name for name in schema["properties"] if name not in OWN_SETTINGS]


def test_settings_page_lists_every_member_of_an_override() -> None:
    override = OWN_SETTINGS["stream_overrides"]["additionalProperties"]

    rows = table_rows(section(SETTINGS_PAGE, "stream_overrides"))

    assert [(row[0].strip("`"), row[1]) for row in rows] == list(members(override))


def test_settings_page_lists_every_member_of_batch_config() -> None:
    rows = table_rows(section(SETTINGS_PAGE, "batch_config"))

    assert [(row[0].strip("`"), row[1]) for row in rows] == list(members(OWN_SETTINGS["batch_config"]))


def test_the_example_of_an_override_is_accepted() -> None:
    [example] = code_blocks(section(SETTINGS_PAGE, "stream_overrides"), "json")

    tap = TapPigment(config={**REQUIRED, **json.loads(example)}, setup_mapper=False)

    override = tap.settings.stream_overrides["gl_transactions"]
    assert override.name == "ledger"
    assert override.key_columns == ("document_NT3MQF", "line_0X1CA3")
    assert override.types == {"quantity_1X0CA3": "integer"}


def json_values(page: str) -> list[Any]:
    """Return what the blocks of JSON on a page hold: one value each, or one for each line."""
    values = []
    for block in code_blocks(page, "json"):
        try:
            values.append(json.loads(block))
        except json.JSONDecodeError:
            values += [json.loads(line) for line in block.splitlines()]
    return values


CONFIGS = [value for page in PAGES.values() for value in json_values(page) if value.keys() <= OWN_SETTINGS.keys()]


def test_configs_are_found_on_three_pages() -> None:
    found = {name for config in CONFIGS for name in config}

    assert found >= {"api_key", "application_id", "batch_config", "snapshot_uri", "stream_overrides"}


@pytest.mark.parametrize("config", CONFIGS, ids="-".join)
def test_an_example_of_a_config_is_valid(config: Mapping[str, Any]) -> None:
    TapPigment(config={**REQUIRED, **config}, setup_mapper=False)


def test_a_member_that_no_table_lists_is_refused() -> None:
    config = {**REQUIRED, "stream_overrides": {"gl": {"keys": []}}}

    with pytest.raises(ConfigValidationError) as error:
        TapPigment(config=config, setup_mapper=False)

    assert "'keys' was unexpected" in error.value.errors[0]


# Output

REPORT_STREAMS: dict[str, dict[str, Any]] = {
    "countries": {"emitted_rows": 9, "received_bytes": 412, "seconds": 0.11, "tries": 1},
    "gl_transactions": {
        "emitted_rows": 3_000_120,
        "deleted_rows": 120,
        "received_bytes": 310_200_000,
        "seconds": 92.0,
        "tries": 2,
    },
    "months": {"received_bytes": 1_500, "seconds": 0.2, "tries": 1, "result": Result.UNCHANGED},
}
REPORT_LINES = table_lines(
    [
        StreamProgress(name, logging.getLogger(), float, **{"result": Result.COMPLETE, **values})
        for name, values in REPORT_STREAMS.items()
    ],
    seconds=93.5,
)
OUTPUT_LINES = [
    line
    for name in PAGES_WITH_OUTPUT
    for block in code_blocks(PAGES[name], "text")
    for line in block.splitlines()
    if line not in {"Streams of this run:", *REPORT_LINES}
]


def test_the_report_of_a_run_is_shown_as_it_is_logged() -> None:
    assert "\n".join(["Streams of this run:", *REPORT_LINES]) in PAGES["docs/operations.md"]


@pytest.mark.parametrize("line", OUTPUT_LINES)
def test_a_line_of_output_is_one_that_the_code_writes(line: str) -> None:
    templates = [text for text in TEXTS if len(re.sub(rf"[{GAP}\s]", "", text)) >= MIN_LITERAL_CHARACTERS]

    patterns = [".*".join(map(re.escape, text.split(GAP))) for text in templates]

    assert any(re.search(pattern, line) for pattern in patterns)


# Records and state


class HashFunction(Protocol):
    """The function of the page on streams."""

    def __call__(self, cells: Mapping[str, str]) -> str:
        """Return the hash of a row."""


@pytest.fixture(scope="module")
def content_hash() -> HashFunction:
    [code] = code_blocks(PAGES["docs/streams.md"], "python")
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - the page's own code, which is tested here.
    function: HashFunction = names["content_hash"]
    return function


def hash_of_the_tap(cells: Mapping[str, str]) -> str:
    """Return the hash that the tap computes for a row."""
    columns = [Column(name, name, ColumnType.TEXT, nullable=True, position=n) for n, name in enumerate(cells)]
    values = ", ".join(f"{sql.quoted_text(text)} AS {sql.cell(n)}" for n, text in enumerate(cells.values()))
    row = duckdb.execute(f"SELECT {sql.content_hash(columns)} FROM (SELECT {values})").fetchone()  # noqa: S608 - quoted.
    assert row
    return str(row[0])


def test_the_worked_example_of_a_hash_is_that_of_the_tap() -> None:
    example = section(PAGES["docs/streams.md"], "contentHash")
    [block] = code_blocks(example, "text")

    hashed, digest = block.splitlines()

    assert hashed == "6:Amount,9:214875.99,7:Comment,-"
    assert digest == hashlib.sha256(b"6:Amount,9:214875.99,7:Comment,-").hexdigest()
    assert digest == hash_of_the_tap({"Comment": "", "Amount": "214875.99"})


@pytest.mark.parametrize(
    "cells",
    [{"b": "1", "a": ""}, {"a": "Côte d'Ivoire", "B": "x;y", "Ä": "10:1,"}, {"a": "\r\n", "contentHash_2": "-"}],
    ids=["blank", "letters", "line ends"],
)
def test_the_function_for_a_hash_computes_that_of_the_tap(content_hash: HashFunction, cells: Mapping[str, str]) -> None:
    assert content_hash(cells) == hash_of_the_tap(cells)


def test_the_record_of_the_readme_has_its_hash() -> None:
    record = next(value["record"] for value in json_values(README) if value.get("type") == "RECORD")

    assert record == {
        "countries_8CGYFH": "France",
        "tax_rate_W4RQ5X": 0.25,
        "contentHash": hash_of_the_tap({"countries_8CGYFH": "France", "tax_rate_W4RQ5X": "0.25"}),
    }


def test_the_example_of_a_bookmark_is_read_whole() -> None:
    state = section(PAGES["docs/change-detection.md"], "The state")
    [example] = json_values(state)

    bookmark = read_bookmark(example)

    assert bookmark is not None
    assert bookmark.to_state() == example


def test_the_members_of_a_bookmark_are_listed() -> None:
    state = section(PAGES["docs/change-detection.md"], "The state")

    names = [row[0].strip("`") for row in table_rows(state)]

    assert names == ["v", *(field.name for field in dataclasses.fields(Bookmark))]


# Commands


@pytest.mark.parametrize("command", [TRY_IT, RUN_TESTS])
def test_the_readme_has_a_command_once_in_a_block_of_its_own(command: str) -> None:
    assert code_blocks(README, "shell").count(f"{command}\n") == 1
    assert re.findall(rf"^{re.escape(command)}.*", README, flags=re.MULTILINE) == [command]


def test_the_readme_installs_uv_only_in_these_two_commands() -> None:
    assert README.count(INSTALL_UV) == README.count("pip install") == 2


def test_uv_and_the_config_are_in_files_that_git_ignores() -> None:
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()

    assert {"/.uv/", "/.venv/", "/.meltano/", "config.json"} <= set(ignored)


def test_the_readme_says_in_bold_what_a_target_must_support() -> None:
    [bold] = [text for text in re.findall(r"\*\*(.+?)\*\*", README) if "ACTIVATE_VERSION" in text]

    assert "With the default settings" in bold
    assert "`change_detection: row`" in bold


def test_the_deciding_script_finds_the_test_command() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")

    [pattern] = re.findall(r"grep --max-count=1 -E '(.+?)' README\.md", script)

    assert re.findall(f"{pattern}.*", README, flags=re.MULTILINE) == [RUN_TESTS]


COMMANDS = [
    line
    for page in PAGES.values()
    for block in code_blocks(page, "shell")
    for line in block.splitlines()
    if line.startswith("tap-pigment --")
]


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_a_command_of_the_tap_has_options_that_exist(command: str) -> None:
    existing = {option for param in TapPigment.get_singer_command().params for option in param.opts}

    used = set(re.findall(r"--[a-z-]+", command.partition("|")[0]))

    assert used
    assert used <= existing


# Files and links


def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and most others make them."""
    headings = re.findall(r"^#+ (.+)$", page, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


LINKS = [(name, target) for name, page in PAGES.items() for target in re.findall(r"\]\(([^)\s]+)\)", page)]
RELATIVE_LINKS = [(name, target) for name, target in LINKS if not target.startswith("https://")]


@pytest.mark.parametrize(("name", "target"), RELATIVE_LINKS)
def test_a_relative_link_leads_to_a_file_and_a_heading_of_it(name: str, target: str) -> None:
    path, _, anchor = target.partition("#")

    file = (ROOT / name).parent.joinpath(path).resolve() if path else ROOT / name

    assert file.is_file()
    assert file.is_relative_to(ROOT)
    assert not anchor or anchor in anchors(file.read_text("utf-8"))


def test_the_readme_links_to_every_page() -> None:
    linked = {target for name, target in LINKS if name == "README.md"}

    assert {name for name in PAGES if name != "README.md"} <= linked


def test_the_page_on_performance_shows_the_plot() -> None:
    assert "](../tests/benchmarks/throughput.svg)" in PAGES["docs/performance.md"]


ARCHITECTURE = PAGES["docs/architecture.md"]
FILES_IN_ARCHITECTURE = sorted(
    set(re.findall(r"`((?:[a-z_0-9]+/)*[a-z_0-9]+(?:\.py|\.md|\.yml|\.toml|/))`", ARCHITECTURE))
)


def package_paragraphs() -> Iterator[tuple[Path, str]]:
    """Yield the folder of each package, and the paragraph about it."""
    for name, text in re.findall(r"^\*\*`([a-z_]+)/`\.\*\* (.*)$", ARCHITECTURE, flags=re.MULTILINE):
        yield PACKAGE / name, text


@pytest.mark.parametrize("file", FILES_IN_ARCHITECTURE)
def test_a_file_of_the_architecture_exists(file: str) -> None:
    folders = [PACKAGE, ROOT, *(folder for folder, text in package_paragraphs() if f"`{file}`" in text)]

    assert any((folder / file).exists() for folder in folders)


def test_the_architecture_has_a_paragraph_for_each_package() -> None:
    packages = {path.parent for path in PACKAGE.glob("*/__init__.py")}

    assert {folder for folder, _ in package_paragraphs()} == packages


@pytest.mark.parametrize(
    "package", [path for path, _ in package_paragraphs() if path.name != "sandbox"], ids=lambda p: p.name
)
def test_the_paragraph_of_a_package_names_each_of_its_files(package: Path) -> None:
    paragraphs = dict(package_paragraphs())

    files = {path.name for path in package.glob("*.py") if path.name != "__init__.py"}

    assert files == set(re.findall(r"`([a-z_0-9]+\.py)`", paragraphs[package])) - {"__init__.py"}

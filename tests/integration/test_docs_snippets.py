"""Every snippet of `meltano.yml` with settings or a selection of the tap is run, and extracts rows from the sandbox."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from meltano.core.plugin.singer.catalog import SelectExecutor, visit

from tap_pigment.sandbox.api import item_id, pigment_app
from tap_pigment.sandbox.demo import (
    DEMO_APPLICATION_ID,
    DEMO_EXPORT_KEY,
    DEMO_HR_APPLICATION_ID,
    DEMO_KEY,
    demo_workspace,
)
from tap_pigment.sandbox.server import serving
from tap_pigment.tap import TapPigment
from tests.integration.test_docs_commands import PLUGIN_LINES, SETTINGS, YAML_BLOCKS, read_yaml
from tests.support.doc_pages import PAGES
from tests.support.taps import Recorder, of_type, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.support.doc_pages import Block
    from tests.support.taps import Message

WORKSPACE = demo_workspace(300)
PLANNING = WORKSPACE.applications[0]
IDS = {block.name: block.id for block in PLANNING.blocks}
BOARD_PACK = PLANNING.views[0].id
BASE, DOWNSIDE = (scenario.id for scenario in PLANNING.scenarios)
FRANCE, GERMANY, JAPAN = (item_id(IDS["Countries"], country) for country in ("France", "Germany", "Japan"))
APPLICATION = {"application_id": DEMO_APPLICATION_ID}
SOME_BLOCKS = {**APPLICATION, "include": ["Countries", "Employees", "GL transactions", "P&L"]}
P_AND_L = {**APPLICATION, "include": ["P&L"]}
NO_APPLICATION = dict[str, Any]()


def cells(messages: Sequence[Message], column: str) -> set[Any]:
    """Return the different cells of all columns with a beginning."""
    return {
        cell
        for message in of_type(messages, "RECORD")
        for name, cell in message["record"].items()
        if name.startswith(column)
    }


def titles(messages: Sequence[Message]) -> set[str]:
    return {
        column["title"]
        for message in of_type(messages, "SCHEMA")
        for column in message["schema"]["properties"].values()
        if "title" in column
    }


@dataclass(frozen=True)
class Snippet:
    """What a snippet needs to run, and what it shows.

    Attributes:
        streams: Streams of which records or files must be emitted.
        settings: What the reader has set besides.
        placeholders: What stands in the sandbox for the ids and names of the page.
        shows: Whether the messages are those that the page promises.
    """

    streams: frozenset[str] = frozenset({"countries", "gl_transactions", "p_l"})
    settings: Mapping[str, Any] = field(default_factory=SOME_BLOCKS.copy)
    placeholders: Mapping[str, str] = field(default_factory=dict)
    shows: Callable[[Sequence[Message]], bool] = bool


SCENARIOS = {"2c9a1f44-0b7e-4b0b-8d3d-6a1f5e7c9b01": BASE, "2c9a1f44-0b7e-4b0b-8d3d-6a1f5e7c9b02": DOWNSIDE}
ANY = Snippet()
# By page, heading, and a word that only this snippet below the heading has.
SNIPPETS = {
    ("docs/streams.md", "Every application", ""): Snippet(
        frozenset({"fp_a_countries", "fp_a_departments_8ccb9841", "hr_skills"}), NO_APPLICATION
    ),
    ("docs/streams.md", "Blocks that need not be listed", ""): Snippet(
        frozenset({"p_l", f"view_{BOARD_PACK[:8]}"}),
        {"api_key": DEMO_EXPORT_KEY},
        {
            "4e5f6a7b-1c2d-4e3f-8a9b-0c1d2e3f4a5b": IDS["Headcount"],
            "9f8e7d6c-5b4a-4c3d-9e2f-1a0b9c8d7e6f": BOARD_PACK,
            "month_GDBAK8": "departments_S3VZ50, countries_8CGYFH, months_M2DSZH, versions_DXC54B",
            "revenue_1X0CA3": "fte_46YVOD",
        },
    ),
    ("docs/streams.md", "Column names", ""): Snippet(shows=lambda messages: titles(messages) >= {"ISO code", "Amount"}),
    ("docs/streams.md", "Large exports in slices", ""): Snippet(
        frozenset({"p_l"}),
        P_AND_L,
        {
            "revenue_by_customer": "p_l",
            "6b0ff4f0-3c0c-4a53-9c2e-1f6f0c7f0a10": IDS["Amount"],
            "0d7a6d0e-5c0b-4a4e-8f25-0a4f3c1f9b01": IDS["Countries"],
            "f1b0c3f2-7a55-4c9b-9f0e-2b8f5d6c1a01": FRANCE,
            "f1b0c3f2-7a55-4c9b-9f0e-2b8f5d6c1a02": GERMANY,
            "f1b0c3f2-7a55-4c9b-9f0e-2b8f5d6c1a03": JAPAN,
        },
        lambda messages: cells(messages, "countries_") == {"France", "Germany", "Japan"},
    ),
    ("docs/streams.md", "Scenarios", "budget_and_forecast"): Snippet(
        frozenset({"budget_and_forecast"}),
        {**APPLICATION, "include": ["budget_and_forecast"]},
        SCENARIOS,
        lambda messages: cells(messages, "scenario_") == {"Base", "Downside"},
    ),
    ("docs/streams.md", "Scenarios", "slices"): Snippet(
        frozenset({"p_l"}), P_AND_L, SCENARIOS, lambda messages: cells(messages, "scenario_") == {"Base", "Downside"}
    ),
    ("docs/streams.md", "Deselected columns", "select"): Snippet(
        frozenset({"countries", "employees"}),
        shows=lambda messages: bool(cells(messages, "employee_number_")) and not cells(messages, "email_"),
    ),
    ("docs/streams.md", "Deselected columns", "metrics"): Snippet(
        frozenset({"p_l"}),
        P_AND_L,
        {"8d0c9a52-0b7e-4c55-9f0e-3c1f6a2d4b7e": IDS["Units"]},
        lambda messages: bool(cells(messages, "units_")) and not cells(messages, "amount_"),
    ),
    ("docs/streams.md", "Metadata streams", ""): Snippet(
        frozenset({"pigment_applications", "pigment_blocks", "pigment_views", "hr_skills"}),
        NO_APPLICATION,
        {
            "5bd35c53-6e29-4d0f-a6a6-35e5b3f0f3b1": DEMO_APPLICATION_ID,
            "7c1d2a0e-9f41-4e0b-8a55-1f6c2b7d9e10": DEMO_HR_APPLICATION_ID,
        },
    ),
    ("docs/change-detection.md", "row", ""): Snippet(
        shows=lambda messages: cells(messages, "_sdc_deleted_at") == {None}
    ),
}
# Its columns are those of a list with difficult names, which the sandbox lacks.
RUN_ELSEWHERE = {("docs/streams.md", "Stream maps"): "tests/targets/test_stream_maps.py"}


def heading(block: Block) -> str:
    """Return the heading above a block."""
    above = PAGES[block.page].splitlines()[: block.line]
    return [line.lstrip("# ") for line in above if re.match(r"##+ ", line)][-1]


def part_of_tap(value: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML.
    """Return what a block of YAML says about the tap: its lines of a plugin; empty if it says nothing."""
    if value.keys() <= SETTINGS:
        value = {"config": value}
    if value.keys() <= PLUGIN_LINES:
        return dict(value)
    plugins = value.get("plugins", {}).get("extractors", [])
    return next((plugin for plugin in plugins if plugin["name"] == "tap-pigment"), {})


def is_run(block: Block) -> bool:
    """Return whether a block sets or selects anything in the tap, and is run here."""
    return (block.page, heading(block)) not in RUN_ELSEWHERE and not part_of_tap(read_yaml(block)).keys().isdisjoint(
        {"config", "select"}
    )


def snippet_of(block: Block) -> Snippet:
    found = [
        snippet
        for (page, title, word), snippet in SNIPPETS.items()
        if (page, title) == (block.page, heading(block)) and word in block.text
    ]
    return found[0] if found else ANY


BLOCKS = [block for block in YAML_BLOCKS if is_run(block)]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(pigment_app(WORKSPACE, quota=1_000_000)) as server:
        yield server.url


def run(plugin: Mapping[str, Any], settings: Mapping[str, Any], folder: Path) -> list[Message]:
    """Return the messages of a run with a part of `meltano.yml`, whose stores are below a folder."""
    config = {**settings, **plugin.get("config", {}), "on_stream_error": "stop"}
    if "snapshot_uri" in config:
        config["snapshot_uri"] = str(folder / "snapshots")
    if "quota_file" in config:
        config["quota_file"] = str(folder / "quota.db")
    if "batch_config" in config:
        config["batch_config"]["storage"]["root"] = folder.as_uri()
    catalog = None
    if patterns := plugin.get("select"):
        catalog = TapPigment(config=config, setup_mapper=True).catalog.to_dict()
        visit(catalog, SelectExecutor(patterns))
    tap = TapPigment(config=config, catalog=catalog, message_writer=Recorder(), setup_mapper=True)
    tap.sync_all()
    return written(tap)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.page}:{heading(block)}")
def test_a_snippet_extracts_rows(url: str, block: Block, tmp_path: Path) -> None:
    snippet = snippet_of(block)
    text = block.text
    for placeholder, name in snippet.placeholders.items():
        assert placeholder in text
        text = text.replace(placeholder, name)

    plugin = part_of_tap(yaml.safe_load(text))
    messages = run(plugin, {"api_url": url, "api_key": DEMO_KEY, **snippet.settings}, tmp_path)

    emitted = {message["stream"] for message in messages if message["type"] in {"RECORD", "BATCH"}}
    assert emitted >= snippet.streams
    assert snippet.shows(messages)


@pytest.mark.parametrize("place", SNIPPETS, ids=lambda place: "-".join(filter(None, place)))
def test_each_snippet_of_the_table_is_in_its_page(place: tuple[str, str, str]) -> None:
    assert SNIPPETS[place] in [snippet_of(block) for block in BLOCKS]


@pytest.mark.parametrize(
    "capability",
    [
        {"stream_overrides", "slices"},
        {"stream_overrides", "scenarios"},
        {"stream_overrides", "request"},
        {"stream_overrides", "block_type"},
        {"application_ids"},
        {"column_titles"},
        {"metadata_streams"},
        {"change_detection", "snapshot_uri"},
        {"batch_config"},
        {"select"},
    ],
    ids=lambda capability: " ".join(sorted(capability)),
)
def test_each_capability_has_a_snippet_that_is_run(capability: set[str]) -> None:
    assert any(all(f"{name}:" in block.text for name in capability) for block in BLOCKS)

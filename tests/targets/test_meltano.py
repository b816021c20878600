"""Meltano runs the tap and a target as meltano.yml defines them, against a Pigment on localhost."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from tap_pigment.sandbox.server import serving
from tests.support.pigment import API_KEY, APPLICATION_ID, Pigment
from tests.targets.demo import DEMO
from tests.targets.meltano_project import MeltanoProject
from tests.targets.served_sandbox import ServedSandbox

if TYPE_CHECKING:
    from pathlib import Path


def test_each_row_is_in_the_database_once_after_two_runs(demo: ServedSandbox, tmp_path: Path) -> None:
    project = MeltanoProject(tmp_path, demo, {})

    project.meltano("run", "tap-pigment", "target-duckdb")
    project.meltano("run", "tap-pigment", "target-duckdb")

    assert project.database.tables() == set(DEMO)
    for stream, block in DEMO.items():
        hashes = demo.export(*block).hashes()
        assert project.database.rows(stream, ["contentHash"]) == Counter((content,) for content in hashes)


def test_only_changed_rows_are_emitted_from_the_state_of_meltano(tmp_path: Path) -> None:
    app = Pigment()
    block = app.add_list("Countries", "Code;Name\r\nA;Albania\r\nB;Belgium\r\nC;Chile\r\n")
    with serving(app) as server:
        pigment = ServedSandbox(server.url, API_KEY, APPLICATION_ID, ())
        settings = {"change_detection": "row", "snapshot_uri": str(tmp_path / "snapshots")}
        project = MeltanoProject(tmp_path, pigment, {}, **settings)

        project.meltano("run", "tap-pigment", "target-jsonl")
        app.exports[block] = b"Code;Name\r\nA;Albania\r\nB;Belgique\r\nD;Denmark\r\n"
        project.meltano("run", "tap-pigment", "target-jsonl")
        project.meltano("run", "tap-pigment", "target-jsonl")

    [path] = (tmp_path / "output").glob("countries*.jsonl")
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [record["Code"] for record in records[:3]] == ["A", "B", "C"]
    assert sorted((record["Code"], record["Name"], bool(record["_sdc_deleted_at"])) for record in records[3:]) == [
        ("B", "Belgique", False),
        ("C", None, True),
        ("D", "Denmark", False),
    ]


def test_selection_keys_and_types_of_the_project_reach_the_schema(pigment: ServedSandbox, tmp_path: Path) -> None:
    extras = {
        "select": ["people.*", "!people.hired_*"],
        "metadata": {"people": {"table-key-properties": ["zip_EEEEEE", "people_AAAAAA"]}},
        "schema": {"people": {"rate_DDDDDD": {"type": ["string", "null"]}}},
    }
    project = MeltanoProject(tmp_path, pigment, extras, stream_overrides={})

    written = project.meltano("invoke", "tap-pigment")

    messages = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
    [schema] = [message for message in messages if message["type"] == "SCHEMA"]
    assert schema["stream"] == "people"
    assert schema["key_properties"] == ["zip_EEEEEE", "people_AAAAAA"]
    assert "hired_CCCCCC" not in schema["schema"]["properties"]
    assert schema["schema"]["properties"]["rate_DDDDDD"] == {"type": ["string", "null"]}
    assert schema["schema"]["properties"]["zip_EEEEEE"] == {"type": ["string"]}
    assert [message["record"]["rate_DDDDDD"] for message in messages if message["type"] == "RECORD"] == [
        "12.25",
        "13.25",
    ]


def test_environment_variable_overrides_the_project_file(pigment: ServedSandbox, tmp_path: Path) -> None:
    wanted = {
        "block_types": ["Metric"],
        "headers": "friendly",
        "infer_types": False,
        "max_retries": 0,
        "stream_overrides": {"plan": {"name": "budget", "key_columns": ["years_YYYYYY"]}},
    }
    project = MeltanoProject(tmp_path, pigment, {}, **wanted)

    config = json.loads(project.meltano("config", "print", "tap-pigment", "--format", "json"))

    assert {name: config[name] for name in wanted} == wanted


def test_discovery_with_the_catalog_of_the_project_adds_new_blocks_and_keeps_the_others(tmp_path: Path) -> None:
    app = Pigment()
    app.add_list("Countries", "Code;Name\r\nFR;France\r\n")
    app.add_list("Months", "Month\r\nJan\r\n")
    with serving(app) as server:
        pigment = ServedSandbox(server.url, API_KEY, APPLICATION_ID, ())
        project = MeltanoProject(tmp_path, pigment, {"select": ["countries.*", "years.*"]})
        (tmp_path / "catalog.json").write_text(project.meltano("invoke", "--dump=catalog", "tap-pigment"))
        project.set_extras({"catalog": "catalog.json"})
        app.add_list("Years", "Year\r\n2027\r\n")
        app.requests.clear()

        options = ["--discover", "--catalog", "catalog.json"]
        (tmp_path / "new.json").write_text(project.meltano("invoke", "tap-pigment", *options))
        sampled = len(app.requested("/export/"))
        (tmp_path / "new.json").replace(tmp_path / "catalog.json")
        written = project.meltano("invoke", "tap-pigment")

    messages = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
    assert sampled == 1
    assert [message["stream"] for message in messages if message["type"] == "RECORD"] == ["countries", "years"]

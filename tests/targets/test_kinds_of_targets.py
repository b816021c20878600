"""Consecutive runs into targets that append, that replace, and that refuse ACTIVATE_VERSION."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tap_pigment.sandbox.server import serving
from tests.support.pigment import Pigment
from tests.targets.environments import command
from tests.targets.pipeline import environment
from tests.targets.target_runs import SECONDS, TargetRuns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    Runs = list[bytes]

# The exports of three nights: the second one changes nothing, the third one edits, deletes and adds a row.
NIGHTS = (
    b"Code;Name\r\nA;Albania\r\nB;Belgium\r\nC;Chile\r\n",
    b"Code;Name\r\nA;Albania\r\nB;Belgium\r\nC;Chile\r\n",
    b"Code;Name\r\nA;Albania\r\nC;Chile!\r\nD;Denmark\r\n",
)
FIRST = [("A", "Albania"), ("B", "Belgium"), ("C", "Chile")]
LAST = [("A", "Albania"), ("C", "Chile!"), ("D", "Denmark")]


class Modes(NamedTuple):
    """The messages of three runs, for each way to set the tap."""

    by_default: Runs
    without_versions: Runs
    of_changed_streams: Runs
    of_changed_rows: Runs


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> Modes:
    """Return the messages of the runs."""
    folder = tmp_path_factory.mktemp("nights")
    row = {"change_detection": "row", "snapshot_uri": str(folder / "snapshots")}
    return Modes(
        by_default=runs_with({}, folder, NIGHTS),
        without_versions=runs_with({"emit_activate_version_messages": False}, folder, NIGHTS[:1]),
        of_changed_streams=runs_with({"change_detection": "stream"}, folder, NIGHTS),
        of_changed_rows=runs_with(row, folder, NIGHTS[1:]),
    )


def runs_with(settings: Mapping[str, Any], folder: Path, nights: Sequence[bytes]) -> Runs:
    """Return the messages of a run each night."""
    app = Pigment()
    block = app.add_list("Countries", b"")
    written = []
    with serving(app) as server:
        app.url = server.url
        runs = TargetRuns(app, folder, {}, folder, settings)
        for export in nights:
            app.exports[block] = export
            finished = runs.tap()
            assert finished.returncode == 0, finished.stderr.decode()
            written.append(finished.stdout)
            runs.keep_state(json.dumps(json.loads(finished.stdout.splitlines()[-1])["value"]).encode())
    return written


def load_each(runs: Runs, target: str, config: Mapping[str, Any], folder: Path) -> None:
    """Load the messages of one run after the other."""
    for run in runs:
        TargetRuns(Pigment(), command(target), config, folder).load(run)


def names(records: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return code and name of each record."""
    return [(record["Code"], record["Name"]) for record in records]


def jsonl_rows(runs: Runs, folder: Path) -> list[tuple[str, str]]:
    """Return the rows of target-jsonl after some runs."""
    load_each(runs, "target-jsonl", {"destination_path": str(folder), "do_timestamp_file": False}, folder)
    return names(map(json.loads, (folder / "countries.jsonl").read_text().splitlines()))


def csv_rows(runs: Runs, folder: Path) -> list[tuple[str, str]]:
    """Return the rows of MeltanoLabs' target-csv after some runs."""
    load_each(runs, "target-csv", {"output_path": str(folder)}, folder)
    with (folder / "countries.csv").open(encoding="utf-8", newline="") as file:
        return names(csv.DictReader(file))


def test_appending_target_has_every_row_of_every_run(messages: Modes, tmp_path: Path) -> None:
    assert jsonl_rows(messages.by_default, tmp_path) == FIRST + FIRST + LAST


def test_appending_target_has_no_row_of_an_unchanged_stream(messages: Modes, tmp_path: Path) -> None:
    assert jsonl_rows(messages.of_changed_streams, tmp_path) == FIRST + LAST


@pytest.mark.parametrize("mode", ["by_default", "of_changed_streams"])
def test_replacing_target_equals_the_export_after_every_night(messages: Modes, mode: str, tmp_path: Path) -> None:
    runs: Runs = getattr(messages, mode)

    rows_by_night = [csv_rows([run], tmp_path) for run in runs]

    assert rows_by_night == [FIRST, FIRST, LAST]


def test_replacing_target_loses_unchanged_rows_with_row_changes(messages: Modes, tmp_path: Path) -> None:
    assert csv_rows(messages.of_changed_rows, tmp_path) == [("B", ""), ("C", "Chile!"), ("D", "Denmark")]


def singer_jsonl(folder: Path) -> TargetRuns:
    """Return runs of target-singer-jsonl into a folder."""
    config = {"destination": "local", "local": {"folder": str(folder / "rows")}}
    return TargetRuns(Pigment(), command("target-singer-jsonl"), config, folder)


def test_refusing_target_fails_with_default_settings(messages: Modes, tmp_path: Path) -> None:
    target = singer_jsonl(tmp_path).target_command

    refused = subprocess.run(
        target, input=messages.by_default[0], capture_output=True, check=False, env=environment(), timeout=SECONDS
    )

    assert refused.returncode == 1
    assert b"Unknown message type ACTIVATE_VERSION" in refused.stderr


def test_refusing_target_appends_without_activate_version(messages: Modes, tmp_path: Path) -> None:
    singer_jsonl(tmp_path).load(messages.without_versions[0])

    [file] = (tmp_path / "rows" / "countries").iterdir()
    lines = gzip.decompress(file.read_bytes()).splitlines()
    assert names(message["record"] for message in map(json.loads, lines) if message["type"] == "RECORD") == FIRST

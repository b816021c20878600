"""The commands `--snapshots list` and `--snapshots prune`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.taps import of_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.pigment import Pigment
    from tests.support.taps import RunCommand, RunTap


@pytest.fixture
def row_config(config: Mapping[str, Any], tmp_path: Path) -> dict[str, Any]:
    """Settings with a store of snapshots."""
    return {**config, "change_detection": "row", "snapshot_uri": str(tmp_path / "snapshots")}


def snapshots(config: Mapping[str, Any]) -> list[str]:
    """Return the names of the stored snapshots."""
    return sorted(path.stem for path in Path(config["snapshot_uri"]).rglob("*.parquet"))


def test_base_of_the_named_snapshot_is_pruned_without_a_request(
    pigment: Pigment, run_tap: RunTap, run_command: RunCommand, row_config: dict[str, Any], tmp_path: Path
) -> None:
    block = pigment.add_list("Countries", "Code;Name\r\nFR;France\r\n")
    settings = {name: row_config[name] for name in ("change_detection", "snapshot_uri")}
    first = of_type(run_tap(**settings), "STATE")[-1]["value"]
    pigment.exports[block] = b"Code;Name\r\nFR;La France\r\n"
    second = of_type(run_tap(state=first, **settings), "STATE")[-1]["value"]
    names = snapshots(row_config)
    (tmp_path / "state.json").write_text(json.dumps(second))
    option = ("--state", str(tmp_path / "state.json"))
    offline = {**row_config, "api_url": "http://127.0.0.1:9"}

    before = run_command("--snapshots", "list", *option, config=offline)
    pruned = run_command("--snapshots", "prune", *option, config=offline)

    assert [before.returncode, pruned.returncode] == [0, 0]
    assert [line.split("  ")[1] for line in before.stdout.splitlines()] == names
    assert before.stdout.count("named by the state") == 1
    [line] = pruned.stdout.splitlines()
    assert line.endswith("  removed")
    assert snapshots(row_config) == [second["bookmarks"]["countries"]["snapshot"]]
    assert line.split("  ")[1] == first["bookmarks"]["countries"]["snapshot"]


def test_nothing_is_pruned_without_a_state(
    pigment: Pigment, run_tap: RunTap, run_command: RunCommand, row_config: dict[str, Any]
) -> None:
    pigment.add_list("Countries", "Code;Name\r\nFR;France\r\n")
    run_tap(change_detection="row", snapshot_uri=row_config["snapshot_uri"])

    ended = run_command("--snapshots", "prune", config=row_config)

    assert ended.returncode == 1
    assert "--snapshots prune: add --state with the last state" in ended.stderr
    assert len(snapshots(row_config)) == 1


def test_store_must_be_set(run_command: RunCommand) -> None:
    ended = run_command("--snapshots", "list")

    assert ended.returncode == 1
    assert "--snapshots: set snapshot_uri" in ended.stderr
    assert "Traceback" not in ended.stderr

"""The spool directory of a killed run, and directories with any name."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from singer_sdk.exceptions import MapExpressionError

from tests.support.taps import of_type, records

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import MakeTap, RunCommand, RunTap

COPIES = "Code;Copies;Filename\r\nFR;1;a\r\nDE;2;b\r\n"
ROWS = [{"Code": "FR", "Copies": "1", "Filename": "a"}, {"Code": "DE", "Copies": "2", "Filename": "b"}]
# DuckDB reads columns from names of folders, and has globs; fsspec and shells have others.
FOLDERS = ["copies=7/c1=x", "x[1]*?", "a{b,c}", "it's; 100%", "data.csv.gz", "key_0=9/fingerprint=9", "content_hash=1"]


def test_the_next_run_removes_the_directory_of_a_killed_run(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any], tmp_path: Path
) -> None:
    pigment.add_list("Numbers", "Code\r\n" + "".join(f"{number}\r\n" for number in range(200_000)))
    pigment.add_list("Countries", "Code\r\nFR\r\n")
    spool_dir = tmp_path / "spool"
    spool_dir.mkdir()
    settings = {**config, "spool_dir": str(spool_dir)}
    (tmp_path / "killed.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "tap_pigment", "--config", str(tmp_path / "killed.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as killed:
        assert killed.stdout
        assert json.loads(killed.stdout.readline())["type"] == "SCHEMA"
        killed.kill()
    left = [path.name for path in spool_dir.glob("*/export-*.csv")]

    result = run_command(config={**settings, "exclude": ["Numbers"]})

    assert left
    assert result.returncode == 0
    assert list(spool_dir.iterdir()) == []


@pytest.fixture(params=FOLDERS)
def spool_dir(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A directory whose name means something to DuckDB, and beside it one that its globs would match."""
    folder = tmp_path / str(request.param)
    folder.mkdir(parents=True)
    (tmp_path / "x1zz").mkdir()
    return folder


def test_records_do_not_depend_on_the_name_of_the_spool_directory(
    pigment: Pigment, run_tap: RunTap, spool_dir: Path
) -> None:
    pigment.add_list("Copies", COPIES)

    messages = run_tap(spool_dir=str(spool_dir))

    assert records(messages, "copies") == ROWS
    assert list(spool_dir.iterdir()) == []


def test_parquet_files_do_not_depend_on_the_name_of_the_spool_directory(
    pigment: Pigment, run_tap: RunTap, spool_dir: Path, tmp_path: Path
) -> None:
    pigment.add_list("Copies", COPIES)
    batch_config = {
        "encoding": {"format": "parquet", "compression": "none"},
        "storage": {"root": (tmp_path / "files").as_uri()},
    }

    messages = run_tap(spool_dir=str(spool_dir), batch_config=batch_config)

    [batch] = of_type(messages, "BATCH")
    [path] = batch["manifest"]
    with duckdb.connect() as connection:
        found = connection.execute("SELECT * EXCLUDE contentHash FROM read_parquet(?)", [path]).fetchall()
    assert found == [("FR", "1", "a"), ("DE", "2", "b")]
    assert [entry for entry in spool_dir.parent.iterdir() if "[[]" in entry.name] == []


@pytest.mark.parametrize("columns", ["Code;Copies", "Text;Text2"], ids=["with a key", "without a key"])
def test_row_changes_do_not_depend_on_the_names_of_directories(
    pigment: Pigment, run_tap: RunTap, spool_dir: Path, columns: str
) -> None:
    block_type, name = ("DimensionList", "copies") if columns.startswith("Code") else ("TransactionList", "texts")
    block = pigment.add(name, block_type, f"{columns}\r\nFR;1\r\nDE;2\r\nIT;3\r\n")
    by_row: dict[str, Any] = {
        "change_detection": "row",
        "snapshot_uri": str(spool_dir / "store"),
        "spool_dir": str(spool_dir),
    }
    state = of_type(run_tap(**by_row), "STATE")[-1]["value"]
    pigment.exports[block] = f"{columns}\r\nFR;1\r\nDE;4\r\n".encode()

    messages = run_tap(state=state, **by_row)

    found = [tuple(record.values())[:2] for record in records(messages, name) if record["_sdc_deleted_at"] is None]
    assert found == [("DE", "4")]
    assert len(of_type(messages, "RECORD")) == (2 if name == "copies" else 3)


def test_no_directory_stays_if_a_stream_map_cannot_be_parsed(pigment: Pigment, tap: MakeTap, tmp_path: Path) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\n")

    with pytest.raises(MapExpressionError):
        tap(spool_dir=str(tmp_path), stream_maps={"countries": {"Twice": "(("}})

    assert list(tmp_path.iterdir()) == []

"""Who takes part: how each is started, and where the rows it writes can be counted."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.benchmarks.columns import WHOLE
from tests.benchmarks.server import APPLICATION_ID, STREAM

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RECORD = "tap-pigment, RECORD"
BATCH = "tap-pigment, BATCH Parquet"
PLAIN = "plain SDK tap, RECORD"
DLT = "dlt, Arrow to Parquet, no hash"

_BATCH_ROWS = 100_000


@dataclass(frozen=True)
class WrittenFiles:
    """The Parquet files of a run.

    Attributes:
        folder: What is empty when a run begins, and deleted after it.
        glob: Which files in it hold the rows.
        column: A column that is filled in every row.
    """

    folder: Path
    glob: str
    column: str


@dataclass(frozen=True)
class Contender:
    """One way of fetching the export.

    Attributes:
        name: What it is called in tables.
        command: The command line; its standard output is a pipe that is read to the end.
        files: Where its rows are; None if they leave as RECORD lines.
        environment: Variables it needs beside those there are.
    """

    name: str
    command: tuple[str, ...]
    files: WrittenFiles | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


def contenders(api_url: str, folder: Path) -> dict[str, Contender]:
    """Return all contenders by name, in the order of their turns; their files go below `folder`."""
    ours = our_contenders(api_url, folder)
    plain_config = _json_file(folder / "plain.json", {"api_url": api_url, "api_key": "none"})
    dlt_folder = folder / "dlt"
    dlt = Contender(
        DLT,
        _module("tests.benchmarks.dlt_arrow", api_url, str(dlt_folder)),
        WrittenFiles(dlt_folder, f"{dlt_folder.name}/{STREAM}/*.parquet", WHOLE),
        # No telemetry; no look for an earlier state, which there never is; nothing left in the home directory.
        {"RUNTIME__DLTHUB_TELEMETRY": "false", "RESTORE_FROM_DESTINATION": "false", "DLT_DATA_DIR": str(dlt_folder)},
    )
    plain = Contender(PLAIN, _module("tests.benchmarks.plain_tap", "--config", plain_config))
    return {RECORD: ours[RECORD], PLAIN: plain, BATCH: ours[BATCH], DLT: dlt}


def our_contenders(api_url: str, folder: Path) -> dict[str, Contender]:
    """Return the tap's two ways out by name, once it has discovered the catalog for both."""
    batches = folder / "batches"
    config = {
        "api_key": "none",
        "api_url": api_url,
        "application_id": APPLICATION_ID,
        # The types that the others are told too. No columns are a key: in random rows none stay unique.
        "stream_overrides": {STREAM: {"key_columns": [], "types": {WHOLE: "integer"}}},
    }
    batch_config = {
        "encoding": {"format": "parquet"},
        "storage": {"root": batches.as_uri(), "prefix": ""},
        "batch_size": _BATCH_ROWS,
    }
    record_config = _json_file(folder / "record.json", config)
    batch_config_file = _json_file(folder / "batch.json", {**config, "batch_config": batch_config})
    catalog = folder / "catalog.json"
    discover = _module("tap_pigment", "--config", record_config, "--discover")
    catalog.write_bytes(subprocess.run(discover, stdout=subprocess.PIPE, check=True).stdout)
    return {
        RECORD: Contender(RECORD, _module("tap_pigment", "--config", record_config, "--catalog", str(catalog))),
        BATCH: Contender(
            BATCH,
            _module("tap_pigment", "--config", batch_config_file, "--catalog", str(catalog)),
            WrittenFiles(batches, "**/*.parquet", "contentHash"),
        ),
    }


def _module(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name, *arguments)


def _json_file(path: Path, content: Mapping[str, Any]) -> str:
    path.write_text(json.dumps(content), "utf-8")
    return str(path)

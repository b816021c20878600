"""Command lines, and the configs, catalogs and exports that they need."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.columns import WHOLE
from tests.benchmarks.measure import log, run_into
from tests.benchmarks.server import APPLICATION_ID, STREAM, serving_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def module(name: str, *arguments: str) -> tuple[str, ...]:
    """Return the command line of a module."""
    return (sys.executable, "-m", name, *arguments)


def tap_config(api_url: str, **settings: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON.
    """Return a config of the tap, which has no quota unless the settings set one."""
    quota = {"requests_per_window": 1_000_000}
    return {"api_key": "none", "api_url": api_url, "application_id": APPLICATION_ID, **quota, **settings}


def table_config(api_url: str, key: Sequence[str] = (), **settings: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON.
    """Return a config of the tap for the table, with the types that other contenders are given too."""
    # The columns that the tap would infer as a key are not unique in random rows.
    override = {"key_columns": list(key), "types": {WHOLE: "integer"}}
    return tap_config(api_url, stream_overrides={STREAM: override}, **settings)


def tap_command(path: Path, config: Mapping[str, Any], name: str = "tap_pigment") -> tuple[str, ...]:
    """Write a config and the catalog that a tap discovers with it, and return the tap's command line with both."""
    path.write_text(json.dumps(config), "utf-8")
    command = module(name, "--config", str(path))
    catalog = path.with_suffix(".catalog")
    run_into(catalog, (*command, "--discover"))
    return (*command, "--catalog", str(catalog))


@contextmanager
def served_table(rows: int) -> Iterator[tuple[str, Path]]:
    """Write and serve an export; yield the API's address, and a folder with the export in `export.csv`."""
    with served_export("tests.benchmarks.export_file", rows) as served:
        yield served


@contextmanager
def served_export(writer: str, rows: int, *arguments: str) -> Iterator[tuple[str, Path]]:
    """Let a module write an export of a number of rows, and serve it; yield the same as `served_table`."""
    with tempfile.TemporaryDirectory(prefix="tap-pigment-benchmark-") as name:
        folder = Path(name)
        export = folder / "export.csv"
        log(f"writing an export of {rows:,} rows")
        # In a process of its own, so that this one stays small: see measure.py.
        subprocess.run(module(writer, str(rows), *arguments, str(export)), check=True)
        with serving_table(export) as api_url:
            yield api_url, folder

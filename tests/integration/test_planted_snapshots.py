"""Files that somebody else puts into the store of snapshots: a full send, and nothing outside of the store changes."""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.support.tap_runs import CHANGED, TapRuns, rows

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import MakeTap

TIME = "20200131T000000000000Z"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def runs(pigment: Pigment, tap: MakeTap, store: Path) -> TapRuns:
    """Runs that compare rows, of which the first has left its snapshot."""
    runs = TapRuns(pigment, tap, {"change_detection": "row", "snapshot_uri": str(store), "max_shrink_percent": 100})
    runs.run()
    return runs


def description(store: Path) -> dict[str, Any]:
    """Return the description of the one snapshot in the store."""
    (path,) = store.rglob("*.parquet")
    with duckdb.connect() as connection:
        [(text,)] = connection.execute("SELECT decode(value) FROM parquet_kv_metadata(?)", [str(path)]).fetchall()
    found: dict[str, Any] = json.loads(text)
    return found


def plant(store: Path, tmp_path: Path, select: str, described: dict[str, Any]) -> str:
    """Put a file with the name of a snapshot into the store, and return the name."""
    path = tmp_path / "planted"
    metadata = json.dumps(described).replace("'", "''")
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet, KV_METADATA {{tap_pigment: '{metadata}'}})")
    name = f"{TIME}-{hashlib.sha256(path.read_bytes()).hexdigest()[:32]}"
    path.rename(store / "countries" / f"{name}.parquet")
    return name


@pytest.mark.parametrize(
    ("select", "described", "reason"),
    [
        ("SELECT uuid() AS fingerprint, ['x'] AS key_0", {"rows": 1}, "its rows are damaged"),
        ("SELECT uuid() AS fingerprint, 'x' AS key_0, 1 AS origin", {"rows": 1}, "its rows are damaged"),
        ("SELECT uuid() AS fingerprint, 'x' AS key_0", {"rows": 7}, "its rows are damaged"),
        ("SELECT uuid() AS fingerprint, 'x' AS key_0", {"rows": -1}, "its description is missing or damaged"),
        (
            "SELECT uuid() AS fingerprint, 'x' AS key_0",
            {"rows": 1, "lineage": {"base": None, "compared": [], "retired": ["../../victim/x"]}},
            "its description is missing or damaged",
        ),
    ],
    ids=["nested key", "another column", "wrong count", "negative count", "a path in the lineage"],
)
def test_planted_snapshot_causes_a_full_send(  # noqa: PLR0913, PLR0917 - three fixtures, three parameters.
    runs: TapRuns,
    store: Path,
    tmp_path: Path,
    select: str,
    described: dict[str, Any],
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    plant(store, tmp_path, select, description(store) | described)

    messages = runs.run_with(CHANGED)

    assert {row["Code"] for row in rows(messages) if row["_sdc_deleted_at"] is None} == {"FR", "DE", "ES"}
    assert re.search(f"countries: full send, because a snapshot cannot be used: {reason}", caplog.text)


@pytest.mark.parametrize("position", [4, 12], ids=["header of a page", "size of a page"])
def test_planted_snapshot_with_a_damaged_page_causes_a_full_send(
    runs: TapRuns, store: Path, tmp_path: Path, position: int, caplog: pytest.LogCaptureFixture
) -> None:
    select = "SELECT uuid() AS fingerprint, 'x' || range AS key_0 FROM range(3000)"
    folder = store / "countries"
    path = folder / f"{plant(store, tmp_path, select, description(store) | {'rows': 3000})}.parquet"
    content = bytearray(path.read_bytes())
    content[position] ^= 0xFF
    path.unlink()
    (folder / f"{TIME}-{hashlib.sha256(content).hexdigest()[:32]}.parquet").write_bytes(content)

    messages = runs.run_with(CHANGED)

    assert {row["Code"] for row in rows(messages) if row["_sdc_deleted_at"] is None} == {"FR", "DE", "ES"}
    assert re.search(
        r"countries: full send, because a snapshot cannot be used: it(s rows are| is) damaged", caplog.text
    )


@pytest.mark.parametrize("member", ["base", "retired"])
def test_lineage_in_the_named_snapshot_deletes_nothing_outside_of_the_store(
    runs: TapRuns, store: Path, tmp_path: Path, member: str
) -> None:
    victim = tmp_path / "victim" / "x.parquet"
    victim.parent.mkdir()
    victim.write_text("keep")
    path = "../../victim/x"
    lineage: dict[str, Any] = {"base": None, "compared": [], "retired": []} | {
        member: path if member == "base" else [path]
    }
    rows_of_three = "SELECT uuid() AS fingerprint, unnest(['FR', 'DE', 'IT']) AS key_0"
    name = plant(store, tmp_path, rows_of_three, description(store) | {"lineage": lineage})
    runs.bookmark["snapshot"] = name

    runs.run_with(CHANGED)
    runs.run()

    assert victim.read_text() == "keep"


@pytest.mark.parametrize("kind", ["named pipe", "directory"])
def test_snapshot_that_is_no_file_causes_a_full_send(
    runs: TapRuns, store: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    (path,) = store.rglob("*.parquet")
    path.unlink()
    if kind == "directory":
        path.mkdir()
    else:
        os.mkfifo(path)

    messages = runs.run_with(CHANGED)

    assert {row["Code"] for row in rows(messages)} == {"FR", "DE", "ES"}
    assert re.search(r"full send, because a snapshot cannot be used: .*\.parquet is not a file", caplog.text)

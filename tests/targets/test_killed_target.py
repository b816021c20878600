"""The run after one whose target was killed: the live rows of a real PostgreSQL equal the export."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tap_pigment.sandbox.server import serving
from tests.support.pigment import Pigment
from tests.targets.databases import Postgres
from tests.targets.target_runs import TargetRuns

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "Code;Name\r\n"
BEFORE = HEADER + "".join(f"{number};before\r\n" for number in range(10))
AFTER = HEADER + "".join(f"{number};after\r\n" for number in range(5, 20))
# Nearly the rows of the state's snapshot: only the snapshot of the killed run shows which rows the table has.
REVERTED = HEADER + "".join(f"{number};before\r\n" for number in range(2, 10))
BATCH_ROWS = 2


@pytest.mark.parametrize(
    ("loaded", "next_export"),
    [
        pytest.param(0, AFTER, id="at once"),
        pytest.param(BATCH_ROWS, AFTER, id="after a batch"),
        pytest.param(10, AFTER, id="after most of the rows"),
        pytest.param(10, REVERTED, id="after most of the rows, which are then reverted"),
    ],
)
def test_next_run_repairs_the_table_of_a_killed_target(
    loaded: int, next_export: str, postgres_url: str, tmp_path: Path
) -> None:
    postgres = Postgres(postgres_url, f"test_{uuid.uuid4().hex}")
    settings = {"change_detection": "row", "snapshot_uri": str(tmp_path / "snapshots"), "max_shrink_percent": 100}
    app = Pigment()
    block = app.add_list("Countries", BEFORE)
    with serving(app) as server:
        app.url = server.url
        config = {**postgres.config, "batch_size_rows": BATCH_ROWS}
        runs = TargetRuns(app, postgres.command, config, tmp_path, settings)
        assert runs.run() == 0
        runs.discover()
        state = runs.state
        app.exports[block] = AFTER.encode()
        finished = runs.tap()
        assert finished.returncode == 0, finished.stderr.decode()
        runs.load_and_kill(finished.stdout, lambda: changed_rows(postgres) >= loaded)
        assert runs.state == state

        app.exports[block] = next_export.encode()
        code = runs.run()

    assert code == 0
    live = postgres.live_rows("countries", ["Code", "Name"])
    assert live == dict.fromkeys(runs.export(block).rows, 1)


def changed_rows(postgres: Postgres) -> int:
    """Return how many rows of the killed run are in the table."""
    return postgres.rows("countries", ["Name"])["after",]

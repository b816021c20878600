"""A target-postgres that is killed with SIGKILL at some point, and then a whole run: the live rows are the export's."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tap_pigment.sandbox.server import serving
from tests.conftest import eventually
from tests.pigment import Pigment
from tests.targets.databases import Postgres
from tests.targets.nights import SECONDS, Nights

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "Code;Name\r\n"
BEFORE = HEADER + "".join(f"{number};before\r\n" for number in range(10))
AFTER = HEADER + "".join(f"{number};after\r\n" for number in range(5, 20))
# What the state knows, for the most part: only what the killed run has sent tells what is in the table.
THEN = HEADER + "".join(f"{number};before\r\n" for number in range(2, 10))
BATCH_ROWS = 2


@pytest.mark.parametrize("arrived", [0, BATCH_ROWS, 10], ids=["at once", "after a batch", "after most of the rows"])
@pytest.mark.parametrize("next_export", [AFTER, THEN], ids=["the same export", "another"])
def test_a_target_that_is_killed_is_made_whole_by_the_next_run(
    arrived: int, next_export: str, postgres_url: str, tmp_path: Path
) -> None:
    postgres = Postgres(postgres_url, f"test_{uuid.uuid4().hex}")
    settings = {"change_detection": "row", "snapshot_uri": str(tmp_path / "snapshots"), "max_shrink_percent": 100}
    app = Pigment()
    block = app.add_list("Countries", BEFORE)
    with serving(app) as server:
        app.url = server.url
        config = {**postgres.config, "batch_size_rows": BATCH_ROWS}
        nights = Nights(app, postgres.command, config, tmp_path, settings)
        assert nights.run() == 0
        nights.discover()

        app.exports[block] = AFTER.encode()
        messages = nights.tap().stdout
        nights.load_and_kill(messages, lambda _: eventually(lambda: changed_rows(postgres) >= arrived, SECONDS))
        app.exports[block] = next_export.encode()
        assert nights.run() == 0

    live = postgres.live_rows("countries", ["Code", "Name"])
    assert live == dict.fromkeys(nights.export(block).rows, 1)


def changed_rows(postgres: Postgres) -> int:
    """Return how many rows of the killed run are in the table."""
    return len([name for (name,) in postgres.rows("countries", ["Name"]).elements() if name == "after"])

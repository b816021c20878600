"""With default settings, the tables of target-postgres equal the exports after every night."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.sandbox.demo.workspace import DEMO_APPLICATION_ID, DEMO_KEY, demo_workspace
from tests.targets.conftest import served
from tests.targets.databases import Postgres
from tests.targets.pipeline import run_pipeline

if TYPE_CHECKING:
    from pathlib import Path

# A ledger without a key, a list and a table, each with the number of its key columns.
BLOCKS = {"gl_transactions": ("GL transactions", 0), "employees": ("Employees", 1), "p_l": ("P&L", 5)}
ROWS = 300
SEEDS = (1, 2, 2)  # The data of another day, and then the same again.


@pytest.mark.parametrize("hard_delete", [True, False])
def test_tables_equal_the_exports_after_every_night(tmp_path: Path, postgres_url: str, *, hard_delete: bool) -> None:
    postgres = Postgres(postgres_url, f"test_{uuid.uuid4().hex}")
    target_config = {**postgres.config, "hard_delete": hard_delete}
    options: list[str] = []

    for seed in SEEDS:
        with served(demo_workspace(ROWS, seed), DEMO_KEY, DEMO_APPLICATION_ID) as pigment:
            config: dict[str, Any] = {**pigment.config, "include": [block for block, _ in BLOCKS.values()]}
            finished = run_pipeline(config, postgres.command, target_config, tmp_path, *options)
            exports = {stream: pigment.export(block) for stream, (block, _) in BLOCKS.items()}
        state = tmp_path / "state.json"
        state.write_text(json.dumps(finished.state))
        options = ["--state", str(state)]

        for stream, export in exports.items():
            columns = [*export.header, "contentHash"]
            rows = (postgres.rows if hard_delete else postgres.live_rows)(stream, columns)
            key = export.header[: BLOCKS[stream][1]]
            assert rows == export.typed_rows(postgres.readers(stream, export.header), key), (seed, stream)

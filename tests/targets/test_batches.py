"""BATCH files as an SDK target with that capability takes them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.targets.databases import Postgres
from tests.targets.demo import DEMO
from tests.targets.pipeline import run_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from tests.targets.pigment import Pigment


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_every_row_in_json_files_is_in_the_database_once_with_its_hash(
    demo: Pigment, postgres_url: str, tmp_path: Path, compression: str
) -> None:
    database = Postgres(postgres_url, f"test_{uuid.uuid4().hex}")
    batch_config = {
        "encoding": {"format": "jsonl", "compression": compression},
        "storage": {"root": (tmp_path / "batches").as_uri()},
        "batch_size": 300,
    }

    run_pipeline({**demo.config, "batch_config": batch_config}, database.command, database.config, tmp_path)

    ledger = demo.export(*DEMO["gl_transactions"])
    assert len(list((tmp_path / "batches").glob("*--gl_transactions-*"))) == -(-len(ledger.rows) // 300)
    for stream, block in DEMO.items():
        export = demo.export(*block)
        rows = database.rows(stream, [*export.header, "contentHash"])
        key_size = {"headcount": 4, "p_l": 5}.get(stream, 0)
        assert rows == export.typed_rows(database.readers(stream, export.header), export.header[:key_size])

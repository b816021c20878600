"""Runs of one stream without tap and server: an export is planned, and its records are made."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb

from tap_pigment.changes import RecordSpec, SnapshotStore, StreamRun, plan_sync
from tap_pigment.output import deletion_blocks, record_blocks
from tap_pigment.settings import Settings
from tests.support.export_files import COLUMNS, csv_bytes, duckdb_session, export_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_pigment.changes import Bookmark, SyncPlan
    from tap_pigment.columns import RowKey
    from tap_pigment.exports import DuckDBSession

LOGGER = logging.getLogger("planned-runs")

Rows = list[list[str]]
Record = dict[str, Any]


class PlannedRuns:
    """Runs of the stream `plan`, whose exports have the columns `a` and `b`, with a store of snapshots.

    Args:
        folder: Where the exports and the store are.
        key: The key.
        session: DuckDB.
        settings: Settings; the default compares row by row.

    Attributes:
        session: DuckDB.
        store_uri: The address of the store.
        store: The store; it is used with `change_detection: row`.
    """

    def __init__(self, folder: Path, key: RowKey, session: DuckDBSession, **settings: Any) -> None:  # noqa: ANN401 - JSON.
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._key = key
        self.session = session
        self.store_uri = str(folder / "store")
        self._config = {
            "api_key": "k",
            "application_id": "app-1",
            "change_detection": "row",
            "snapshot_uri": self.store_uri,
            "max_shrink_percent": 100,
            **settings,
        }
        self.store = SnapshotStore(self.store_uri)

    @contextmanager
    def planned(
        self, rows: Rows, bookmark: Bookmark | None = None, *, quoting: int = csv.QUOTE_MINIMAL
    ) -> Iterator[SyncPlan]:
        """Give the plan of a run from a state."""
        content = csv_bytes([["a", "b"], *rows], quoting=quoting)
        file = replace(export_file(self._folder, content), digest=hashlib.sha256(content))
        run = StreamRun(
            name="plan",
            columns=COLUMNS,
            key=self._key,
            spec=RecordSpec.of(COLUMNS, self._key, {}),
            settings=Settings.from_config(self._config),
            bookmark=bookmark,
            tap_version="tap-pigment/0",
            session=self.session,
            store=self.store if self._config["change_detection"] == "row" else None,
            logger=LOGGER,
        )
        try:
            with plan_sync(run, file) as plan:
                yield plan
        finally:
            file.delete()

    def run(
        self, rows: Rows, bookmark: Bookmark | None = None, *, quoting: int = csv.QUOTE_MINIMAL
    ) -> tuple[list[Record], Bookmark]:
        """Return the records that a run from a state emits, and its own state."""
        with self.planned(rows, bookmark, quoting=quoting) as plan:
            return emitted(plan), plan.bookmark

    def snapshot_rows(self, bookmark: Bookmark) -> list[tuple[Any, ...]]:
        """Return the rows of the snapshot that a state names."""
        path = self._folder / "store" / "plan" / f"{bookmark.snapshot}.parquet"
        with duckdb.connect() as connection:
            return connection.execute("SELECT * FROM read_parquet(?) ORDER BY ALL", [str(path)]).fetchall()


@contextmanager
def planned_runs(folder: Path, key: RowKey, **settings: Any) -> Iterator[PlannedRuns]:  # noqa: ANN401 - JSON.
    """Give runs with a session of their own."""
    folder.mkdir(exist_ok=True)
    with duckdb_session(folder) as session:
        yield PlannedRuns(folder, key, session, **settings)


def emitted(plan: SyncPlan) -> list[Record]:
    """Return the records of a plan, after a check that both ways to make them give the same ones."""
    found: list[Record] = []
    for part, blocks in (
        (plan.records, record_blocks(plan.records, before="", after="") if plan.records else ()),
        (plan.deleted, deletion_blocks(plan.deleted, before="", after="") if plan.deleted else ()),
    ):
        if part is None:
            continue
        lines = b"".join(block for block, _ in blocks).decode().split("\n")[:-1]
        from_lines = [json.loads(line) for line in lines]
        assert sorted(map(str, part.records())) == sorted(map(str, from_lines))
        found += from_lines
    return found

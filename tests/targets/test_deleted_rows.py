"""Deletion records of `change_detection: row`, in each target."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.sandbox.server import serving
from tests.support.pigment import Pigment
from tests.targets.databases import Database, DuckDb, Postgres
from tests.targets.environments import command
from tests.targets.target_runs import TargetRuns

if TYPE_CHECKING:
    from pathlib import Path


# The exports of three runs: in the second one rows are deleted, and in the third one some of them return.
COUNTRIES = (
    b"Code;Name;Size\r\nA;Albania;1.5\r\nB;Belgium;2.5\r\nC;Chile;3.5\r\n",
    b"Code;Name;Size\r\nA;Albania;1.5\r\nC;Chile!;3.5\r\n",
    b"Code;Name;Size\r\nA;Albania;1.5\r\nC;Chile!;3.5\r\nB;Belgium;2.5\r\n",
)
ENTRIES = (
    b"Text;Amount\r\nsame;1.5\r\nsame;1.5\r\nother;2.5\r\n",
    b"Text;Amount\r\nsame;1.5\r\nnew;3.5\r\n",
    b"Text;Amount\r\nsame;1.5\r\nnew;3.5\r\nother;2.5\r\n",
)
DELETED = "deleted"  # Stands for any time of deletion.


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Return the messages of the three runs."""
    folder = tmp_path_factory.mktemp("deleted")
    app = Pigment()
    blocks = app.add_list("Countries", b""), app.add("Entries", "TransactionList", b"")
    settings = {"change_detection": "row", "snapshot_uri": str(folder / "snapshots")}
    written = []
    with serving(app) as server:
        app.url = server.url
        runs = TargetRuns(app, folder, {}, folder, settings)
        for exports in zip(COUNTRIES, ENTRIES, strict=True):
            app.exports = dict(zip(blocks, exports, strict=True))
            finished = runs.tap()
            assert finished.returncode == 0, finished.stderr.decode()
            written.append(finished.stdout)
            runs.state = json.loads(finished.stdout.splitlines()[-1])["value"]
    return written


def load(messages: bytes, target: Path, config: dict[str, Any], folder: Path) -> None:
    """Load messages into a target."""
    TargetRuns(Pigment(), target, config, folder).load(messages)


def rows(database: Database, stream: str, columns: list[str]) -> list[tuple[Any, ...]]:
    """Return the rows of a table, with the rows that are marked as deleted at the end."""
    found = database.rows(stream, [*columns, "_sdc_deleted_at"])
    marked = [(*cells, DELETED if isinstance(at, datetime) else at) for *cells, at in found.elements()]
    return sorted(marked, key=lambda row: (row[-1] == DELETED, str(row)))


def marking_database(kind: str, folder: Path, request: pytest.FixtureRequest) -> Database:
    """Return an empty database of a kind."""
    schema = f"test_{uuid.uuid4().hex}"
    if kind == "postgres":
        return Postgres(request.getfixturevalue("postgres_url"), schema)
    return DuckDb(folder / "warehouse.duckdb", schema)


@pytest.mark.parametrize("kind", ["postgres", "duckdb"])
def test_deleted_row_is_marked_and_has_only_its_key_until_it_returns(
    kind: str, messages: list[bytes], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = marking_database(kind, tmp_path, request)
    seen = []

    for run in messages:
        load(run, database.command, database.config, tmp_path)
        seen.append((rows(database, "countries", ["Code", "Name"]), rows(database, "entries", ["Text", "occurrence"])))

    assert seen == [
        (
            [("A", "Albania", None), ("B", "Belgium", None), ("C", "Chile", None)],
            [("other", 1, None), ("same", 1, None), ("same", 2, None)],
        ),
        (
            [("A", "Albania", None), ("C", "Chile!", None), ("B", None, DELETED)],
            [("new", 1, None), ("same", 1, None), (None, 1, DELETED), (None, 2, DELETED)],
        ),
        (
            [("A", "Albania", None), ("B", "Belgium", None), ("C", "Chile!", None)],
            [("new", 1, None), ("other", 1, None), ("same", 1, None), (None, 2, DELETED)],
        ),
    ]


def test_target_duckdb_deletes_deleted_rows_with_hard_delete(messages: list[bytes], tmp_path: Path) -> None:
    database = DuckDb(tmp_path / "warehouse.duckdb", "s")
    seen = []

    for run in messages:
        load(run, database.command, {**database.config, "hard_delete": True}, tmp_path)
        seen.append((rows(database, "countries", ["Code", "Name"]), rows(database, "entries", ["Text", "occurrence"])))

    assert seen[1:] == [
        (
            [("A", "Albania", None), ("C", "Chile!", None)],
            [("new", 1, None), ("same", 1, None)],
        ),
        (
            [("A", "Albania", None), ("B", "Belgium", None), ("C", "Chile!", None)],
            [("new", 1, None), ("other", 1, None), ("same", 1, None)],
        ),
    ]


def test_target_postgres_marks_deleted_rows_despite_hard_delete(
    messages: list[bytes], tmp_path: Path, postgres_url: str
) -> None:
    database = Postgres(postgres_url, f"test_{uuid.uuid4().hex}")
    config = {**database.config, "hard_delete": True, "activate_version": True}

    for run in messages[:2]:
        load(run, database.command, config, tmp_path)

    assert rows(database, "countries", ["Code", "Name"])[-1] == ("B", None, DELETED)


def test_target_jsonl_appends_the_key_of_a_deleted_row(messages: list[bytes], tmp_path: Path) -> None:
    config = {"destination_path": str(tmp_path), "do_timestamp_file": False}

    for run in messages:
        load(run, command("target-jsonl"), config, tmp_path)

    records = [json.loads(line) for line in (tmp_path / "countries.jsonl").read_text().splitlines()]
    assert [(record["Code"], record["Name"], bool(record["_sdc_deleted_at"])) for record in records] == [
        ("A", "Albania", False),
        ("B", "Belgium", False),
        ("C", "Chile", False),
        ("B", None, True),
        ("C", "Chile!", False),
        ("B", "Belgium", False),
    ]

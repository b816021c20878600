"""ACTIVATE_VERSION with target-postgres and a real PostgreSQL: it deletes the right rows, and no others."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

import pytest

from tap_pigment.sandbox.server import serving
from tests.support.pigment import CSV, Answer, Pigment
from tests.targets.databases import Postgres
from tests.targets.target_runs import TargetRuns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOUR = {"A": "Albania", "B": "Belgium", "C": "Chile", "D": "Denmark"}


def export(rows: dict[str, str]) -> bytes:
    """Return the export of a list of countries."""
    return ("Code;Name\r\n" + "".join(f"{code};{name}\r\n" for code, name in rows.items())).encode()


class Countries(TargetRuns):
    """Runs on one list of countries."""

    def __init__(self, pigment: Pigment, postgres: Postgres, folder: Path) -> None:
        config = {**postgres.config, "hard_delete": True, "activate_version": True}
        super().__init__(pigment, postgres.command, config, folder, {"emit_activate_version_messages": True})
        self.block = pigment.add_list("Countries", export(FOUR))
        self._postgres = postgres

    def rows(self) -> dict[str, str]:
        """Return the rows of the table."""
        return dict(self._postgres.query(f'SELECT "Code", "Name" FROM {self._postgres.schema}.countries'))  # noqa: S608 - our names.


@pytest.fixture(scope="module")
def loaded(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Countries]:
    """Serve a Pigment whose list of countries was loaded once, with its discovered catalog."""
    app = Pigment()
    with serving(app) as server:
        app.url = server.url
        postgres = Postgres(postgres_url, f"test_{uuid.uuid4().hex}")
        runs = Countries(app, postgres, tmp_path_factory.mktemp("runs"))
        assert runs.run() == 0
        runs.discover()
        yield runs


@pytest.fixture
def runs(loaded: Countries) -> Countries:
    """Return the runs with the four countries in Pigment and in the table, whatever an earlier test did."""
    loaded.pigment.exports[loaded.block] = export(FOUR)
    loaded.pigment.answer_normally()
    if loaded.rows() != FOUR:
        assert loaded.run(max_shrink_percent=100) == 0
    assert loaded.rows() == FOUR
    return loaded


def test_rows_deleted_in_pigment_are_deleted_from_the_table(runs: Countries) -> None:
    runs.pigment.exports[runs.block] = export({"A": "Albania", "C": "Chile!", "E": "Egypt"})

    code = runs.run()

    assert code == 0
    assert runs.rows() == {"A": "Albania", "C": "Chile!", "E": "Egypt"}


def test_versions_of_consecutive_runs_increase(runs: Countries) -> None:
    first = runs.state["bookmarks"]["countries"]["version"]

    runs.run()

    assert runs.state["bookmarks"]["countries"]["version"] > first
    assert runs.rows() == FOUR


# One of each kind: `tests/faults` has all of them, without a target.
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(500), id="an error"),
        pytest.param(Answer(body=export(FOUR), headers=CSV, cut_after=27), id="truncated"),
        pytest.param(Answer(body=export({}), headers=CSV), id="no rows"),
        pytest.param(Answer(body=export(FOUR) + b"A;Again\r\n", headers=CSV), id="a key twice"),
        pytest.param(Answer(body=b"Name\r\nAlbania\r\n", headers=CSV), id="a missing column"),
    ],
)
def test_failed_export_deletes_no_row(runs: Countries, answer: Answer) -> None:
    runs.pigment.always_answer("/export/", answer)
    before = runs.state

    code = runs.run()

    assert code == 1
    assert runs.rows() == FOUR
    assert runs.state == before


def test_empty_export_without_a_state_deletes_no_row(runs: Countries) -> None:
    runs.pigment.exports[runs.block] = export({})
    runs.state = None

    code = runs.run()

    assert code == 0
    assert runs.rows() == FOUR


@pytest.mark.parametrize("records", [0, 3])
def test_truncated_messages_delete_rows_only_in_the_order_of_the_sdk(runs: Countries, records: int) -> None:
    lines = runs.tap().stdout.splitlines(keepends=True)
    types = [json.loads(line)["type"] for line in lines]
    assert types == ["STATE", "SCHEMA", *["RECORD"] * 4, "ACTIVATE_VERSION", "STATE"]
    sdk_order = [*lines[:2], lines[6], *lines[2:6], lines[7]]

    runs.load(b"".join(lines[: 2 + records]))
    rows_in_our_order = runs.rows()
    runs.load(b"".join(sdk_order[: 3 + records]))
    rows_in_the_sdks_order = runs.rows()

    assert rows_in_our_order == FOUR
    assert len(rows_in_the_sdks_order) == records

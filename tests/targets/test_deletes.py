"""Rows that are gone from Pigment, deleted by target-postgres in a real PostgreSQL; and rows that must not be."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

import pytest

from tap_pigment.sandbox.server import serving
from tests.pigment import CSV, Answer, Pigment
from tests.targets.databases import Postgres
from tests.targets.nights import Nights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOUR = {"A": "Albania", "B": "Belgium", "C": "Chile", "D": "Denmark"}


def export(rows: dict[str, str]) -> bytes:
    """Return the export of a list of countries."""
    return ("Code;Name\r\n" + "".join(f"{code};{name}\r\n" for code, name in rows.items())).encode()


class Countries(Nights):
    """Runs on the one list that there is."""

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
    """Serve a Pigment whose list of countries has been loaded once, with the catalog that was discovered for it."""
    app = Pigment()
    with serving(app) as server:
        app.url = server.url
        postgres = Postgres(postgres_url, f"test_{uuid.uuid4().hex}")
        nights = Countries(app, postgres, tmp_path_factory.mktemp("nights"))
        assert nights.run() == 0
        nights.discover()
        yield nights


@pytest.fixture
def nights(loaded: Countries) -> Countries:
    """Return them with the four countries in Pigment and in the table, whatever a test before has done."""
    loaded.pigment.exports[loaded.block] = export(FOUR)
    loaded.pigment.answer_always_as_it_is()
    if loaded.rows() != FOUR:
        assert loaded.run(max_shrink_percent=100) == 0
    assert loaded.rows() == FOUR
    return loaded


def test_rows_that_are_gone_from_pigment_are_gone_from_the_table(nights: Countries) -> None:
    nights.pigment.exports[nights.block] = export({"A": "Albania", "C": "Chile!", "E": "Egypt"})

    code = nights.run()

    assert code == 0
    assert nights.rows() == {"A": "Albania", "C": "Chile!", "E": "Egypt"}


def test_versions_of_runs_that_follow_each_other_at_once_increase(nights: Countries) -> None:
    first = nights.state["bookmarks"]["countries"]["version"]

    nights.run()

    assert nights.state["bookmarks"]["countries"]["version"] > first
    assert nights.rows() == FOUR


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500),
        Answer(403),
        Answer(404),
        Answer(429),
        Answer(body=export(FOUR), headers=CSV, cut_after=27),
        Answer(body=export(FOUR), headers=CSV, announce=len(export(FOUR)), cut_after=27),
        Answer(body=b"<html>Log in</html>", headers={"Content-Type": "text/html"}),
        Answer(body=b"", headers=CSV),
        Answer(body=export({}), headers=CSV),
        Answer(body=export({"A": "Albania"}), headers=CSV),
        Answer(body=export({"A": "Albania", "B": "B;x"}), headers=CSV),
        Answer(body=export(FOUR) + b"A;Again\r\n", headers=CSV),
        Answer(body=b"Name\r\nAlbania\r\n", headers=CSV),
    ],
    ids=lambda answer: f"{answer.status}-{len(answer.body)}-{answer.cut_after}-{answer.announce}",
)
def test_an_export_that_fails_deletes_not_one_row(nights: Countries, answer: Answer) -> None:
    nights.pigment.always_answer("/export/", answer)
    before = nights.state

    code = nights.run()

    assert code == 1
    assert nights.rows() == FOUR
    assert nights.state == before


def test_a_run_without_its_state_deletes_nothing_for_an_empty_export(nights: Countries) -> None:
    nights.pigment.exports[nights.block] = export({})
    nights.state = None

    code = nights.run()

    assert code == 0
    assert nights.rows() == FOUR


@pytest.mark.parametrize("records", [0, 1, 3])
def test_messages_that_break_off_delete_nothing_in_the_order_of_the_tap_and_rows_in_that_of_the_sdk(
    nights: Countries, records: int
) -> None:
    lines = nights.tap().stdout.splitlines(keepends=True)
    kinds = [json.loads(line)["type"] for line in lines]
    assert kinds == ["STATE", "SCHEMA", *["RECORD"] * 4, "ACTIVATE_VERSION", "STATE"]
    sdk_order = [*lines[:2], lines[6], *lines[2:6], lines[7]]

    nights.load(b"".join(lines[: 2 + records]))
    rows_with_our_order = nights.rows()
    nights.load(b"".join(sdk_order[: 3 + records]))
    rows_with_the_sdks_order = nights.rows()

    assert rows_with_our_order == FOUR
    assert len(rows_with_the_sdks_order) == records

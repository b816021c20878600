"""Rows that are gone from Pigment, deleted by target-postgres in a real PostgreSQL; and rows that must not be."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.sandbox.server import serving
from tests.pigment import API_KEY, APPLICATION_ID, CSV, Answer, Pigment
from tests.targets.databases import Postgres
from tests.targets.pipeline import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOUR = {"A": "Albania", "B": "Belgium", "C": "Chile", "D": "Denmark"}


def export(rows: dict[str, str]) -> bytes:
    """Return the export of a list of countries."""
    return ("Code;Name\r\n" + "".join(f"{code};{name}\r\n" for code, name in rows.items())).encode()


@dataclass
class Nights:
    """Runs of the tap into target-postgres, each from the state that the one before has left.

    Attributes:
        block: The id of the one block that there is.
        state: The last state that the target wrote; None before the first run.
    """

    pigment: Pigment
    block: str
    postgres: Postgres
    folder: Path
    state: Any = None

    def tap(self, **settings: Any) -> subprocess.CompletedProcess[bytes]:  # noqa: ANN401 - JSON.
        """Run the tap and return what it wrote."""
        config = {
            "api_url": self.pigment.url,
            "api_key": API_KEY,
            "application_id": APPLICATION_ID,
            "emit_activate_version_messages": True,
            "max_retries": 0,
            "parallel_exports": 1,
            **settings,
        }
        command = [sys.executable, "-m", "tap_pigment", "--config", self._file("tap.json", config)]
        if self.catalog.exists():
            command += ["--catalog", str(self.catalog)]
        if self.state is not None:
            command += ["--state", self._file("state.json", self.state)]
        return subprocess.run(command, capture_output=True, check=False, env=environment(), timeout=60)

    def load(self, messages: bytes) -> None:
        """Load messages, and keep the last state that the target has made sure of."""
        config = self._file("target.json", {**self.postgres.config, "hard_delete": True, "activate_version": True})
        command = [str(self.postgres.command), "--config", config]
        finished = subprocess.run(
            command, input=messages, capture_output=True, check=False, env=environment(), timeout=60
        )
        assert finished.returncode == 0, finished.stderr.decode()
        if states := finished.stdout.splitlines():
            self.state = json.loads(states[-1])

    def run(self, **settings: Any) -> int:  # noqa: ANN401 - JSON.
        """Run the tap into the target and return the tap's exit code."""
        finished = self.tap(**settings)
        self.load(finished.stdout)
        return finished.returncode

    def rows(self) -> dict[str, str]:
        """Return the rows of the table."""
        return dict(self.postgres.query(f'SELECT "Code", "Name" FROM {self.postgres.schema}.countries'))  # noqa: S608 - our names.

    @property
    def catalog(self) -> Path:
        """The file of the catalog, if one is used."""
        return self.folder / "catalog.json"

    def _file(self, name: str, content: Any) -> str:  # noqa: ANN401 - JSON.
        path = self.folder / name
        path.write_text(json.dumps(content))
        return str(path)


@pytest.fixture(scope="module")
def loaded(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    """Serve a Pigment whose list of countries has been loaded once, with the catalog that was discovered for it."""
    app = Pigment()
    block = app.add_list("Countries", export(FOUR))
    with serving(app) as server:
        app.url = server.url
        folder = tmp_path_factory.mktemp("nights")
        nights = Nights(app, block, Postgres(postgres_url, f"test_{uuid.uuid4().hex}"), folder)
        assert nights.run() == 0
        discover = [sys.executable, "-m", "tap_pigment", "--config", str(folder / "tap.json"), "--discover"]
        nights.catalog.write_bytes(subprocess.run(discover, capture_output=True, check=True, env=environment()).stdout)
        yield nights


@pytest.fixture
def nights(loaded: Nights) -> Nights:
    """Return them with the four countries in Pigment and in the table, whatever a test before has done."""
    loaded.pigment.exports[loaded.block] = export(FOUR)
    loaded.pigment.answer_always_as_it_is()
    if loaded.rows() != FOUR:
        assert loaded.run(max_shrink_percent=100) == 0
    assert loaded.rows() == FOUR
    return loaded


def test_rows_that_are_gone_from_pigment_are_gone_from_the_table(nights: Nights) -> None:
    nights.pigment.exports[nights.block] = export({"A": "Albania", "C": "Chile!", "E": "Egypt"})

    code = nights.run()

    assert code == 0
    assert nights.rows() == {"A": "Albania", "C": "Chile!", "E": "Egypt"}


def test_versions_of_runs_that_follow_each_other_at_once_increase(nights: Nights) -> None:
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
def test_an_export_that_fails_deletes_not_one_row(nights: Nights, answer: Answer) -> None:
    nights.pigment.always_answer("/export/", answer)
    before = nights.state

    code = nights.run()

    assert code == 1
    assert nights.rows() == FOUR
    assert nights.state == before


def test_a_run_without_its_state_deletes_nothing_for_an_empty_export(nights: Nights) -> None:
    nights.pigment.exports[nights.block] = export({})
    nights.state = None

    code = nights.run()

    assert code == 0
    assert nights.rows() == FOUR


@pytest.mark.parametrize("records", [0, 1, 3])
def test_messages_that_break_off_delete_nothing_in_the_order_of_the_tap_and_rows_in_that_of_the_sdk(
    nights: Nights, records: int
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

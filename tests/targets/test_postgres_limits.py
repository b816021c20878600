"""What PostgreSQL limits: names of 63 bytes, and texts without NUL characters."""

from __future__ import annotations

import subprocess
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.sandbox.server import serving
from tests.support.pigment import Pigment
from tests.targets.databases import Postgres
from tests.targets.exported_rows import content_hash
from tests.targets.pipeline import environment
from tests.targets.target_runs import SECONDS, TargetRuns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONG = "total_cost_of_ownership_including_depreciation_and_all_overheads_in_eur_budget"
CUT = "total_cost_of_ownership_including_depreciation_and_all_o"


@pytest.fixture
def postgres(postgres_url: str) -> Postgres:
    """Return an empty schema."""
    return Postgres(postgres_url, f"test_{uuid.uuid4().hex}")


@pytest.fixture
def runs(postgres: Postgres, tmp_path: Path) -> Iterator[TargetRuns]:
    """Return runs into it, from a Pigment without blocks."""
    app = Pigment()
    with serving(app) as server:
        app.url = server.url
        yield TargetRuns(app, postgres.command, postgres.config, tmp_path)


def test_columns_with_long_names_are_loaded_and_updated(runs: TargetRuns, postgres: Postgres) -> None:
    header = f"code_AAAAA1;{LONG}_BBBBB1;{LONG}_BBBBB2;{'é' * 40}"
    block = runs.pigment.add_list("Costs", f"{header}\r\nA;1.5;2.5;x\r\n")

    codes = [runs.run()]
    runs.pigment.exports[block] = f"{header}\r\nA;1.5;3.5;y\r\n".encode()
    codes.append(runs.run())

    names = ["code_AAAAA1", f"{CUT}_BBBBB1", f"{CUT}_BBBBB2", "é" * 27 + "_84fe2e03"]
    assert codes == [0, 0]
    assert set(postgres.types("costs")) >= {*names}
    assert [list(map(str, row)) for row in postgres.rows("costs", names)] == [["A", "1.5", "3.5", "y"]]


NUL = "Code;Comment\r\nA;plain\r\nB;a\0b\r\nC;\0\r\n"
WARNING = (
    "notes: column Comment, row 2: the cell holds a NUL character (2 rows in all). PostgreSQL refuses it: set "
    "sanitize_null_text_characters: true in target-postgres, or correct the cell in Pigment."
)


def test_nul_is_one_warning_and_loaded_with_the_setting_of_the_target(runs: TargetRuns, postgres: Postgres) -> None:
    runs.pigment.add_list("Notes", NUL)
    runs.target_config = {**postgres.config, "sanitize_null_text_characters": True}

    finished = runs.tap()
    runs.load(finished.stdout)

    assert finished.returncode == 0
    assert finished.stderr.decode().count("NUL") == 1
    assert WARNING in finished.stderr.decode()
    cells: list[tuple[str, str, Any]] = [("A", "plain", "plain"), ("B", "a\0b", "a\ufffdb"), ("C", "\0", "\ufffd")]
    assert sorted(postgres.rows("notes", ["Code", "Comment", "contentHash"])) == [
        (code, loaded, content_hash({"Code": code, "Comment": exported})) for code, exported, loaded in cells
    ]


def test_target_postgres_refuses_nul_without_that_setting(runs: TargetRuns) -> None:
    runs.pigment.add_list("Notes", NUL)
    messages = runs.tap().stdout

    refused = subprocess.run(
        runs.target_command, input=messages, capture_output=True, check=False, env=environment(), timeout=SECONDS
    )

    assert refused.returncode == 1
    assert b"NUL" in refused.stderr

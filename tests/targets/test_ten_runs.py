"""Ten runs from a changing Pigment with `change_detection: row` into a real PostgreSQL.

After each complete run the live rows are those of the export.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tap_pigment.sandbox.server import serving
from tests.support.pigment import Answer, Pigment
from tests.targets.databases import Postgres
from tests.targets.target_runs import TargetRuns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COUNTRIES = "Code;Name;Size\r\nA;Albania;1.5\r\nB;Belgium;2.5\r\nC;Chile;3.5\r\nD;Denmark;4.5\r\n"
ENTRIES = "Text;Amount\r\nsame;1.5\r\nsame;1.5\r\nsame;1.5\r\n;\r\n;\r\nother;2.5\r\n"
PLAN = "Code;Month;sales_AAAAAA\r\nA;Jan 26;10\r\nB;Jan 26;20\r\n;Jan 26;30\r\n"
KEYS = {"countries": ["Code"], "entries": [], "plan": ["Code", "Month"]}
BATCH_ROWS = 2


class Workspace(TargetRuns):
    """Runs on a list with a key, a list without one, and a table."""

    def __init__(self, pigment: Pigment, postgres: Postgres, folder: Path) -> None:
        settings = {"change_detection": "row", "snapshot_uri": str(folder / "snapshots")}
        config = {**postgres.config, "batch_size_rows": BATCH_ROWS}
        super().__init__(pigment, postgres.command, config, folder, settings)
        pigment.add("Sales", "Metric", "Code;Month;sales_AAAAAA\r\n")
        self.blocks = {
            "countries": pigment.add_list("Countries", COUNTRIES),
            "entries": pigment.add("Entries", "TransactionList", ENTRIES),
            "plan": pigment.add("Plan", "Table", PLAN),
        }
        self._postgres = postgres

    def put(self, **exports: str) -> None:
        """Put exports into Pigment."""
        for stream, body in exports.items():
            self.pigment.exports[self.blocks[stream]] = body.encode()

    def unequal(self) -> list[str]:
        """Return the streams whose live rows are not exactly those of their export."""
        return [stream for stream in self.blocks if not self._is_equal(stream)]

    def live_countries(self) -> int:
        """Return the number of live rows of the countries."""
        return self._postgres.live_rows("countries", ["Code"]).total()

    def _is_equal(self, stream: str) -> bool:
        export = self.export(self.blocks[stream])
        readers = self._postgres.readers(stream, export.header)
        live = self._postgres.live_rows(stream, [*export.header, "contentHash"])
        return live == export.typed_rows(readers, KEYS[stream])


@pytest.fixture
def workspace(postgres_url: str, tmp_path: Path) -> Iterator[Workspace]:
    """Serve the workspace."""
    app = Pigment()
    with serving(app) as server:
        app.url = server.url
        workspace = Workspace(app, Postgres(postgres_url, f"test_{uuid.uuid4().hex}"), tmp_path)
        workspace.discover()
        yield workspace


def test_live_rows_equal_the_export_after_each_of_ten_runs(workspace: Workspace) -> None:  # noqa: PLR0915 - ten consecutive runs.
    # 1: all rows are new.
    assert workspace.run() == 0
    assert workspace.unequal() == []

    # 2: some rows are new, some changed, some deleted.
    countries = "Code;Name;Size\r\nA;Albania;1.5\r\nB;Belgique;2.5\r\nD;Denmark;\r\nE;Egypt;5.5\r\n"
    entries = "Text;Amount\r\nother;2.75\r\nsame;1.5\r\n;\r\nsame;1.5\r\n;\r\n;\r\nnew;3.5\r\nnew;3.5\r\n"
    plan = "Code;Month;sales_AAAAAA\r\nA;Jan 26;11\r\n;Jan 26;30\r\nA;Feb 26;40\r\n"
    workspace.put(countries=countries, entries=entries, plan=plan)
    assert workspace.run() == 0
    assert workspace.unequal() == []

    # 3: the same rows in another order, and a third one of two identical rows.
    header, *lines = countries.splitlines(keepends=True)
    entries += "new;3.5\r\n"
    workspace.put(countries=header + "".join(reversed(lines)), entries=entries)
    finished = workspace.tap()
    assert finished.stdout.count(b'"type":"RECORD"') == 1
    workspace.load(finished.stdout)
    assert workspace.unequal() == []

    # 4: a new property, and a new catalog with it.
    countries = "Code;Name;Size;Open\r\nA;Albania;1.5;TRUE\r\nB;Belgique;2.5;\r\nE;Egypt;5.5;FALSE\r\n"
    workspace.put(countries=countries)
    workspace.discover()
    finished = workspace.tap()
    assert finished.returncode == 0
    assert b"countries: full send, because other columns are selected (Open)." in finished.stderr
    workspace.load(finished.stdout)
    assert workspace.unequal() == []

    # 5: a property is deleted. The stream fails with the old catalog and succeeds with a new one; the others succeed.
    countries = "Code;Size;Open\r\nA;1.5;TRUE\r\nB;2.5;\r\nC;9;TRUE\r\n"
    workspace.put(countries=countries, plan=PLAN)
    assert workspace.run() == 1
    assert workspace.unequal() == ["countries"]
    workspace.discover()
    assert workspace.run() == 0
    assert workspace.unequal() == []

    # 6: both lists are empty, and the shrink guard fails them.
    workspace.put(countries="Code;Size;Open\r\n", entries="Text;Amount\r\n", plan=plan)
    assert workspace.run() == 1
    assert workspace.unequal() == ["countries", "entries"]
    workspace.put(countries=countries, entries=entries)
    assert workspace.unequal() == []

    # 7: the guard is off.
    workspace.put(countries="Code;Size;Open\r\n", entries="Text;Amount\r\n")
    assert workspace.run(max_shrink_percent=100) == 0
    assert workspace.unequal() == []

    # 8: the lists have rows again, but every export fails.
    workspace.put(countries=countries, entries=ENTRIES)
    workspace.pigment.always_answer("/export/", Answer(500))
    state = workspace.state
    assert workspace.run() == 1
    assert workspace.state == state
    assert workspace.unequal() == ["countries", "entries"]
    workspace.pigment.answer_normally()

    # 9: the target is killed after a part of the rows, and before it has written a state.
    workspace.put(plan=PLAN)
    messages = workspace.tap().stdout.splitlines(keepends=True)
    workspace.load_and_kill(b"".join(messages[: len(messages) // 2]), lambda: workspace.live_countries() >= BATCH_ROWS)
    assert workspace.state == state
    assert workspace.unequal() == ["countries", "entries", "plan"]

    # 10: the next run emits the missing rows too.
    workspace.put(countries=countries + "F;6.5;FALSE\r\n")
    assert workspace.run() == 0
    assert workspace.unequal() == []

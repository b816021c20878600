"""Ten nights of a changing Pigment, row by row into a real PostgreSQL: after each, the live rows are the export's."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tap_pigment.sandbox.server import serving
from tests.pigment import Answer, Pigment
from tests.targets.databases import Postgres
from tests.targets.nights import Nights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COUNTRIES = "Code;Name;Size\r\nA;Albania;1.5\r\nB;Belgium;2.5\r\nC;Chile;3.5\r\nD;Denmark;4.5\r\n"
ENTRIES = "Text;Amount\r\nsame;1.5\r\nsame;1.5\r\nsame;1.5\r\n;\r\n;\r\nother;2.5\r\n"
PLAN = "Code;Month;sales_AAAAAA\r\nA;Jan 26;10\r\nB;Jan 26;20\r\n;Jan 26;30\r\n"
KEYS = {"countries": ["Code"], "entries": [], "plan": ["Code", "Month"]}


class Workspace(Nights):
    """Runs on a list with a key, one without, and a table."""

    def __init__(self, pigment: Pigment, postgres: Postgres, folder: Path) -> None:
        settings = {"change_detection": "row", "snapshot_uri": str(folder / "snapshots")}
        super().__init__(pigment, postgres.command, postgres.config, folder, settings)
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
        nights = Workspace(app, Postgres(postgres_url, f"test_{uuid.uuid4().hex}"), tmp_path)
        nights.discover()
        yield nights


def test_after_each_of_ten_nights_the_live_rows_are_those_of_the_export(workspace: Workspace) -> None:  # noqa: PLR0915 - ten nights that follow each other.
    # 1: everything is new.
    assert workspace.run() == 0
    assert workspace.unequal() == []

    # 2: rows come, change and go.
    countries = "Code;Name;Size\r\nA;Albania;1.5\r\nB;Belgique;2.5\r\nD;Denmark;\r\nE;Egypt;5.5\r\n"
    entries = "Text;Amount\r\nother;2.75\r\nsame;1.5\r\n;\r\nsame;1.5\r\n;\r\n;\r\nnew;3.5\r\nnew;3.5\r\n"
    plan = "Code;Month;sales_AAAAAA\r\nA;Jan 26;11\r\n;Jan 26;30\r\nA;Feb 26;40\r\n"
    workspace.put(countries=countries, entries=entries, plan=plan)
    assert workspace.run() == 0
    assert workspace.unequal() == []

    # 3: the same rows in another order, and one more of two that are alike.
    header, *lines = countries.splitlines(keepends=True)
    entries += "new;3.5\r\n"
    workspace.put(countries=header + "".join(reversed(lines)), entries=entries)
    finished = workspace.tap()
    assert finished.stdout.count(b'"type":"RECORD"') == 1
    workspace.load(finished.stdout)
    assert workspace.unequal() == []

    # 4: a property is new, and so is the catalog.
    countries = "Code;Name;Size;Open\r\nA;Albania;1.5;TRUE\r\nB;Belgique;2.5;\r\nE;Egypt;5.5;FALSE\r\n"
    workspace.put(countries=countries)
    workspace.discover()
    finished = workspace.tap()
    assert finished.returncode == 0
    assert b"All rows are sent: other columns are selected (Open)" in finished.stderr
    workspace.load(finished.stdout)
    assert workspace.unequal() == []

    # 5: another is gone: the former catalog asks for it, the next one does not. The other streams do not wait.
    countries = "Code;Size;Open\r\nA;1.5;TRUE\r\nB;2.5;\r\nC;9;TRUE\r\n"
    workspace.put(countries=countries, plan=PLAN)
    assert workspace.run() == 1
    assert workspace.unequal() == ["countries"]
    workspace.discover()
    assert workspace.run() == 0
    assert workspace.unequal() == []

    # 6: the lists are cleared: the guard holds them back.
    workspace.put(countries="Code;Size;Open\r\n", entries="Text;Amount\r\n", plan=plan)
    assert workspace.run() == 1
    assert workspace.unequal() == ["countries", "entries"]
    workspace.put(countries=countries, entries=entries)
    assert workspace.unequal() == []

    # 7: it is lifted.
    workspace.put(countries="Code;Size;Open\r\n", entries="Text;Amount\r\n")
    assert workspace.run(max_shrink_percent=100) == 0
    assert workspace.unequal() == []

    # 8: the lists are filled again, but Pigment fails.
    workspace.put(countries=countries, entries=ENTRIES)
    workspace.pigment.always_answer("/export/", Answer(500))
    state = workspace.state
    assert workspace.run() == 1
    assert workspace.state == state
    assert workspace.unequal() == ["countries", "entries"]
    workspace.pigment.answer_always_as_it_is()

    # 9: the target dies with half of what was sent to it; what it knows of the state is the state.
    workspace.put(plan=PLAN)
    messages = workspace.tap().stdout.splitlines(keepends=True)
    workspace.load_and_kill(b"".join(messages[: len(messages) // 2]), lambda _: True)

    # 10: the next night brings what is missing.
    workspace.put(countries=countries + "F;6.5;FALSE\r\n")
    assert workspace.run() == 0
    assert workspace.unequal() == []

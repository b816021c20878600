"""Runs without a catalog: a column that is blank for one night keeps the type that it had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.tap_runs import TapRuns
from tests.support.taps import of_type

if TYPE_CHECKING:
    from tests.support.pigment import Pigment
    from tests.support.taps import MakeTap, Message

FILLED = "Code;Rate;Since;Open;Note\r\nFR;1.5;2026-01-31;TRUE;x\r\nDE;;;;\r\n"
BLANK = "Code;Rate;Since;Open;Note\r\nFR;;;;\r\nDE;;;;\r\n"
EMPTY = "Code;Rate;Since;Open;Note\r\n"
TYPES = {"Rate": "number", "Since": "date", "Open": "boolean"}


@pytest.fixture
def runs(pigment: Pigment, tap: MakeTap) -> TapRuns:
    """Runs in which every change of the number of rows is allowed."""
    return TapRuns(pigment, tap, {"max_shrink_percent": 100})


def schema(messages: list[Message]) -> dict[str, Any]:
    """Return the schema of the exported columns."""
    properties: dict[str, Any] = of_type(messages, "SCHEMA")[0]["schema"]["properties"]
    return {name: properties[name] for name in ("Rate", "Since", "Open", "Note")}


@pytest.mark.parametrize("body", [BLANK, EMPTY], ids=["blank columns", "an emptied list"])
def test_blank_columns_keep_their_types_in_every_later_run(runs: TapRuns, body: str) -> None:
    filled = schema(runs.run_with(FILLED))

    nights = [schema(runs.run_with(of_night)) for of_night in (body, body, FILLED)]

    assert filled["Rate"] == {"type": ["number", "null"]}
    assert filled["Since"] == {"type": ["string", "null"], "format": "date"}
    assert nights == [filled, filled, filled]
    assert runs.bookmark["types"] == TYPES


def test_cells_decide_where_there_are_any(runs: TapRuns) -> None:
    runs.run_with(FILLED)

    changed = schema(runs.run_with(FILLED.replace("1.5", "high")))
    blank = schema(runs.run_with(BLANK))

    assert changed["Rate"] == blank["Rate"] == {"type": ["string", "null"]}
    assert "Rate" not in runs.bookmark["types"]


def test_a_failed_run_forgets_no_type(runs: TapRuns) -> None:
    first = runs.run_with(FILLED)
    state = of_type(first, "STATE")[-1]["value"]

    runs.run_with(BLANK)

    assert state["bookmarks"]["countries"]["types"] == runs.bookmark["types"] == TYPES


@pytest.mark.parametrize("types", ["date", ["Rate"], {"Rate": "geography", "Since": 7}, None])
def test_types_of_an_unknown_form_are_ignored(runs: TapRuns, types: object) -> None:
    runs.state = {"bookmarks": {"countries": {"v": 1, "rows": 2, "types": types}}}

    messages = runs.run_with(BLANK)

    assert schema(messages) == {name: {"type": ["string", "null"]} for name in ("Rate", "Since", "Open", "Note")}

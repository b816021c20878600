"""Every cell of the fault matrix ends as it must."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.cell import Cell, Outcome
from tests.faults.faults import FAULTS, Phase, Verdict
from tests.faults.matrix import cells, outcomes
from tests.faults.report import bugs, full_table, short_table
from tests.faults.server import Transport

if TYPE_CHECKING:
    from tests.support.wire import Authority

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
REFUSED, *_ = FAULTS


@pytest.mark.parametrize("phase", Phase, ids=lambda phase: phase.value)
def test_a_passing_fault_is_survived_and_a_lasting_one_is_reported(authority: Authority, phase: Phase) -> None:
    chosen = [cell for cell in cells() if cell.phase is phase]

    found = outcomes(chosen, authority)

    surprises = [
        f"{outcome.cell}: {outcome.verdict.value}, not {outcome.cell.expected.value}. {outcome.reason}"
        for outcome in found
        if outcome.verdict is not outcome.cell.expected
    ]
    assert surprises == []
    assert sum(outcome.lost_rows for outcome in found) == 0


def test_the_documentation_has_a_row_for_each_group_of_faults() -> None:
    expected = [Outcome(cell, cell.expected, 0, "") for cell in cells()]

    table = short_table(expected)

    assert "\n".join(table) in PAGE.read_text("utf-8")


def test_the_report_has_the_lost_rows() -> None:
    once = Outcome(Cell(REFUSED, Phase.FIRST, Transport.HTTP_2, always=False), Verdict.SURVIVED, 0, "")
    always = Outcome(
        Cell(REFUSED, Phase.FIRST, Transport.HTTP_2, always=True), Verdict.LOST, 3, "faulty has the rows {}"
    )

    report = [*full_table([once, always]), *short_table([once, always]), *bugs([once, always])]

    assert report == [
        "| fault: once / always | discovery | metadata at sync | first export | later export |",
        "| --- | --- | --- | --- | --- |",
        "| connection refused |  |  | survived / LOST |  |",
        "| faults | tried | survived | reported | rows lost |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| no connection, no answer, silence | 2 | 1 | 0 | 3 |",
        "| all | 2 | 1 | 0 | 3 |",
        "- connection refused, always, first export, HTTP/2: LOST: faulty has the rows {}",
    ]

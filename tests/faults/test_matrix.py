"""Every cell of the fault matrix ends as the tap has promised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.cell import Cell, Outcome
from tests.faults.faults import FAULTS, Column, Verdict
from tests.faults.matrix import cells, outcomes
from tests.faults.report import bugs, full_table, short_table
from tests.faults.server import Carrier
from tests.test_readme import README

if TYPE_CHECKING:
    from tests.wire import Authority

REFUSED, *_ = FAULTS


@pytest.mark.parametrize("column", Column, ids=lambda column: column.value)
def test_a_fault_that_passes_is_survived_and_one_that_stays_is_reported(authority: Authority, column: Column) -> None:
    chosen = [cell for cell in cells() if cell.column is column]

    found = outcomes(chosen, authority)

    surprises = [
        f"{outcome.cell}: {outcome.verdict.value}, not {outcome.cell.expected.value}. {outcome.why}"
        for outcome in found
        if outcome.verdict is not outcome.cell.expected
    ]
    assert surprises == []
    assert sum(outcome.lost_rows for outcome in found) == 0


def test_the_readme_has_a_row_for_each_group_with_its_count() -> None:
    promised = [Outcome(cell, cell.expected, 0, "") for cell in cells()]

    table = short_table(promised)

    assert "\n".join(table) in README


def test_the_report_tells_what_was_lost() -> None:
    once = Outcome(Cell(REFUSED, Column.FIRST, Carrier.HTTP_2, always=False), Verdict.SURVIVED, 0, "")
    always = Outcome(Cell(REFUSED, Column.FIRST, Carrier.HTTP_2, always=True), Verdict.LOST, 3, "struck holds {}")

    report = [*full_table([once, always]), *short_table([once, always]), *bugs([once, always])]

    assert report == [
        "| fault: once / always | discovery | metadata at sync | first export | later export |",
        "| --- | --- | --- | --- | --- |",
        "| connection refused |  |  | survived / LOST |  |",
        "| faults | tried | survived | reported | rows lost |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| no connection, no answer, silence | 2 | 1 | 0 | 3 |",
        "| all | 2 | 1 | 0 | 3 |",
        "- connection refused, always, first export, HTTP/2: LOST: struck holds {}",
    ]

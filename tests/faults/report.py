"""The matrix as Markdown: a table of all faults, and the short one in the documentation."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.faults.faults import Phase, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tests.faults.cell import Outcome

_BUGS = {Verdict.LOST, Verdict.SILENT}


def is_bug(outcome: Outcome) -> bool:
    """Return whether rows were lost, or a failure was not reported properly."""
    return outcome.verdict in _BUGS


def full_table(outcomes: Sequence[Outcome]) -> list[str]:
    """Return a row for each fault, with the verdicts of each phase: over all transports, once / always."""
    lines = [
        f"| fault: once / always | {' | '.join(phase.value for phase in Phase)} |",
        f"| --- |{' --- |' * len(Phase)}",
    ]
    for name, found in _grouped(outcomes, lambda outcome: outcome.cell.fault.name):
        cells = [_verdicts([outcome for outcome in found if outcome.cell.phase is phase]) for phase in Phase]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def short_table(outcomes: Sequence[Outcome]) -> list[str]:
    """Return a row for each group of faults, and one for all."""
    lines = ["| faults | tried | survived | reported | rows lost |", "| --- | ---: | ---: | ---: | ---: |"]
    for group, found in _grouped(outcomes, lambda outcome: outcome.cell.fault.group):
        lines.append(_counts(group, found))
    return [*lines, _counts("all", outcomes)]


def bugs(outcomes: Sequence[Outcome]) -> list[str]:
    """Return a line for each outcome that is a bug."""
    return [f"- {outcome.cell}: {outcome.verdict.value}: {outcome.reason}" for outcome in outcomes if is_bug(outcome)]


def _verdicts(found: Sequence[Outcome]) -> str:
    verdicts = (
        sorted({outcome.verdict.value for outcome in found if outcome.cell.always is always})
        for always in (False, True)
    )
    return " / ".join(" or ".join(values) for values in verdicts) if found else ""


def _counts(name: str, found: Sequence[Outcome]) -> str:
    verdicts = Counter(outcome.verdict for outcome in found)
    lost_rows = sum(outcome.lost_rows for outcome in found)
    numbers = (len(found), verdicts[Verdict.SURVIVED], verdicts[Verdict.REPORTED], lost_rows)
    return f"| {name} | {' | '.join(map(str, numbers))} |"


def _grouped(outcomes: Iterable[Outcome], name_of: Callable[[Outcome], str]) -> Iterable[tuple[str, list[Outcome]]]:
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(name_of(outcome), []).append(outcome)
    return groups.items()

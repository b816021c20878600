"""Runs in a row with random faults leave right rows and nothing else; the rules of the soak notice what does not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.faults.faults import FAULTS, Fault
from tests.faults.growth import growth
from tests.faults.server import Transport
from tests.faults.soak import Pipeline, soak
from tests.faults.soak_plan import SLOW, STREAMS, Injection, Mode, PlannedRun, planned_run
from tests.faults.soak_report import LIMITS, Totals, soak_report
from tests.support.doc_pages import PAGES, section, table_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.support.wire import Authority

COUNTED = ("open files", "threads", "spooled files", "temporary files")


def test_runs_in_a_row_have_right_rows_and_leave_nothing_open(authority: Authority, tmp_path: Path) -> None:
    totals = soak(tmp_path, authority, runs=8, seed=348)

    assert totals.problems == []
    assert totals.wrong_rows == 0
    assert totals.failed
    assert totals.retries
    assert {name: totals.growths()[name].is_growth for name in COUNTED} == dict.fromkeys(COUNTED, False)
    assert totals.used["spooled files"] == totals.used["temporary files"] == [0] * 8


# What happens in a run


def test_half_of_the_runs_are_over_each_version_of_http() -> None:
    runs = [planned_run(1, number) for number in range(1, 201)]

    assert Counter(run.transport for run in runs) == {
        Transport.HTTP_1: 50,
        Transport.HTTP_1_TLS: 50,
        Transport.HTTP_2: 100,
    }
    assert {run.mode for run in runs} == set(Mode)


def test_a_run_depends_on_the_seed() -> None:
    assert planned_run(1, 7) == planned_run(1, 7)
    assert planned_run(1, 7) != planned_run(2, 7)


@pytest.mark.parametrize(
    ("fault", "always", "discovers", "failing"),
    [
        ("500", False, False, ()),
        ("500", True, False, ["block_3"]),
        ("403", False, False, ["block_3"]),
        (SLOW.name, True, False, ()),
        ("401", True, False, ["block_3"]),
        ("401", True, True, STREAMS),
    ],
)
def test_a_stream_must_fail_if_the_fault_of_its_export_stays(
    fault: str, failing: Sequence[str], *, always: bool, discovers: bool
) -> None:
    faults = {"block_3": Injection(_fault(fault), always)}

    run = PlannedRun(1, Transport.HTTP_2, Mode.ROW, discovers, faults, listing=None)

    assert run.failing == set(failing)


@pytest.mark.parametrize(
    ("fault", "always", "failing"),
    [
        ("503 with Retry-After", False, ()),
        ("503 with Retry-After", True, STREAMS),
        ("block not listed", False, ["block_0"]),
    ],
)
def test_all_streams_must_fail_if_the_blocks_cannot_be_listed(
    fault: str, failing: Sequence[str], *, always: bool
) -> None:
    run = PlannedRun(
        1, Transport.HTTP_2, Mode.ROW, discovers=False, faults={}, listing=Injection(_fault(fault), always)
    )

    assert run.failing == set(failing)


def _fault(name: str) -> Fault:
    return next(fault for fault in (*FAULTS, SLOW) if fault.name == name)


# What is wrong after a run


def test_rows_that_a_target_lacks_or_has_too_much_are_wrong() -> None:
    pipeline = Pipeline(expected={"block_1": (("4", "100.25"), ("4", "100.25"), ("5", "101.25"))})
    schema = {"type": "SCHEMA", "stream": "block_1", "key_properties": ["contentHash", "occurrence"]}
    record = {"Account": "4", "Amount": 100.25, "contentHash": "a", "occurrence": 1}
    other = {"Account": "4", "Amount": 102.25, "contentHash": "b", "occurrence": 1}

    pipeline.target.load(
        [schema, *({"type": "RECORD", "stream": "block_1", "record": each} for each in (record, other))]
    )

    assert pipeline.wrong_rows() == {"block_1": 3}


GROWING: Mapping[str, Sequence[float]] = {
    "each run leaks": [5.0 + run for run in range(180)],
    "one run in ten leaks": [5.0 + run // 10 for run in range(180)],
    "one run leaks": [5.0] * 90 + [6.0] * 90,
}
STEADY: Mapping[str, Sequence[float]] = {
    "nothing changes": [5.0] * 180,
    "some runs use more for a while": [25.0 if run % 7 == 0 else 5.0 for run in range(180)],
    "the last run uses more": [*[5.0] * 179, 25.0],
    "it shrinks": [200.0 - run for run in range(180)],
}


@pytest.mark.parametrize("values", GROWING.values(), ids=GROWING)
def test_what_runs_keep_is_growth(values: Sequence[float]) -> None:
    assert growth(values, limit=0).is_growth


@pytest.mark.parametrize("values", STEADY.values(), ids=STEADY)
def test_what_runs_give_back_is_no_growth(values: Sequence[float]) -> None:
    assert not growth(values, limit=0).is_growth


def test_growth_up_to_the_limit_is_allowed() -> None:
    values = [float(run) for run in range(100)]

    found = growth(values, limit=90)

    assert (found.first, found.last, found.slope) == (4.5, 94.5, 1.0)
    assert not found.is_growth
    assert growth(values, limit=89).is_growth


def test_a_soak_is_right_if_no_row_is_wrong_and_no_figure_grows() -> None:
    steady, rising = {name: [5] * 20 for name in LIMITS}, {**dict.fromkeys(LIMITS, [5] * 20), "threads": [*range(20)]}
    runs = Counter({"HTTP/2": 20})

    assert Totals(runs, used=steady).is_right
    assert not Totals(runs, used=steady, wrong_rows=1).is_right
    assert not Totals(runs, used=steady, problems=["run 3, row: block_1 failed, and was emitted in part"]).is_right
    assert not Totals(runs, used=rising).is_right


# The documentation


def test_the_documentation_has_each_row_of_the_report() -> None:
    runs = Counter({transport.label: 1 for transport in Transport})
    injected = Counter({fault.group: 1 for fault in (*FAULTS, SLOW)})
    report = soak_report(Totals(runs=runs, injected=injected, used={name: [0] * 3 for name in LIMITS}))

    text = section(PAGES["docs/reliability.md"], "Soak")
    rows = table_rows(text)

    names = [name for name, *_ in rows]
    assert names == [name for name, *_ in table_rows("\n".join([*report, ""]))]
    assert dict(zip(names, rows, strict=True))["rows wrong"][1] == "0"
    assert {row[4] for row in rows if len(row) > 2} == {"no"}
    megabytes = LIMITS["resident memory"] / 1e6
    limits = f"more than {LIMITS['snapshot files']} snapshot files, {LIMITS['objects']} objects or {megabytes:.0f} MB"
    assert limits in text

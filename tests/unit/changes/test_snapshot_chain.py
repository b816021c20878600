"""The rules for comparing with, retiring and deleting snapshots: a table of cases, and a model of runs that overlap."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tap_pigment.changes.snapshot_chain import Comparison, Lineage, plan_comparison

# What the state names, the lineage of that snapshot, what is stored, and what follows.
CASES: dict[str, tuple[str | None, Lineage | None, list[str], Comparison]] = {
    "first run": (None, None, [], Comparison((), (), Lineage())),
    "second run": ("S0", Lineage(), ["S0"], Comparison((), (), Lineage("S0"))),
    "the base of the named snapshot is deleted": (
        "S1",
        Lineage("S0"),
        ["S0", "S1"],
        Comparison((), ("S0",), Lineage("S1", (), ("S0",))),
    ),
    "a base that is no longer stored is not deleted again": (
        "S1",
        Lineage("S0"),
        ["S1"],
        Comparison((), (), Lineage("S1")),
    ),
    "another run is compared with": (
        "S0",
        Lineage(),
        ["A", "S0"],
        Comparison(("A",), (), Lineage("S0", ("A",))),
    ),
    "the second run of the chain that compares with another one retires it": (
        "S1",
        Lineage("S0", ("A",)),
        ["A", "S0", "S1"],
        Comparison(("A",), ("S0",), Lineage("S1", ("A",), ("A", "S0"))),
    ),
    "what the named snapshot retires is deleted, and not compared with": (
        "S2",
        Lineage("S1", ("A",), ("A", "S0")),
        ["A", "S1", "S2"],
        Comparison((), ("A", "S1"), Lineage("S2", (), ("A", "S1"))),
    ),
    "a snapshot that could not be deleted is deleted by a later run": (
        "S3",
        Lineage("S2", (), ("A", "S1")),
        ["A", "S2", "S3"],
        Comparison((), ("A", "S2"), Lineage("S3", (), ("A", "S2"))),
    ),
    "a run that came later is not retired together with an earlier one": (
        "S1",
        Lineage("S0", ("A",)),
        ["A", "B", "S1"],
        Comparison(("A", "B"), (), Lineage("S1", ("A", "B"), ("A",))),
    ),
    "the run that retires another one was lost, so it is not retired": (
        "S1",
        Lineage("S0", ("A",)),
        ["A", "S1", "S2"],
        Comparison(("A", "S2"), (), Lineage("S1", ("A", "S2"), ("A",))),
    ),
    "the state of an overlapping run was kept": (
        "A",
        Lineage("S0"),
        ["A", "S0", "S1"],
        Comparison(("S1",), ("S0",), Lineage("A", ("S1",), ("S0",))),
    ),
    "the first run was lost": (None, None, ["A"], Comparison(("A",), (), Lineage(None, ("A",)))),
    "the named snapshot is missing": ("S1", None, ["S0"], Comparison(("S0",), (), Lineage("S1", ("S0",)))),
    "the named snapshot is damaged": ("S1", None, ["S0", "S1"], Comparison(("S0",), (), Lineage("S1", ("S0",)))),
    "names are sorted": (
        "S1",
        Lineage("S0", ("B", "A"), ("D", "C")),
        ["D", "C", "B", "A", "S0", "S1"],
        Comparison(("A", "B"), ("C", "D", "S0"), Lineage("S1", ("A", "B"), ("A", "B", "C", "D", "S0"))),
    ),
}


@pytest.mark.parametrize(("named", "lineage", "stored", "expected"), CASES.values(), ids=CASES)
def test_the_plan_follows_from_the_named_snapshot_and_the_stored_ones(
    named: str | None, lineage: Lineage | None, stored: list[str], expected: Comparison
) -> None:
    assert plan_comparison(named, lineage, stored) == expected


def test_seven_lost_runs_are_retired_by_the_second_good_one() -> None:
    lost = tuple(f"A{number}" for number in range(7))

    first = plan_comparison("S0", Lineage(), ["S0", *lost])
    second = plan_comparison("S1", first.lineage, ["S0", "S1", *lost])
    third = plan_comparison("S2", second.lineage, ["S1", "S2", *lost])

    assert (first.others, first.obsolete) == (lost, ())
    assert (second.others, second.obsolete) == (lost, ("S0",))
    assert (third.others, third.obsolete) == ((), (*lost, "S1"))


Rows = dict[str, int]
ROWS = st.dictionaries(st.sampled_from("abc"), st.integers(1, 3))


@dataclass
class Run:
    """A run that has read the export and the snapshots to compare it with.

    Attributes:
        rows: The export.
        named: The snapshot that its state names.
        comparison: The plan.
        relevant: The rows of the snapshots to compare with; None for a full send.
        known: The rows of those that could be read.
        snapshot: The snapshot that it stores.
        messages: The rows that it emits, None for a deleted one.
        kept_loads: How many later runs whose state was kept were loaded.
    """

    rows: Rows
    named: str | None
    comparison: Comparison
    relevant: list[Rows] | None
    known: list[Rows]
    snapshot: str | None = None
    messages: list[tuple[str, int | None]] = field(default_factory=list)
    kept_loads: int = 0


class Runs(RuleBasedStateMachine):
    """Runs that overlap, are loaded late or in part, and lose their states, with rows in Python's memory.

    The messages of a run may be loaded late: after those of a later run whose state is kept, but not after those of
    two. That is the assumption of the rules.
    """

    def __init__(self) -> None:
        super().__init__()
        self.export: Rows = {}
        self.versions: list[Rows] = [{}]
        self.table: Rows = {}
        self.states: list[str | None] = [None]
        self.store: dict[str, tuple[Lineage, Rows]] = {}
        self.begun: list[Run] = []
        self.late: list[Run] = []
        self.number = 0

    # The steps of a run

    def begin(self, state: str | None) -> Run:
        lineage = self.store[state][0] if state in self.store else None
        comparison = plan_comparison(state, lineage, self.store)
        read = [self.rows_of(name) for name in (state, *comparison.others)]
        known = [rows for rows in read if rows is not None]
        return Run(self.export, state, comparison, known if len(known) == len(read) else None, known)

    def rows_of(self, name: str | None) -> Rows | None:
        return self.store[name][1] if name in self.store else None

    def emit(self, run: Run) -> None:
        changed = [
            (key, version)
            for key, version in run.rows.items()
            if run.relevant is None or any(rows.get(key) != version for rows in run.relevant)
        ]
        deleted = {key for rows in run.known for key in rows if key not in run.rows}
        run.messages = [*changed, *((key, None) for key in sorted(deleted))]
        run.snapshot = run.named
        if run.messages or run.relevant is None or run.comparison.others:
            self.number += 1
            run.snapshot = f"{self.number:04}"
            self.store[run.snapshot] = (run.comparison.lineage, run.rows)
        for name in run.comparison.obsolete:
            self.store.pop(name, None)

    def load(self, run: Run, *, messages: int | None = None, keeps_state: bool = True) -> None:
        if keeps_state:
            for late in [late for late in self.late if late is not run and late.kept_loads]:
                self.load(late, keeps_state=False)
        for key, version in run.messages[:messages]:
            if version is None:
                self.table.pop(key, None)
            else:
                self.table[key] = version
        if run in self.late:
            self.late.remove(run)
        if keeps_state:
            self.states.append(run.snapshot)
            for late in self.late:
                late.kept_loads += 1

    # The histories

    @initialize(rows=ROWS)
    def load_something(self, rows: Rows) -> None:
        self.change(rows)
        self.run_well()

    @rule(rows=ROWS)
    def change(self, rows: Rows) -> None:
        self.export = rows
        self.versions.append(rows)

    @rule(data=st.data())
    def revert(self, data: st.DataObject) -> None:
        self.export = data.draw(st.sampled_from(self.versions))

    @rule()
    def run_well(self) -> None:
        run = self.begin(self.states[-1])
        self.emit(run)
        self.load(run)
        assert self.table == run.rows

    @rule(messages=st.integers(0, 6))
    def lose(self, messages: int) -> None:
        run = self.begin(self.states[-1])
        self.emit(run)
        self.load(run, messages=messages, keeps_state=False)

    @rule(age=st.integers(1, 4))
    def begin_one_that_overlaps(self, age: int) -> None:
        self.begun.append(self.begin(self.states[-min(age, len(self.states))]))

    @precondition(lambda self: self.begun)
    @rule(data=st.data())
    def emit_its_messages(self, data: st.DataObject) -> None:
        run = self.begun.pop(data.draw(st.integers(0, len(self.begun) - 1)))
        self.emit(run)
        self.late.append(run)

    @precondition(lambda self: self.late)
    @rule(data=st.data(), messages=st.none() | st.integers(0, 6), keeps_state=st.booleans())
    def load_them(self, data: st.DataObject, messages: int | None, *, keeps_state: bool) -> None:
        run = data.draw(st.sampled_from(self.late))
        self.load(run, messages=messages, keeps_state=keeps_state and messages is None)

    def teardown(self) -> None:
        for run in self.late[:]:
            self.load(run, keeps_state=False)
        self.run_well()
        self.run_well()
        third = self.begin(self.states[-1])
        self.emit(third)
        assert third.messages == []
        assert len(self.store) <= 2


def test_the_table_equals_the_export_after_any_interleaving_of_runs() -> None:
    run_state_machine_as_test(Runs, settings=settings(max_examples=200, stateful_step_count=30, deadline=None))

"""Row changes over any history of runs: interleaved, partly loaded, loaded late, and with lost states."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.support.memory_target import MemoryTarget
from tests.support.tap_runs import snapshots, written_after
from tests.support.taps import of_type

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import Discover, MakeTap, Message

Rows = list[tuple[str, str]]


@dataclass(frozen=True)
class Tables:
    """The rows of both lists: countries have a key, entries have none."""

    countries: Rows
    entries: Rows


# Few texts, so that changes are undone, and so that entries repeat.
TEXTS = st.sampled_from(["", "x", "y"])
TABLES = st.builds(
    Tables,
    st.dictionaries(st.sampled_from(["A", "B", "C"]), TEXTS, max_size=3).map(lambda names: list(names.items())),
    st.lists(st.tuples(TEXTS, TEXTS), max_size=5),
)
VERSIONS = st.integers(0, 7)
LOADED = st.none() | st.integers(0, 15)


class Source:
    """Both lists in Pigment, and the tap that extracts them.

    Attributes:
        store: The store of snapshots.
    """

    def __init__(self, pigment: Pigment, tap: MakeTap, discover: Discover, folder: Path) -> None:
        self._pigment = pigment
        self._tap = tap
        self._folder = folder
        self._countries = pigment.add_list("Countries", "Code;Name\r\nA;x\r\n")
        self._entries = pigment.add("Entries", "TransactionList", "Text;Note\r\nx;y\r\n")
        self._settings = {
            "change_detection": "row",
            "infer_types": False,
            "max_shrink_percent": 100,
            "parallel_exports": 1,
            "spool_dir": str(folder),
        }
        self.store = folder
        self.use_new_store("discovery")
        self._catalog = discover(**self._settings)

    def use_new_store(self, name: str) -> None:
        """Let the next runs use an empty store."""
        self.store = self._folder / name
        self._settings["snapshot_uri"] = str(self.store)

    def put(self, tables: Tables) -> None:
        """Put both lists into Pigment."""
        for block, header, content in [
            (self._countries, "Code;Name", tables.countries),
            (self._entries, "Text;Note", tables.entries),
        ]:
            lines = [header, *(";".join(row) for row in content)]
            self._pigment.exports[block] = "".join(f"{line}\r\n" for line in lines).encode()

    def run(self, state: Mapping[str, Any]) -> list[Message]:
        """Run from a state and return the messages."""
        running = self._tap(catalog=self._catalog, state=state, **self._settings)
        running.sync_all()
        return written_after(state, running)


@dataclass
class LateRun:
    """A run whose messages are not loaded yet.

    Attributes:
        messages: Its messages.
        kept_loads: How many later runs whose state was kept were loaded.
    """

    messages: list[Message]
    kept_loads: int = 0


class RowChanges(RuleBasedStateMachine):
    """Runs of the tap, a target in memory that loads their messages, and the states that are kept.

    The messages of a run may be loaded late: after those of the next run whose state is kept, but not later.
    """

    source: ClassVar[Source]
    numbers: ClassVar[itertools.count[int]] = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.source.use_new_store(f"store {next(self.numbers)}")
        self.target = MemoryTarget()
        self.versions: list[Tables] = []
        self.tables = Tables([], [])
        self.states: list[dict[str, Any]] = [{}]
        self.late: list[LateRun] = []

    def load(self, messages: list[Message], *, keeps_state: bool) -> None:
        """Load messages; before a second kept state, load those that may not be later."""
        if keeps_state:
            for late in [late for late in self.late if late.kept_loads]:
                self.late.remove(late)
                self.target.load(late.messages)
        self.target.load(messages)
        if keeps_state and of_type(messages, "STATE"):
            self.states.append(of_type(messages, "STATE")[-1]["value"])
            for late in self.late:
                late.kept_loads += 1

    def check_tables(self) -> None:
        assert live(self.target, "countries") == Counter(self.tables.countries)
        assert live(self.target, "entries") == Counter(self.tables.entries)

    def run(self, version: int, state: Mapping[str, Any]) -> list[Message]:
        """Put a version of the data into Pigment and run."""
        self.tables = self.versions[version % len(self.versions)]
        self.source.put(self.tables)
        return self.source.run(state)

    # The histories

    @initialize(versions=st.lists(TABLES, min_size=2, max_size=4))
    def load_the_first_version(self, versions: list[Tables]) -> None:
        self.versions = versions
        self.run_and_load(0)

    @rule(tables=TABLES)
    def change(self, tables: Tables) -> None:
        self.versions.append(tables)

    @rule(version=VERSIONS)
    def run_and_load(self, version: int) -> None:
        self.load(self.run(version, self.states[-1]), keeps_state=True)
        self.check_tables()

    @rule(version=VERSIONS, loaded=LOADED, keeps_state=st.booleans())
    def run_and_load_a_part(self, version: int, loaded: int | None, *, keeps_state: bool) -> None:
        self.load(self.run(version, self.states[-1])[:loaded], keeps_state=keeps_state)

    @rule(version=VERSIONS, age=st.integers(1, 3))
    def run_and_do_not_load_yet(self, version: int, age: int) -> None:
        state = self.states[-min(age, len(self.states))]
        self.late.append(LateRun(self.run(version, state)))

    @precondition(lambda self: self.late)
    @rule(place=st.integers(0, 3), loaded=LOADED, keeps_state=st.booleans())
    def load_late(self, place: int, loaded: int | None, *, keeps_state: bool) -> None:
        late = self.late.pop(place % len(self.late))
        self.load(late.messages[:loaded], keeps_state=keeps_state)

    def teardown(self) -> None:
        for late in self.late:
            self.target.load(late.messages)
        self.late.clear()
        self.run_and_load(0)
        self.run_and_load(0)
        third = self.run(0, self.states[-1])
        assert of_type(third, "RECORD") == []
        for stream in ("countries", "entries"):
            assert len(snapshots(self.source.store / stream)) <= 2


def live(target: MemoryTarget, stream: str) -> Counter[tuple[str, ...]]:
    """Return the live rows of a table, a blank as the empty text."""
    return Counter(tuple(cell or "" for cell in row.values()) for row in target.live(stream))


def test_tables_equal_the_exports_after_any_history_of_runs(
    pigment: Pigment, tap: MakeTap, discover: Discover, tmp_path: Path
) -> None:
    class RowChangesInPigment(RowChanges):
        source = Source(pigment, tap, discover, tmp_path)

    run_state_machine_as_test(
        RowChangesInPigment,
        settings=settings(
            max_examples=12,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )

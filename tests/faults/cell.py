"""One cell of the matrix: a run that meets a fault, and the verdict on it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_pigment.errors import PigmentError
from tap_pigment.tap import TapPigment
from tests.faults.faults import Fault, Phase, Verdict
from tests.faults.server import FaultyServer, Transport
from tests.faults.target_tables import TargetTables
from tests.support.pigment import API_KEY, APPLICATION_ID, Pigment
from tests.support.taps import Clock, Recorder

if TYPE_CHECKING:
    import ssl

    from tests.support.taps import Message

ROWS_BEFORE = {"A": "Anna", "B": "Bo", "C": "Cy", "E": "Ed"}
ROWS = {"A": "Anna", "C": "Cyd", "D": 'Di "D"; Dee', "E": "Ed"}
FAULTY = "faulty"
STREAMS = (FAULTY, "other")
# A busy machine needs a long timeout. Where the fault is silence the timeout is short, with one more try instead.
SETTINGS = {"max_retries": 1, "request_timeout_seconds": 30}
SETTINGS_FOR_SILENCE = {"max_retries": 2, "request_timeout_seconds": 1}
_REMEDIES = re.compile(
    r"Run again|Check |Set |Have it granted|Discover again|Wait 5 minutes|Exclude|Extract|check the block|run once with"
)


@dataclass(frozen=True)
class Baseline:
    """The result of an earlier run without faults."""

    catalog: dict[str, Any]
    messages: list[Message]
    bookmarks: dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """A fault, its phase and transport, and whether it stays."""

    fault: Fault
    phase: Phase
    transport: Transport
    always: bool

    def __str__(self) -> str:
        """Return the description of the cell."""
        how = "always" if self.always else "once"
        return f"{self.fault.name}, {how}, {self.phase.value}, {self.transport.label}"

    @property
    def expected(self) -> Verdict:
        """How the run must end."""
        return self.fault.expected(self.phase, always=self.always)


@dataclass(frozen=True)
class Outcome:
    """The verdict on a cell, the number of missing rows, and the reason."""

    cell: Cell
    verdict: Verdict
    lost_rows: int
    reason: str


def pigment_with(rows: dict[str, str]) -> Pigment:
    """Return a Pigment with two lists of the same rows."""
    pigment = Pigment()
    lines = [
        f'{code};"{name.replace(chr(34), chr(34) * 2)}"' if '"' in name else f"{code};{name}"
        for code, name in rows.items()
    ]
    for name in STREAMS:
        pigment.add_list(name.title(), "\r\n".join(["Code;Name", *lines, ""]))
    return pigment


def find_baseline() -> Baseline:
    """Return the result of a run without faults."""
    with FaultyServer(pigment_with(ROWS_BEFORE), Transport.HTTP_1, None) as server:
        recorder, error = _run(server, None, None, activating=True)
        if error:
            raise error
        catalog = json.loads(_tap(server, Recorder()).catalog_json_text)
    return Baseline(catalog, recorder.messages, _loaded(recorder.messages).bookmarks)


def outcome(cell: Cell, baseline: Baseline, tls: ssl.SSLContext | None) -> Outcome:
    """Run a cell and return the verdict."""
    is_later = cell.phase is Phase.LATER
    path_part = "/blocks" if cell.phase is Phase.METADATA else "/export/list/00000001-"
    server = FaultyServer(
        pigment_with(ROWS), cell.transport, tls, fault=cell.fault, path_part=path_part, always=cell.always
    )
    catalog = None if cell.phase is Phase.DISCOVERY else baseline.catalog
    state = {"bookmarks": baseline.bookmarks} if is_later else None
    with server:
        recorder, error = _run(server, catalog, state, activating=is_later)
    before = baseline.messages if is_later else []
    verdict, lost_rows, reason = _judged(cell, before, recorder.messages, error)
    if not server.injected:
        verdict, reason = Verdict.SILENT, "the fault did not occur"
    return Outcome(cell, verdict, lost_rows, reason)


def _run(
    server: FaultyServer, catalog: dict[str, Any] | None, state: dict[str, Any] | None, *, activating: bool
) -> tuple[Recorder, Exception | None]:
    """Run the tap; return its messages and its error."""
    recorder = Recorder()
    try:
        _tap(server, recorder, catalog, state, activating=activating).sync_all()
    except Exception as error:  # noqa: BLE001 - any error gets a verdict.
        return recorder, error
    return recorder, None


def _tap(
    server: FaultyServer,
    recorder: Recorder,
    catalog: dict[str, Any] | None = None,
    state: dict[str, Any] | None = None,
    *,
    activating: bool = False,
) -> TapPigment:
    """Return a tap whose waits take no time, except for silence."""
    clock = Clock()

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        server.after_a_wait()

    return TapPigment(
        config={
            "api_url": server.url,
            "api_key": API_KEY,
            "application_id": APPLICATION_ID,
            **(SETTINGS_FOR_SILENCE if server.is_silent else SETTINGS),
            "emit_activate_version_messages": activating,
        },
        catalog=json.loads(json.dumps(catalog)) if catalog else None,
        state=json.loads(json.dumps(state or {})),
        message_writer=recorder,
        setup_mapper=True,
        clock=clock,
        sleep=sleep,
    )


def _judged(
    cell: Cell, before: list[Message], messages: list[Message], error: Exception | None
) -> tuple[Verdict, int, str]:
    """Return the verdict, the number of missing rows, and the reason."""
    after, earlier = _loaded([*before, *messages]), _loaded(before)
    failed = _failed_streams(cell) if error else set()
    problems = [] if error is None else _problems_of(error)
    lost_rows = 0
    for stream in STREAMS:
        right = earlier.rows(stream) if stream in failed else ROWS
        found = after.rows(stream)
        lost_rows += sum(found.get(code) != name for code, name in right.items())
        if found != right:
            problems.append(f"{stream} has the rows {found}")
        rows = after.bookmarks.get(stream, {}).get("rows")
        if stream in failed:
            if after.bookmarks.get(stream) != earlier.bookmarks.get(stream):
                problems.append(f"the state of {stream} has advanced")
            if any(message.get("stream") == stream for message in messages):
                problems.append(f"messages of {stream} were emitted")
        elif rows != len(ROWS):
            problems.append(f"the state of {stream} has {rows} rows")
    if problems:
        return (Verdict.LOST if lost_rows else Verdict.SILENT), lost_rows, "; ".join(problems)
    return (Verdict.REPORTED, 0, str(error)) if error else (Verdict.SURVIVED, 0, "")


def _failed_streams(cell: Cell) -> set[str]:
    """Return the streams that may fail, of which nothing may be emitted then."""
    return set(STREAMS) if cell.phase in cell.fault.ends_run_at else {FAULTY}


def _problems_of(error: Exception) -> list[str]:
    """Return what an error lacks as a report."""
    if not isinstance(error, PigmentError):
        return [f"it failed with {type(error).__name__}: {error}"]
    text = str(error)
    problems = []
    if not (
        re.match(r"Listing the blocks of application |Application \S+: ", text)
        or re.search(rf"^(  )?{FAULTY}\b", text, re.MULTILINE)
    ):
        problems.append(f"the error does not name the place: {text}")
    if not _REMEDIES.search(text):
        problems.append(f"the error names no remedy: {text}")
    if API_KEY in text:
        problems.append("the error holds the API key")
    return problems


def _loaded(messages: list[Message]) -> TargetTables:
    tables = TargetTables()
    tables.load(messages)
    return tables

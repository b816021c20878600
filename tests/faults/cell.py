"""One cell of the matrix: a run that meets a fault, and the judgement on it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_pigment.errors import PigmentError
from tap_pigment.tap import TapPigment
from tests.conftest import Clock, Recorder
from tests.faults.faults import Column, Fault, Verdict
from tests.faults.holdings import Holdings
from tests.faults.server import Carrier, FaultyServer
from tests.pigment import API_KEY, APPLICATION_ID, Pigment

if TYPE_CHECKING:
    import ssl

    from tests.conftest import Message

EARLIER = {"A": "Anna", "B": "Bo", "C": "Cy", "E": "Ed"}
NOW = {"A": "Anna", "C": "Cyd", "D": 'Di "D"; Dee', "E": "Ed"}
STRUCK = "struck"
STREAMS = (STRUCK, "other")
# A machine at its limits takes its time, which only silence must not be given: there one try more makes up for it.
PATIENCE = {"max_retries": 1, "request_timeout_seconds": 30}
IMPATIENCE = {"max_retries": 2, "request_timeout_seconds": 1}
_REMEDIES = re.compile(r"Run again|Check |Set |Have it granted|Discover again|Wait for|Exclude|Extract|look at")


@dataclass(frozen=True)
class Baseline:
    """What a run without faults has found before."""

    catalog: dict[str, Any]
    messages: list[Message]
    bookmarks: dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """A cell: a fault, when it shows, over what, and whether it stays."""

    fault: Fault
    column: Column
    carrier: Carrier
    always: bool

    def __str__(self) -> str:
        """Return what is to be read of it."""
        how = "always" if self.always else "once"
        return f"{self.fault.name}, {how}, {self.column.value}, {self.carrier.label}"

    @property
    def expected(self) -> Verdict:
        """What the tap has promised."""
        return self.fault.expected(self.column, always=self.always)


@dataclass(frozen=True)
class Outcome:
    """What became of a cell: the verdict, how many rows are missing, and what there is to say."""

    cell: Cell
    verdict: Verdict
    lost_rows: int
    why: str


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
    """Return what a run finds while there is no fault."""
    with FaultyServer(pigment_with(EARLIER), Carrier.HTTP_1, None) as server:
        recorder, error = _run(server, None, None, activating=True)
        if error:
            raise error
        catalog = json.loads(_tap(server, Recorder()).catalog_json_text)
    return Baseline(catalog, recorder.messages, _held(recorder.messages).bookmarks)


def outcome(cell: Cell, baseline: Baseline, tls: ssl.SSLContext | None) -> Outcome:
    """Run a cell and judge it."""
    is_later = cell.column is Column.LATER
    path_part = "/blocks" if cell.column is Column.METADATA else "/export/list/00000001-"
    server = FaultyServer(
        pigment_with(NOW), cell.carrier, tls, fault=cell.fault, path_part=path_part, always=cell.always
    )
    catalog = None if cell.column is Column.DISCOVERY else baseline.catalog
    state = {"bookmarks": baseline.bookmarks} if is_later else None
    with server:
        recorder, error = _run(server, catalog, state, activating=is_later)
    before = baseline.messages if is_later else []
    verdict, lost_rows, why = _judged(cell, before, recorder.messages, error)
    if not server.shown:
        verdict, why = Verdict.SILENT, "the fault was never shown"
    return Outcome(cell, verdict, lost_rows, why)


def _run(
    server: FaultyServer, catalog: dict[str, Any] | None, state: dict[str, Any] | None, *, activating: bool
) -> tuple[Recorder, Exception | None]:
    """Run the tap; return what it has written and what it has failed with."""
    recorder = Recorder()
    try:
        _tap(server, recorder, catalog, state, activating=activating).sync_all()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is judged.
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
    """Return a tap that waits for nothing but silence."""
    clock = Clock()

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        server.after_a_wait()

    return TapPigment(
        config={
            "api_url": server.url,
            "api_key": API_KEY,
            "application_id": APPLICATION_ID,
            **(IMPATIENCE if server.is_silent else PATIENCE),
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
    """Return the verdict, how many rows are missing, and why."""
    held, former = _held([*before, *messages]), _held(before)
    failed = _failed_streams(cell) if error else set()
    problems = [] if error is None else _problems_of(error)
    lost_rows = 0
    for stream in STREAMS:
        right = former.rows(stream) if stream in failed else NOW
        found = held.rows(stream)
        lost_rows += sum(found.get(code) != name for code, name in right.items())
        if found != right:
            problems.append(f"{stream} holds {found}")
        rows = held.bookmarks.get(stream, {}).get("rows")
        if stream in failed:
            if held.bookmarks.get(stream) != former.bookmarks.get(stream):
                problems.append(f"the state of {stream} has advanced")
            if any(message.get("stream") == stream for message in messages):
                problems.append(f"something of {stream} was sent")
        elif rows != len(NOW):
            problems.append(f"the state of {stream} says {rows} rows")
    if problems:
        return (Verdict.LOST if lost_rows else Verdict.SILENT), lost_rows, "; ".join(problems)
    return (Verdict.REPORTED, 0, str(error)) if error else (Verdict.SURVIVED, 0, "")


def _failed_streams(cell: Cell) -> set[str]:
    """Return the streams that may fail, and then have to send nothing."""
    return set(STREAMS) if cell.column in cell.fault.ends_run_at else {STRUCK}


def _problems_of(error: Exception) -> list[str]:
    """Return what is wrong with an error as a report."""
    if not isinstance(error, PigmentError):
        return [f"it failed with {type(error).__name__}: {error}"]
    text = str(error)
    problems = []
    if not ("While " in text or STRUCK in text):
        problems.append(f"the error does not say where: {text}")
    if not _REMEDIES.search(text):
        problems.append(f"the error does not say what to do: {text}")
    if API_KEY in text:
        problems.append("the error holds the key")
    return problems


def _held(messages: list[Message]) -> Holdings:
    holdings = Holdings()
    holdings.take(messages)
    return holdings

"""Many runs in a row in one process, with other faults and exports in each, and a check after each.

A runner that keeps the tap in its process carries what each mode needs from run to run: a target and its state. After
each run the target must hold the exports as of that run, or the earlier rows of streams that failed.
"""

from __future__ import annotations

import json
import re
import signal
import socket
import tempfile
import threading
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_pigment.errors import PigmentError, StreamsFailedError
from tap_pigment.tap import TapPigment
from tests.faults.cell import SETTINGS, SETTINGS_FOR_SILENCE
from tests.faults.exchanges import http1, http2
from tests.faults.growth import open_files, threads, used_now
from tests.faults.matrix import trusting
from tests.faults.server import HOST, Transport
from tests.faults.soak_plan import (
    STREAMS,
    Mode,
    PlannedRun,
    csv_of,
    edited,
    first_exports,
    is_keyless,
    planned_run,
    records_of,
)
from tests.faults.soak_report import Totals
from tests.faults.target_tables import TargetTables
from tests.support.pigment import API_KEY, APPLICATION_ID, Pigment
from tests.support.taps import Clock, Recorder, eventually, of_type
from tests.support.wire import accepting

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.exchanges import Exchange
    from tests.faults.soak_plan import Injection, Rows
    from tests.support.pigment import SentRequest
    from tests.support.wire import Authority

_SETTLE_SECONDS = 5  # The threads and connections of the server may need a moment.
_LEFT_BY_NO_RUN = ("open files", "threads", "spooled files", "temporary files")
_RETRIES = re.compile(r"([\d,]+) retr")
_ADDED = {"contentHash", "occurrence", "_sdc_deleted_at"}


class SoakServer:
    """Serves the blocks of a Pigment with the faults of a run.

    Args:
        pigment: The responses without a fault.
        planned: The run.

    Attributes:
        injected: How often each group of faults occurred.
    """

    def __init__(self, pigment: Pigment, planned: PlannedRun) -> None:
        self._pigment = pigment
        self._planned = planned
        faults = {block: planned.faults.get(stream) for block, stream in zip(pigment.blocks, STREAMS, strict=True)}
        self._injections: dict[str, Injection | None] = {**faults, "blocks": planned.listing}
        self._lock = threading.Lock()
        self._hits: Counter[str] = Counter()
        self.injected: Counter[str] = Counter()

    @contextmanager
    def serving(self, tls: ssl.SSLContext | None) -> Iterator[str]:
        """Serve until the block ends, and yield the setting `api_url`."""
        speak = http2(self._serve) if self._planned.transport is Transport.HTTP_2 else http1(self._serve)
        with socket.create_server((HOST, 0)) as listener, accepting(listener, speak, tls):
            yield f"http{'s' if tls else ''}://{HOST}:{listener.getsockname()[1]}/api"

    def _serve(self, exchange: Exchange, request: SentRequest) -> None:
        right = self._pigment.answer(request)
        requested = request.path.rpartition("/")[2]
        injection = self._injections.get(requested)
        with self._lock:
            earlier = self._hits[requested]
            if injection is None or (earlier and not injection.always):
                injection = None
            else:
                self._hits[requested] += 1
                self.injected[injection.fault.group] += 1
        if injection:
            injection.fault.inject(self._planned.transport)(exchange, right, earlier)
        else:
            exchange.respond(right)


@dataclass
class Pipeline:
    """The target of one mode, and the rows that it must hold, by stream."""

    target: TargetTables = field(default_factory=TargetTables)
    expected: dict[str, Rows] = field(default_factory=dict)

    def wrong_rows(self) -> Counter[str]:
        """Return how many rows each stream lacks, or has too much."""
        wrong: Counter[str] = Counter()
        for stream in STREAMS:
            found = Counter(_texts(self.target.records(stream)))
            right = Counter(_texts(records_of(stream, self.expected.get(stream, ()))))
            wrong[stream] = ((found - right) + (right - found)).total()
        return +wrong


class Soak:
    """Runs of the tap against a Pigment whose exports change.

    Args:
        folder: Where spool, snapshots and temporary files are.
        authority: Signs the server's certificates.
        seed: Decides on faults and exports.

    Attributes:
        totals: What happened so far.
    """

    def __init__(self, folder: Path, authority: Authority, seed: int) -> None:
        self._folders = {f"{kind} files": folder / kind for kind in ("spooled", "temporary", "snapshot")}
        self._spool, self._temporary, self._store = self._folders.values()
        for path in self._folders.values():
            path.mkdir()
        self._seed = seed
        self._tls = {transport: transport.tls(authority) for transport in Transport}
        self._exports = first_exports(seed)
        self._pigment = Pigment()
        for stream, rows in self._exports.items():
            kind = "TransactionList" if is_keyless(stream) else "DimensionList"
            self._pigment.add(stream.replace("_", " ").title(), kind, csv_of(stream, rows))
        self._pipelines = {mode: Pipeline() for mode in Mode}
        self._catalogs = {mode: self._catalog(mode) for mode in Mode}
        self.totals = Totals()

    def run(self, number: int) -> None:
        """Edit the exports, run the tap, load what it emits, and check the target and the process."""
        before = open_files(), threads()
        self._exports = edited(self._exports, self._seed, number)
        for block, (stream, rows) in zip(self._pigment.blocks, self._exports.items(), strict=True):
            self._pigment.exports[block] = csv_of(stream, rows)
        with _temporary_files_in(self._temporary), _signal_handlers_restored():
            self._run(planned_run(self._seed, number))
        is_settled = eventually(lambda: open_files() <= before[0] and threads() <= before[1], _SETTLE_SECONDS)
        used = used_now(self._folders)
        for name, value in used.items():
            self.totals.used.setdefault(name, []).append(value)
        if not is_settled or used["spooled files"] or used["temporary files"]:
            left = ", ".join(f"{used[name]} {name}" for name in _LEFT_BY_NO_RUN)
            self.totals.problems.append(
                f"run {number}: {before[0]} open files, {before[1]} threads before it; now {left}"
            )

    def _run(self, planned: PlannedRun) -> None:
        pipeline, totals = self._pipelines[planned.mode], self.totals
        earlier = pipeline.target.bookmarks
        recorder = Recorder()
        server = SoakServer(self._pigment, planned)
        with server.serving(self._tls[planned.transport]) as url:
            tap = self._tap(planned, url, recorder, earlier)
            failed, error = _failures(tap)

        pipeline.target.load(recorder.messages)
        pipeline.expected |= {stream: rows for stream, rows in self._exports.items() if stream not in failed}
        wrong = pipeline.wrong_rows()
        touched = {message.get("stream") for message in recorder.messages}
        touched |= {stream for stream, bookmark in pipeline.target.bookmarks.items() if bookmark != earlier.get(stream)}
        problems = [
            *(f"{stream} has {rows} wrong rows" for stream, rows in wrong.items()),
            *(f"{stream} failed, and its messages were emitted or its state advanced" for stream in failed & touched),
            *(
                [f"{_names(failed)} failed, not {_names(planned.failing)}: {error}"]
                if failed != planned.failing
                else []
            ),
        ]

        stats = tap.run_context.client.stats
        totals.runs[planned.transport.label] += 1
        totals.failed += bool(failed)
        totals.failed_streams += len(failed)
        totals.requests += stats.requests
        totals.retries += _retries(str(stats))
        totals.injected += server.injected
        totals.emitted_rows += len(of_type(recorder.messages, "RECORD"))
        totals.wrong_rows += wrong.total()
        totals.problems += [f"run {planned.number}, {planned.mode.value}: {problem}" for problem in problems]

    def _catalog(self, mode: Mode) -> dict[str, Any]:
        """Return the catalog of a discovery without faults."""
        planned = PlannedRun(0, Transport.HTTP_1, mode, discovers=True, faults={}, listing=None)
        with (
            SoakServer(self._pigment, planned).serving(None) as url,
            closing(self._tap(planned, url, Recorder(), {})) as tap,
        ):
            catalog: dict[str, Any] = json.loads(tap.catalog_json_text)
        return catalog

    def _tap(self, planned: PlannedRun, url: str, recorder: Recorder, bookmarks: dict[str, Any]) -> TapPigment:
        """Return a tap whose waits take no time, except for silence."""
        clock = Clock()
        config = {
            "api_url": url,
            "api_key": API_KEY,
            "application_id": APPLICATION_ID,
            "change_detection": planned.mode.value,
            "spool_dir": str(self._spool),
            **(SETTINGS_FOR_SILENCE if planned.is_silent else SETTINGS),
        }
        if planned.mode is Mode.ROW:
            config["snapshot_uri"] = str(self._store)
        catalog = None if planned.discovers else self._catalogs[planned.mode]
        return TapPigment(
            config=config,
            catalog=json.loads(json.dumps(catalog)) if catalog else None,
            state=json.loads(json.dumps({"bookmarks": bookmarks})) if bookmarks else {},
            message_writer=recorder,
            setup_mapper=False,  # It lists the blocks and may fail; the tap is needed then.
            clock=clock,
            sleep=clock.sleep,
        )


def soak(folder: Path, authority: Authority, *, runs: int, seed: int) -> Totals:
    """Run the tap many times in a row, and return what happened."""
    with trusting(authority):
        soaked = Soak(folder, authority, seed)
        for number in range(1, runs + 1):
            soaked.run(number)
    return soaked.totals


def _failures(tap: TapPigment) -> tuple[frozenset[str], str]:
    """Sync all streams; return those that failed, and the message of the error."""
    try:
        with closing(tap):
            tap.setup_mapper()
            tap.sync_all()
    except StreamsFailedError as error:
        return frozenset(tap.run_context.failures.names), str(error)
    except PigmentError as error:
        return frozenset(STREAMS), str(error)
    return frozenset(), ""


def _names(streams: frozenset[str]) -> str:
    return ", ".join(sorted(streams)) or "no stream"


def _retries(stats: str) -> int:
    found = _RETRIES.search(stats)
    assert found
    return int(found[1].replace(",", ""))


def _texts(records: list[dict[str, Any]]) -> list[str]:
    return [json.dumps({name: record[name] for name in sorted(record.keys() - _ADDED)}) for record in records]


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Let temporary files be made in a folder."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


@contextmanager
def _signal_handlers_restored() -> Iterator[None]:
    """Restore the signal handlers at the end: those of a tap refer to it."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""What happens in each run of a soak: the transport, the mode, the faults, and how the exports change before it."""

from __future__ import annotations

import csv
import io
import time
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import TYPE_CHECKING, Any

from tests.faults.faults import FAULTS, Fault, Phase, Verdict, anywhere
from tests.faults.server import Transport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.faults.exchanges import Exchange
    from tests.support.pigment import Answer

    Row = tuple[str, str]
    Rows = tuple[Row, ...]

BLOCKS = 20
STREAMS = tuple(f"block_{number}" for number in range(BLOCKS))
ROWS = 40
MAX_FAULTS = 6
SLOW_SECONDS = 0.05
_LAST_ACCOUNT = 9
_SHARE_OF_LASTING = 0.25
_SHARE_OF_LISTINGS = 0.1
_SHARE_OF_DISCOVERIES = 0.1
# It may cut these exports at a line end, or again at the same byte of a row. Both count as complete.
_UNDETECTABLE = "ended in mid-row as if complete"


def _respond_slowly(exchange: Exchange, right: Answer, _injected: int) -> None:
    time.sleep(SLOW_SECONDS)
    exchange.respond(right)


SLOW = Fault("a stall shorter than the timeout", "short stalls", anywhere(_respond_slowly), always=Verdict.SURVIVED)


class Mode(Enum):
    """How a run finds changes. Each mode has a target and a state of its own."""

    NONE = "none"
    STREAM = "stream"
    ROW = "row"


@dataclass(frozen=True)
class Injection:
    """A fault, and whether it stays for the whole run."""

    fault: Fault
    always: bool


@dataclass(frozen=True)
class PlannedRun:
    """One run.

    Attributes:
        number: Its number, from 1.
        transport: How requests travel.
        mode: How it finds changes.
        discovers: Whether it discovers instead of taking a catalog.
        faults: The faults of exports, by stream.
        listing: The fault of the listing of blocks; None for none.
    """

    number: int
    transport: Transport
    mode: Mode
    discovers: bool
    faults: Mapping[str, Injection]
    listing: Injection | None

    @property
    def is_silent(self) -> bool:
        """Whether the tap has to wait for the end of a timeout."""
        return any(injection.fault.is_silent for injection in (*self.faults.values(), *filter(None, [self.listing])))

    @property
    def failing(self) -> frozenset[str]:
        """The streams that must fail, of which nothing may be emitted."""
        if self.listing and self.listing.fault.expected(Phase.METADATA, always=self.listing.always) is Verdict.REPORTED:
            ends_run = Phase.METADATA in self.listing.fault.ends_run_at
            # The only fault of a listing that does not end the run is the loss of the first block.
            return frozenset(STREAMS if ends_run else [*STREAMS[:1], *self._failing_exports])
        return frozenset(self._failing_exports)

    @property
    def _failing_exports(self) -> Sequence[str]:
        phase = Phase.DISCOVERY if self.discovers else Phase.FIRST
        failing = {
            stream: injection.fault
            for stream, injection in self.faults.items()
            if injection.fault.expected(phase, always=injection.always) is Verdict.REPORTED
        }
        return STREAMS if any(phase in fault.ends_run_at for fault in failing.values()) else list(failing)


def is_keyless(stream: str) -> bool:
    """Return whether the rows of a stream have no key: every second block is a transaction list."""
    return STREAMS.index(stream) % 2 == 1


def planned_run(seed: int, number: int) -> PlannedRun:
    """Return a run of a soak, which depends on the seed and on its number."""
    random = Random(f"{seed} run {number}")  # noqa: S311 - no secret.
    over_http1 = (Transport.HTTP_1, Transport.HTTP_1_TLS)
    transport = Transport.HTTP_2 if number % 2 == 0 else over_http1[number // 2 % 2]
    possible = [SLOW, *(fault for fault in FAULTS if _is_possible(fault, transport, Phase.FIRST))]
    discovers = random.random() < _SHARE_OF_DISCOVERIES
    listing = None
    if not discovers and random.random() < _SHARE_OF_LISTINGS:
        listing = _injection(random, [fault for fault in FAULTS if _is_possible(fault, transport, Phase.METADATA)])
    faulty = random.sample(STREAMS, random.randint(0, MAX_FAULTS))
    return PlannedRun(
        number,
        transport,
        random.choice(list(Mode)),
        discovers,
        {stream: _injection(random, possible) for stream in faulty},
        listing,
    )


def _is_possible(fault: Fault, transport: Transport, phase: Phase) -> bool:
    return fault.is_possible(transport, phase) and not fault.refuses and fault.name != _UNDETECTABLE


def _injection(random: Random, faults: Sequence[Fault]) -> Injection:
    group = random.choice(sorted({fault.group for fault in faults}))
    fault = random.choice([fault for fault in faults if fault.group == group])
    return Injection(fault, always=random.random() < _SHARE_OF_LASTING)


# The exports


def first_exports(seed: int) -> dict[str, Rows]:
    """Return the rows of each stream before the first run."""
    random = Random(f"{seed} exports")  # noqa: S311 - no secret.
    return {stream: tuple(_new_row(random, stream, f"{number}") for number in range(ROWS)) for stream in STREAMS}


def edited(exports: Mapping[str, Rows], seed: int, number: int) -> dict[str, Rows]:
    """Return the rows of each stream as of a run: some of half of the streams are changed, deleted or added."""
    random = Random(f"{seed} edits {number}")  # noqa: S311 - no secret.
    return {
        stream: _edited_rows(random, stream, rows, f"{number}-") if random.random() < 0.5 else rows
        for stream, rows in exports.items()
    }


def _edited_rows(random: Random, stream: str, rows: Rows, prefix: str) -> Rows:
    kept = list(rows)
    for _ in range(random.randint(0, 3)):
        kept.pop(random.randrange(len(kept)))
    for _ in range(random.randint(0, 3)):
        position = random.randrange(len(kept))
        kept[position] = _new_row(random, stream, kept[position][0])
    # At most ROWS + 2 rows then, so that their number stays about the same.
    added = [_new_row(random, stream, f"{prefix}{added}") for added in range(random.randint(0, ROWS + 2 - len(kept)))]
    return tuple(kept + added)


def _new_row(random: Random, stream: str, code: str) -> Row:
    if is_keyless(stream):  # Some rows are identical.
        return f"{random.randint(0, _LAST_ACCOUNT)}", f"{random.randint(100, 110)}.25"
    return code, random.choice(["Name {}", 'The "{}"; quoted', "Größe {}"]).format(random.randint(100, 999))


def csv_of(stream: str, rows: Rows) -> bytes:
    """Return an export as Pigment sends it."""
    written = io.StringIO()
    header = ("Account", "Amount") if is_keyless(stream) else ("Code", "Name")
    csv.writer(written, delimiter=";").writerows([header, *rows])
    return written.getvalue().encode()


def records_of(stream: str, rows: Rows) -> list[dict[str, Any]]:
    """Return the records of an export, without the columns that the tap adds."""
    if is_keyless(stream):
        return [{"Account": account, "Amount": float(amount)} for account, amount in rows]
    return [{"Code": code, "Name": name} for code, name in rows]

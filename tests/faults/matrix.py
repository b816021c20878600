"""All cells of the matrix, several at a time: silence takes most of the time."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.faults.cell import Cell, find_baseline, outcome
from tests.faults.faults import FAULTS, Phase
from tests.faults.server import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.faults.cell import Outcome
    from tests.support.wire import Authority

THREADS = 8


def cells() -> list[Cell]:
    """Return all cells."""
    return [
        Cell(fault, phase, transport, always)
        for fault in FAULTS
        for transport in Transport
        for phase in Phase
        for always in (False, True)
        if fault.is_possible(transport, phase)
    ]


def outcomes(chosen: Sequence[Cell], authority: Authority) -> list[Outcome]:
    """Run cells and return the outcomes, in the order of the cells."""
    tls = {transport: transport.tls(authority) for transport in Transport}
    with trusting(authority), ThreadPoolExecutor(THREADS) as pool:
        baseline = find_baseline()
        return list(pool.map(lambda cell: outcome(cell, baseline, tls[cell.transport]), chosen))


@contextmanager
def trusting(authority: Authority) -> Iterator[None]:
    """Let the tap trust an authority and use no proxy."""
    set_here = {"REQUESTS_CA_BUNDLE": str(authority.path), "NO_PROXY": "*"}
    before = {name: os.environ.get(name) for name in set_here}
    os.environ.update(set_here)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

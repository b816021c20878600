"""All cells of the matrix, several at a time: most of the time of the silent ones is waiting."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.faults.cell import Cell, find_baseline, outcome
from tests.faults.faults import FAULTS, Column
from tests.faults.server import Carrier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.faults.cell import Outcome
    from tests.wire import Authority

THREADS = 8


def cells() -> list[Cell]:
    """Return all cells that there are."""
    return [
        Cell(fault, column, carrier, always)
        for fault in FAULTS
        for carrier in Carrier
        for column in Column
        for always in (False, True)
        if fault.is_possible(carrier, column)
    ]


def outcomes(chosen: Sequence[Cell], authority: Authority) -> list[Outcome]:
    """Run cells and return what became of them, in their order."""
    tls = {carrier: carrier.tls(authority) for carrier in Carrier}
    with _trusting(authority), ThreadPoolExecutor(THREADS) as pool:
        baseline = find_baseline()
        return list(pool.map(lambda cell: outcome(cell, baseline, tls[cell.carrier]), chosen))


@contextmanager
def _trusting(authority: Authority) -> Iterator[None]:
    """Let the tap trust an authority, and go no way but the straight one."""
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

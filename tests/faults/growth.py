"""What this process uses, and the rule by which that grows from run to run."""

from __future__ import annotations

import gc
import importlib
import os
from dataclasses import dataclass
from statistics import linear_regression, median
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_PROCESS = psutil.Process()


@dataclass(frozen=True)
class Growth:
    """How a figure changed from the first runs to the last ones.

    Attributes:
        first: Its median over the first tenth of the runs.
        last: Its median over the last tenth.
        slope: By how much it rises with each run, by linear regression.
        limit: The largest difference that is no growth.
    """

    first: float
    last: float
    slope: float
    limit: float

    @property
    def is_growth(self) -> bool:
        """Whether the figure grows."""
        return self.last - self.first > self.limit


def growth(values: Sequence[float], limit: float) -> Growth:
    """Return how a figure changed over the runs.

    A run that uses more for a while moves no median. What every run keeps does, and what one run in ten keeps.
    """
    tenth = tenth_of(len(values))
    slope = linear_regression(range(len(values)), values).slope
    return Growth(median(values[:tenth]), median(values[-tenth:]), slope, limit)


def tenth_of(runs: int) -> int:
    """Return how many runs are a tenth of them; at least one."""
    return max(runs // 10, 1)


def used_now(folders: Mapping[str, Path]) -> dict[str, int]:
    """Return what the process uses, and how many files and folders are below some folders, by name of the figure."""
    entries = {name: sum(len(each) for _, *found in os.walk(path) for each in found) for name, path in folders.items()}
    return {
        "open files": open_files(),
        "threads": threads(),
        **entries,
        "objects": _objects(),
        "resident memory": _PROCESS.memory_info().rss,
    }


def open_files() -> int:
    """Return how many files, sockets and pipes are open."""
    return _PROCESS.num_fds()


def threads() -> int:
    """Return how many threads run, those of libraries included."""
    return _PROCESS.num_threads()


def _objects() -> int:
    """Return how many objects the garbage collector tracks, after it has collected."""
    importlib.invalidate_caches()  # They grow when a folder on the path is edited meanwhile.
    gc.collect()
    return len(gc.get_objects())

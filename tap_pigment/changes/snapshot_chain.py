"""Which snapshots an export is compared with, and when a snapshot is deleted. No I/O.

An export is compared with the snapshot that the state names. It is also compared with the snapshots of other runs: a
target may have loaded any part of the rows of a run that failed, and may load the rows of an overlapping run late. A
snapshot of another run is compared in two good runs in a row. Then no rows of that run can still be on their way, and
the next run deletes the snapshot.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_TIME_FORMAT = "%Y%m%dT%H%M%S%fZ"
_HASH_CHARACTERS = 32
_NAME = re.compile(rf"[0-9]{{8}}T[0-9]{{12}}Z-[0-9a-f]{{{_HASH_CHARACTERS}}}")


@dataclass(frozen=True)
class Lineage:
    """A snapshot's place among the others, by their names.

    Attributes:
        base: The snapshot that the state of its run named; None if it named none.
        compared: The snapshots of other runs with which its export was compared.
        retired: The snapshots that are obsolete as soon as a state names this one.
    """

    base: str | None = None
    compared: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """The snapshots that matter to a run, by their names.

    Attributes:
        others: The snapshots of other runs to compare the export with.
        obsolete: The snapshots that no run needs any more.
        lineage: The lineage of the run's own snapshot.
    """

    others: tuple[str, ...]
    obsolete: tuple[str, ...]
    lineage: Lineage


def plan_comparison(named: str | None, lineage: Lineage | None, stored: Collection[str]) -> Comparison:
    """Return the snapshots to compare an export with, beside the one that the state names.

    Args:
        named: The snapshot that the state names; None if it names none.
        lineage: Its lineage; None if it cannot be read.
        stored: All snapshots of the stream.
    """
    known = lineage or Lineage()
    obsolete = sorted(name for name in stored if name == known.base or name in known.retired)
    others = sorted(name for name in stored if name != named and name not in obsolete)
    # What could not be deleted in this run is deleted in the next one.
    retired = sorted({*obsolete, *(name for name in others if name in known.compared)})
    return Comparison(tuple(others), tuple(obsolete), Lineage(named, tuple(others), tuple(retired)))


def snapshot_name(received_at: datetime, file_hash: str) -> str:
    """Return the name of a snapshot, by the time of its export and the SHA-256 of its file."""
    return f"{received_at:{_TIME_FORMAT}}-{file_hash[:_HASH_CHARACTERS]}"


def is_name_of_file(name: str, file_hash: str) -> bool:
    """Return whether a file is the snapshot of a name, by the SHA-256 of the file."""
    return name.endswith(f"-{file_hash[:_HASH_CHARACTERS]}")


def is_snapshot_name(name: str) -> bool:
    """Return whether a text has the form of a snapshot's name: the time of its export, and a hash."""
    if not _NAME.fullmatch(name):
        return False
    with suppress(ValueError):
        return bool(received_at(name))
    return False


def received_at(name: str) -> datetime:
    """Return when the export of a snapshot began to arrive, by the snapshot's name.

    Raises:
        ValueError: If it is not a time.
    """
    return datetime.strptime(name.partition("-")[0], _TIME_FORMAT).replace(tzinfo=UTC)

"""The key of a stream, as a value; `catalog.discovery` and `catalog.entries` decide which columns it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_pigment.columns.naming import CONTENT_HASH, OCCURRENCE
from tap_pigment.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_pigment.columns.types import Column

_KEYLESS_PRIMARY_KEY = (CONTENT_HASH, OCCURRENCE)


@dataclass(frozen=True)
class RowKey:
    """The exported columns that identify a row.

    Attributes:
        columns: Their names; none if no exported column identifies a row. Such a row is identified by its
            `contentHash`, and identical rows by their number, `occurrence`.
    """

    columns: tuple[str, ...] = ()

    @classmethod
    def from_primary_key(cls, names: Iterable[str]) -> RowKey:
        """Return the row key of a stream whose Singer primary key has these names."""
        columns = tuple(names)
        return cls() if columns == _KEYLESS_PRIMARY_KEY else cls(columns)

    @property
    def is_keyless(self) -> bool:
        """Whether no exported column identifies a row."""
        return not self.columns

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The Singer primary key of the stream."""
        return self.columns or _KEYLESS_PRIMARY_KEY

    @property
    def added_columns(self) -> tuple[str, ...]:
        """The columns that the tap adds to each record."""
        return _KEYLESS_PRIMARY_KEY if self.is_keyless else (CONTENT_HASH,)

    def of(self, columns: Iterable[Column]) -> list[Column]:
        """Return those of some columns that belong to the key."""
        return [column for column in columns if column.name in self.columns]

    def sorted_of(self, columns: Iterable[Column]) -> list[Column]:
        """Return the same in the order of their names, which is that of every run; exports have another order."""
        return sorted(self.of(columns), key=lambda column: column.name)


def existing_columns(names: Iterable[str], existing: Sequence[str], *, setting: str) -> tuple[str, ...]:
    """Return `names`, each once, after a check that the columns exist.

    Raises:
        SettingsError: If a column does not exist.
    """
    wanted = tuple(dict.fromkeys(names))
    if missing := [name for name in wanted if name not in existing]:
        raise SettingsError(
            f"{setting}: no column {', '.join(missing)} in the export. Its columns: {', '.join(existing)}."
        )
    return wanted

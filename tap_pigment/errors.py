"""What can go wrong, one class for each remedy.

The text of an error is the whole message for the user: where, what, and what to do. It never holds the API key,
and of cell values at most what is needed to find the row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class PigmentError(Exception):
    """A failure that the user can do something about."""


class SettingsError(PigmentError):
    """A setting contradicts what is there: correct the setting."""


class ApiKeyError(PigmentError):
    """Pigment does not know the key (401): set another one."""


class RightMissingError(PigmentError):
    """The key lacks a right (403): have it granted."""


class NotFoundError(PigmentError):
    """Pigment does not know the id (404), or no longer: discover again, or correct the id."""


class RequestRefusedError(PigmentError):
    """Pigment refuses the request (400, 413, 422, redirects): correct what is asked for."""


class PigmentExportError(PigmentError):
    """Pigment did not answer, or not in full, in spite of all tries: run again later."""


class SpoolError(PigmentError):
    """The disk does not take what has to be kept there: make room, or name another place."""


class SnapshotError(PigmentError):
    """The store of snapshots does not give or take one: check `snapshot_uri`, its credentials and its space."""


class MalformedExportError(PigmentError):
    """The answer arrived in full and is not the CSV that it should be: look at the row that is named."""


class FoundLateError(MalformedExportError):
    """It was found only after the answer was taken for whole: ask for the export again.

    Attributes:
        fault: What is wrong with the row.
    """

    def __init__(self, message: str, fault: str) -> None:
        super().__init__(message)
        self.fault = fault


class CatalogError(PigmentError):
    """The catalog asks for what is no longer there: discover again."""


class ShrunkExportError(PigmentError):
    """Too many rows are gone to delete them downstream unasked: look at the access rights, or lift the guard."""


class KeysNotUniqueError(PigmentError):
    """Rows share a key and would be merged by a target: set `key_columns`."""


class CellTypeError(PigmentError):
    """A cell does not fit its column's type: set `types`."""


class StreamMapError(PigmentError):
    """A stream map fails on a record: correct its expressions."""


class StreamsFailedError(PigmentError):
    """Some streams failed and the others are complete: look at each of them."""

    def __init__(self, failures: Mapping[str, str], streams: int) -> None:
        width = max(map(len, failures))
        rows = [f"  {name:{width}}  {message}" for name, message in failures.items()]
        others = "" if len(failures) == streams else " The others are complete."
        super().__init__("\n".join([f"{len(failures)} of {streams} streams failed.{others}", *rows]))

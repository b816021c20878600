"""The errors of the tap, one class for each remedy.

The text of an error is the whole message for the user: where, what, and what to do. It never holds the API key, and of
cell values at most what is needed to find the row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_pigment.redaction import printable, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping


class PigmentError(Exception):
    """A failure that is reported in one line, without a traceback."""

    def __str__(self) -> str:
        """Return the message, printable and short."""
        return shortened(printable(super().__str__()))


class SettingsError(PigmentError):
    """A setting does not fit: correct the setting."""


class ApiKeyError(PigmentError):
    """Pigment does not accept the API key (401): set another one."""


class ScopeMissingError(PigmentError):
    """The API key lacks a scope (403): have it granted."""


class NotFoundError(PigmentError):
    """The id does not exist in Pigment (404): discover again, or correct the id."""


class RequestRefusedError(PigmentError):
    """Pigment, or the connection to it, refuses the request (400, 413, 422, redirects, certificates): correct it.

    Attributes:
        is_about_body: Whether Pigment refuses the request's body (400, 422), so that another one may be accepted.
    """

    is_about_body = False


class PigmentExportError(PigmentError):
    """Pigment did not answer, or not completely, after all tries: run again later."""


class MalformedExportError(PigmentError):
    """The export is complete and not the CSV that its header announces: check the row that is named."""


class SpoolError(PigmentError):
    """The disk fails: make room, correct permissions, or set `spool_dir` to another directory."""


class MemoryLimitError(PigmentError):
    """The memory limit is too low for the export: extract less of it at once."""


class OutputError(PigmentError):
    """stdout cannot be written: check the target, or the disk behind it."""


class StoreError(PigmentError):
    """A store of snapshots or BATCH files fails: check its address, credentials and space."""


class SnapshotError(PigmentError):
    """A snapshot is missing or damaged; the tap does a full send and needs no help."""


class RunStoppedError(PigmentError):
    """The run was stopped: run again."""


class CatalogError(PigmentError):
    """The catalog does not fit Pigment any more: discover again."""


class ShrunkExportError(PigmentError):
    """Too many rows were deleted since the last run: check the access rights, or turn the guard off for one run."""


class KeysNotUniqueError(PigmentError):
    """Rows share a key, and a target would merge them: set `key_columns`."""


class CellTypeError(PigmentError):
    """A cell does not fit its column's type: set `types`."""


class StreamMapError(PigmentError):
    """A stream map fails on a record: correct its expressions."""


class InvariantError(PigmentError):
    """The tap found a contradiction in its own work: report it as a bug."""

    def __init__(self, message: str) -> None:
        super().__init__(f"{message} Please report this as a bug of tap-pigment.")


class StreamsFailedError(PigmentError):
    """Some streams, or applications, failed and the others are complete: look at each failure.

    Args:
        failures: The message of each stream that failed, by its name.
        streams: How many streams there were to sync.
        applications: The message of each application that cannot be listed, by its name.
    """

    def __init__(
        self, failures: Mapping[str, str], streams: int, applications: Mapping[str, str] | None = None
    ) -> None:
        all_failures = {**failures, **(applications or {})}
        messages = {shortened(printable(name)): printable(message) for name, message in all_failures.items()}
        width = max(map(len, messages))
        # The name is in front of each row, so a message need not repeat it.
        rows = [f"  {name:{width}}  {message.removeprefix(f'{name}: ')}" for name, message in messages.items()]
        others = "" if len(failures) == streams else " The others are complete."
        if not applications:
            title = f"{len(failures):,} of {counted(streams, 'stream')} failed.{others}"
        elif not failures:
            title = f"{counted(len(applications), 'application')} failed.{others}"
        else:
            failed_applications = counted(len(applications), "application")
            title = f"{len(failures):,} of {counted(streams, 'stream')} and {failed_applications} failed.{others}"
        self.lines = (title, *rows)
        super().__init__(*self.lines)

    def __str__(self) -> str:
        """Return the lines; no other error has several."""
        return "\n".join(self.lines)


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, such as `1 request` or `1,300 requests`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"

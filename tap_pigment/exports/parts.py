"""Joins the parts of an export: the rows of all parts, in their order, below one header in one file.

Behind this, an export of several parts is like any other: it is read, validated, hashed and compared once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

from tap_pigment.errors import SettingsError
from tap_pigment.exports.download import ExportPart
from tap_pigment.exports.spool_directory import disk_errors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from tap_pigment.exports.download import ExportFile
    from tap_pigment.pigment import ApiRequest, PigmentClient

_CHUNK_BYTES = 1 << 17
_MAX_NAMED_COLUMNS = 10


class JoinedParts:
    """An export whose parts are added one after another; as a context, it deletes the file if an error ends it.

    Args:
        name: The stream's name; messages start with it.
        client: Raises an error while parts are joined if the run was stopped.
    """

    def __init__(self, name: str, client: PigmentClient) -> None:
        self._name = name
        self._client = client
        self._file: ExportFile | None = None
        self._parts: list[ExportPart] = []

    def __enter__(self) -> Self:
        """Return the export."""
        return self

    def __exit__(
        self, error_class: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Delete the file if an error ends the context."""
        if error is not None and self._file is not None:
            self._file.delete()

    def add(self, part: ExportFile, part_name: str, request: ApiRequest) -> None:
        """Add the rows of a part, which is complete; its own file is deleted, or becomes that of the export.

        Args:
            part: The part.
            part_name: Its name in messages, such as `slices[2]`.
            request: The request for it.

        Raises:
            SettingsError: If its header is not that of the first part.
            SpoolError: If the disk does not take it.
            RunStoppedError: If the run was stopped.
        """
        rows = part.counts.rows
        if self._file is None:
            self._file = part
        else:
            try:
                self._check_header(part, part_name)
                self._append(self._file, part, request)
            finally:
                part.delete()
        self._parts.append(ExportPart(part_name, rows))

    def file(self) -> ExportFile:
        """Return the export, with all parts that were added; there must be one."""
        assert self._file is not None  # noqa: S101 - the caller's mistake.
        return replace(self._file, parts=tuple(self._parts)) if len(self._parts) > 1 else self._file

    def _check_header(self, part: ExportFile, part_name: str) -> None:
        assert self._file is not None  # noqa: S101 - see `add`.
        if difference := header_difference(self._file.header, part.header):
            raise SettingsError(
                f"{self._name}: the header of {part_name} is not that of {self._parts[0].name}: {difference}. Nothing "
                f"was emitted. Correct stream_overrides.{self._name}.slices, so that all request the same columns."
            )

    def _append(self, file: ExportFile, part: ExportFile, request: ApiRequest) -> None:
        """Append the rows of a part to the file of the first one; each part may lack its final line end."""
        needed = f"The stream {self._name} needs room for all its slices, and for one of them twice."
        with disk_errors(file.path.parent, needed), file.path.open("ab") as joined, part.path.open("rb") as body:
            body.seek(part.counts.header_bytes)
            if part.counts.rows and not file.counts.ends_with_newline:
                _write(joined, _line_end(file, part), file)
            while chunk := body.read(_CHUNK_BYTES):
                self._client.raise_if_cancelled(request)
                _write(joined, chunk, file)


def header_difference(first: Sequence[str], other: Sequence[str]) -> str | None:
    """Return how a header differs from the first one, or None if it does not."""
    if tuple(first) == tuple(other):
        return None
    missing = [name for name in first if name not in other]
    added = [name for name in other if name not in first]
    texts = [f"it lacks {_named(missing)}"] if missing else []
    texts += [f"it has {_named(added)} in addition"] if added else []
    return " and ".join(texts) or "it has the same columns in another order, or some of them twice"


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MAX_NAMED_COLUMNS
    return ", ".join(names[:_MAX_NAMED_COLUMNS]) + (f" and {more:,} more" if more > 0 else "")


def _line_end(*files: ExportFile) -> bytes:
    """Return the line end that exports use: that of the first header which has one."""
    lines = [line for file in files if (line := file.counts.header_line).endswith(b"\n")]
    return b"\r\n" if lines and lines[0].endswith(b"\r\n") else b"\n"


def _write(joined: BinaryIO, chunk: bytes, file: ExportFile) -> None:
    """Write bytes to the file of an export, and count and hash them with those before."""
    joined.write(chunk)
    file.counts.feed(chunk)
    if file.digest:
        file.digest.update(chunk)

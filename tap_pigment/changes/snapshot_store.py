"""The store of snapshots: a folder for each stream, on a disk or wherever fsspec reaches.

A snapshot's name is the time of its export and a SHA-256 of its bytes. So each has a name of its own, none is ever
changed, and one that is truncated or was replaced is recognised before it is opened.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped] # It has no types.

from tap_pigment.changes.snapshot_chain import is_name_of_file, is_snapshot_name, received_at, snapshot_name
from tap_pigment.columns import file_name_problem
from tap_pigment.errors import SnapshotError
from tap_pigment.output import check_file_name, open_store, store_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager
    from datetime import datetime

SETTING = "snapshot_uri"

_SUFFIX = ".parquet"


@dataclass(frozen=True)
class Entry:
    """A snapshot in the store: its stream, its name and its size in bytes."""

    stream: str
    name: str
    size_bytes: int

    @property
    def received_at(self) -> datetime:
        """When the export began to arrive."""
        return received_at(self.name)

    def __str__(self) -> str:
        """Return the entry as a line."""
        return f"{self.stream}  {self.name}  {self.received_at:%Y-%m-%d %H:%M:%S} UTC  {self.size_bytes:,} bytes"


class SnapshotStore:
    """The snapshots below an address.

    Args:
        uri: A path, or an fsspec URL such as `s3://bucket/folder`.

    Raises:
        StoreError: If fsspec does not know the address, or lacks a package for it.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._filesystem, self._root = open_store(SETTING, uri)
        self._is_local = isinstance(self._filesystem, LocalFileSystem)

    def fetch(self, stream: str, name: str, target: Path) -> None:
        """Copy a snapshot to a file.

        Raises:
            SnapshotError: If it is missing, or is not the file that was stored.
            StoreError: If it cannot be read now; nothing but that snapshot shows which rows are deleted since.
        """
        path = self._path(stream, name)
        with self._errors(stream, f"cannot read {path}"):
            # To read a named pipe would take forever.
            if self._is_local and os.path.lexists(path) and not Path(path).is_file():
                raise SnapshotError(f"{path} is not a file")
            try:
                if not (self._is_local and _is_linked(Path(path), target)):
                    self._filesystem.get_file(path, str(target))
            except FileNotFoundError:
                raise SnapshotError(f"{path} does not exist") from None
        if not target.is_file():
            raise SnapshotError(f"{path} is not a file")
        if not is_name_of_file(name, _file_hash(target)):
            raise SnapshotError(f"{path} is not the file that was stored: it is truncated or was replaced")

    def put(self, stream: str, source: Path, received_at: datetime) -> str:
        """Store a snapshot and return its name.

        Raises:
            StoreError: If the store does not take it.
        """
        name = snapshot_name(received_at, _file_hash(source))
        path = self._path(stream, name)
        with self._errors(stream, f"cannot write {path}"):
            if self._is_local:
                _put_privately(source, Path(path))
            else:
                self._filesystem.put_file(str(source), path)
        return name

    def remove(self, stream: str, name: str) -> None:
        """Remove a snapshot, if it is there.

        Raises:
            StoreError: If it cannot be removed.
        """
        path = self._path(stream, name)
        with store_errors(SETTING, f"cannot remove {path}"), suppress(FileNotFoundError):
            self._filesystem.rm_file(path)

    def names(self, stream: str) -> list[str]:
        """Return the names of a stream's snapshots, the oldest first.

        Raises:
            StoreError: If they cannot be listed.
        """
        return [entry.name for entry in self._entries(self._folder(stream), f"{stream}: {SETTING}")]

    def entries(self) -> Iterator[Entry]:
        """Yield all snapshots, by stream and time.

        Raises:
            StoreError: If they cannot be listed.
        """
        yield from self._entries(self._root, SETTING)

    def _entries(self, folder: str, setting: str) -> Iterator[Entry]:
        sizes: Mapping[str, int] = {}
        # A folder that does not exist is empty: nothing was stored yet.
        with store_errors(setting, f"cannot list {self._uri}"), suppress(FileNotFoundError):
            sizes = self._sizes(folder)
        for path in sorted(sizes):
            *_, stream, file = path.split("/")
            name = file.removesuffix(_SUFFIX)
            is_in_place = path == f"{self._root}/{stream}/{name}{_SUFFIX}"
            if is_in_place and is_snapshot_name(name) and not file_name_problem(stream):  # There may be other files.
                yield Entry(stream, name, sizes[path])

    def _sizes(self, folder: str) -> dict[str, int]:
        """Return the sizes of the files below a folder, in bytes, by path."""
        if self._is_local:
            return dict(_local_sizes(folder))
        self._filesystem.invalidate_cache()  # Another run may have stored one.
        return {path: int(entry["size"]) for path, entry in self._filesystem.find(folder, detail=True).items()}

    @staticmethod
    def _errors(stream: str, action: str) -> AbstractContextManager[None]:
        """Turn the errors of the filesystem into one that fails the stream."""
        return store_errors(f"{stream}: {SETTING}", action, f"Nothing of {stream} was emitted.")

    def _path(self, stream: str, name: str) -> str:
        return f"{self._folder(stream)}/{name}{_SUFFIX}"

    def _folder(self, stream: str) -> str:
        check_file_name(SETTING, stream)
        return f"{self._root}/{stream}"


def _local_sizes(folder: str) -> Iterator[tuple[str, int]]:
    """Yield path and size of the files below a folder; fsspec would skip a folder that it may not read."""

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        if parent != folder:
            folders.clear()  # No snapshot is deeper, and links may form circles.
        for name in names:
            if not is_snapshot_name(name.removesuffix(_SUFFIX)):
                continue
            path = f"{parent}/{name}"  # A Path would drop a "./" of the address.
            with suppress(FileNotFoundError):  # Another run may have removed it.
                if Path(path).is_file():
                    yield path.replace(os.sep, "/"), Path(path).stat().st_size


def _put_privately(source: Path, target: Path) -> None:
    """Store a file that is complete from the first moment and private to the user."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    source.chmod(0o600)
    if _is_linked(source, target):
        return
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".incoming-")
    os.close(handle)
    try:
        shutil.copyfile(source, name)
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)


def _is_linked(source: Path, target: Path) -> bool:
    """Give a file, which nothing changes, a second name; return False where that is impossible, as on another disk."""
    try:
        target.hardlink_to(source)
    except OSError:
        return False
    return True


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

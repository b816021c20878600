"""Where snapshots are kept: in a folder for each stream, on a disk or wherever fsspec reaches.

A snapshot's name is the time it was made at and a SHA-256 of its bytes. So every one has a name of its own, none is
ever changed, and one that is truncated or was put there by somebody else is recognised before it is opened. What is put
there later has the greater name, whatever the clock says.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import fsspec  # type: ignore[import-untyped] # It brings no types.

from tap_pigment.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Iterator

_HASH_CHARACTERS = 32
_HASHERS = 4
_PIECE_BYTES = 4 << 20
_SUFFIX = ".parquet"
_TIME = "%Y%m%dT%H%M%S%fZ"
_TICK = timedelta(microseconds=1)
_LAST_YEAR = 9999  # In it the next name may be too late for Python.
_NAME = re.compile(r"[0-9]{8}T[0-9]{12}Z-[0-9a-f]{32}")


@dataclass(frozen=True)
class Entry:
    """A snapshot in the store: its stream, its name and its size in bytes."""

    stream: str
    name: str
    size: int

    @property
    def made_at(self) -> datetime:
        """When the export that it is of began to arrive; just after the one before it, if the clock went back."""
        return _made_at(self.name)


class SnapshotStore:
    """The snapshots below an address.

    Args:
        uri: A path, or a URL that fsspec knows, such as `s3://bucket/folder`.

    Raises:
        SnapshotError: If fsspec does not know the address, or lacks a package for it.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        try:
            self._filesystem, root = fsspec.core.url_to_fs(uri)
        except Exception as error:  # noqa: BLE001 - each filesystem has errors of its own.
            raise SnapshotError(
                f"snapshot_uri: {uri}: {_reason(error)}. Set it to a path or an fsspec URL; s3:// and gs:// need the "
                "extras s3 and gcs of tap-pigment."
            ) from None
        self._root = root.rstrip("/")
        self._is_local = isinstance(self._filesystem, fsspec.implementations.local.LocalFileSystem)

    def fetch(self, stream: str, name: str, target: Path) -> None:
        """Copy a snapshot to a file.

        Raises:
            SnapshotError: If it is not there, cannot be read, or is not what was stored.
        """
        path = self._path(stream, name)
        try:
            if not (self._is_local and _is_linked(Path(path), target)):
                self._filesystem.get_file(path, str(target))
            digest = _digest(target)
        except FileNotFoundError:
            raise SnapshotError(f"there is no {path}") from None
        except Exception as error:  # noqa: BLE001 - each filesystem has errors of its own.
            raise SnapshotError(f"cannot read {path}: {_reason(error)}") from None
        if not name.endswith(f"-{digest}"):
            raise SnapshotError(f"{path} is not what was stored there: it is truncated or was replaced")

    def put(self, stream: str, source: Path, now: datetime) -> str:
        """Store a snapshot and return its name, which is greater than those of the stream's others.

        Args:
            stream: The stream's name.
            source: The file.
            now: When the export began to arrive.

        Raises:
            SnapshotError: If the store does not take it.
        """
        made_at = max([now, *(_made_at(name) + _TICK for name in self.names(stream)[-1:])])
        name = f"{made_at:{_TIME}}-{_digest(source)}"
        path = self._path(stream, name)
        try:
            if self._is_local:
                _put_privately(source, Path(path))
            else:
                self._filesystem.put_file(str(source), path)
        except Exception as error:  # noqa: BLE001 - each filesystem has errors of its own.
            raise SnapshotError(
                f"{stream}: snapshot_uri: cannot write {path}: {_reason(error)}. Nothing was sent. Check the address, "
                "its credentials and its space."
            ) from None
        return name

    def remove(self, stream: str, name: str) -> None:
        """Remove a snapshot; one that is gone already is no error.

        Raises:
            SnapshotError: If it cannot be removed.
        """
        path = self._path(stream, name)
        try:
            self._filesystem.rm_file(path)
        except FileNotFoundError:
            return
        except Exception as error:  # noqa: BLE001 - each filesystem has errors of its own.
            raise SnapshotError(f"cannot remove {path}: {_reason(error)}") from None

    def names(self, stream: str) -> list[str]:
        """Return the names of a stream's snapshots, the oldest first.

        Raises:
            SnapshotError: If they cannot be listed.
        """
        return [entry.name for entry in self._entries(f"{self._root}/{stream}")]

    def entries(self) -> Iterator[Entry]:
        """Yield all snapshots, by stream and age.

        Raises:
            SnapshotError: If they cannot be listed.
        """
        yield from self._entries(self._root)

    def _entries(self, folder: str) -> Iterator[Entry]:
        try:
            found = self._sizes(folder)
        except FileNotFoundError:
            return  # Nothing has been put there yet.
        except Exception as error:  # noqa: BLE001 - each filesystem has errors of its own.
            raise SnapshotError(
                f"snapshot_uri: cannot list {self._uri}: {_reason(error)}. Check the address and its credentials."
            ) from None
        for path in sorted(found):
            *_, stream, file = path.split("/")
            name = file.removesuffix(_SUFFIX)
            if path == self._path(stream, name) and _is_name(name):  # Others may keep files there too.
                yield Entry(stream, name, found[path])

    def _sizes(self, folder: str) -> dict[str, int]:
        """Return the files below a folder, and their sizes in bytes."""
        if self._is_local:
            return dict(_local_sizes(folder))
        self._filesystem.invalidate_cache()  # Another run may have put one there.
        return {path: int(entry["size"]) for path, entry in self._filesystem.find(folder, detail=True).items()}

    def _path(self, stream: str, name: str) -> str:
        return f"{self._root}/{stream}/{name}{_SUFFIX}"


def _made_at(name: str) -> datetime:
    return datetime.strptime(name.partition("-")[0], _TIME).replace(tzinfo=UTC)


def _is_name(name: str) -> bool:
    """Return whether a file may be a snapshot by its name."""
    try:
        return _NAME.fullmatch(name) is not None and _made_at(name).year < _LAST_YEAR
    except ValueError:
        return False


def _local_sizes(folder: str) -> Iterator[tuple[str, int]]:
    """Yield the files below a folder, and their sizes; fsspec would leave out a folder that it may not read."""

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        if parent != folder:
            folders.clear()  # Snapshots lie no deeper, and links may go round in circles.
        for name in names:
            if not _is_name(name.removesuffix(_SUFFIX)):
                continue
            path = f"{parent}/{name}"  # As it is asked for: a Path would leave out a "./".
            with suppress(FileNotFoundError):  # Another run may have removed it.
                yield path.replace(os.sep, "/"), Path(path).stat().st_size


def _put_privately(source: Path, target: Path) -> None:
    """Put a file somewhere so that it is there whole or not at all, and for its user's eyes only."""
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
    """Give a file, which nobody will change, a second name; return False where that cannot be, as on another disk."""
    try:
        target.hardlink_to(source)
    except OSError:
        return False
    return True


def _digest(path: Path) -> str:
    """Return the SHA-256 of the SHA-256s of a file's pieces, of which several are made at once."""

    def of_piece(start: int) -> bytes:
        with path.open("rb") as file:
            file.seek(start)
            return hashlib.sha256(file.read(_PIECE_BYTES)).digest()

    with ThreadPoolExecutor(_HASHERS) as hashers:
        pieces = hashers.map(of_piece, range(0, path.stat().st_size, _PIECE_BYTES))
        return hashlib.sha256(b"".join(pieces)).hexdigest()[:_HASH_CHARACTERS]


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__

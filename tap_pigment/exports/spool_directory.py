"""The private directory in which one run spools its exports, removed when the run ends.

A killed run cannot clean up, so the next run does. A lock shows which runs are alive: each directory holds a file that
its run keeps locked, and the kernel releases the lock when the process dies, however that happens. Process ids would
show less: they are reused, and mean nothing in another container.
"""

from __future__ import annotations

import errno
import itertools
import os
import platform
import shutil
import stat
import sys
import tempfile
import threading
import weakref
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tap_pigment.errors import SpoolError

if TYPE_CHECKING:
    from collections.abc import Iterator

if sys.platform != "win32":  # Windows has no such locks: directories of killed runs stay there.
    import fcntl

_PREFIX = "tap-pigment-"
_LOCK = "run.lock"
_MAX_NAME_BYTES = 256
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class SpoolDirectory:
    """A private directory for exports, made at the first use.

    `close` removes it. If that is never called, the interpreter's exit removes it.

    Args:
        parent: Where to make it; None for the system's directory of temporary files.
    """

    def __init__(self, parent: Path | None) -> None:
        self._parent = parent
        self._path: Path | None = None
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._finalizer: weakref.finalize[..., SpoolDirectory] | None = None

    def path(self) -> Path:
        """Return the directory, which is made at the first call.

        Raises:
            SpoolError: If it cannot be made.
        """
        with self._lock:
            if self._path is None:
                self._path = self._make()
            return self._path

    def new_file(self) -> Path:
        """Return the path of a new, empty file that only the user can read.

        Raises:
            SpoolError: If it cannot be made.
        """
        path = self.path() / f"export-{next(self._numbers)}.csv"
        with disk_errors(path.parent):
            path.touch(mode=0o600, exist_ok=False)
        return path

    def close(self) -> None:
        """Remove the directory with everything in it; the next use makes another one."""
        with self._lock:
            if self._finalizer is not None:
                self._finalizer()
            self._path = self._finalizer = None

    def _make(self) -> Path:
        try:
            parent = self._parent or Path(tempfile.gettempdir())
            remove_dead(parent)
            path, lock = _new_directory(parent)
        except (OSError, ValueError) as error:  # ValueError: a path that no system has, such as one with a NUL.
            if isinstance(error, OSError) and error.errno in _NO_ROOM:
                raise spool_error(error, self._parent or Path(tempfile.gettempdir())) from None
            place, settings = (
                (str(self._parent), "spool_dir")
                if self._parent
                else ("the system directory for temporary files", "spool_dir, or the variable TMPDIR,")
            )
            cause = error.strerror if isinstance(error, OSError) else error
            raise SpoolError(
                f"spool_dir: cannot make a directory in {place}: {cause}. Set {settings} to a directory that "
                "exists and can be written."
            ) from None
        self._finalizer = weakref.finalize(self, _remove, path, lock)
        return path


@contextmanager
def disk_errors(folder: Path, needed: str = "") -> Iterator[None]:
    """Turn an `OSError` into an error that names the cause, the directory and the remedy.

    Args:
        folder: The directory.
        needed: How much room is needed, as a sentence; added where the disk is full.

    Raises:
        SpoolError: The error.
    """
    try:
        yield
    except OSError as error:
        raise spool_error(error, folder, needed) from None


def room_for_stream(name: str) -> str:
    """Return how much room the work on a stream needs, as a sentence for `disk_errors`."""
    return f"The stream {name} needs about twice the size of its export."


def spool_error(error: OSError, folder: Path, needed: str = "") -> SpoolError:
    """Return the error of the spool for an `OSError`; see `disk_errors`."""
    match error.errno:
        case number if number in _NO_ROOM:
            remedy = f"the disk is full.{needed and ' '}{needed} Make room, or set spool_dir to a directory with more."
        case errno.EFBIG:
            remedy = f"{error.strerror}.{needed and ' '}{needed} Raise the limit on the size of a file (ulimit -f)."
        case errno.EACCES | errno.EPERM | errno.EROFS:
            remedy = f"{error.strerror}. Set spool_dir to a directory that can be written."
        case errno.ENOENT:
            remedy = f"{error.strerror}: something removed the directory or a file in it during the run. Run again."
        case _:
            remedy = f"{error.strerror or error}. Check the disk, or set spool_dir to another directory."
    return SpoolError(f"spool_dir: {folder}: {remedy}")


def remove_dead(parent: Path) -> None:
    """Remove the directories of this user's killed runs on this machine; what cannot be removed stays."""
    if sys.platform == "win32":
        return
    with suppress(OSError):
        for path in parent.glob(f"{_PREFIX}*"):
            if _is_mine(path) and (lock := _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)) is not None:
                _remove(path, lock)


def _new_directory(parent: Path) -> tuple[Path, int | None]:
    """Make and lock a directory; the lock is None where the system has none."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent)).absolute()  # DuckDB takes a `~` in front for home.
        if sys.platform == "win32":
            return path, None
        try:
            (path / _LOCK).touch(mode=0o600)
            (path / _LOCK).write_text(_machine(), "utf-8")
        except OSError:  # A full disk may take the directory and no file.
            shutil.rmtree(path, ignore_errors=True)
            raise
        # Before it is locked, a run that cleans up may remove it; this waits for that run.
        lock = _locked(path, fcntl.LOCK_EX)
        # Without its lock file it is being removed.
        if lock is not None or (path / _LOCK).exists():
            return path, lock


def _is_mine(path: Path) -> bool:
    """Return whether a path is a directory of this user."""
    if sys.platform == "win32":
        return False
    with suppress(OSError):
        status = path.lstat()
        return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
    return False


def _locked(path: Path, how: int) -> int | None:
    """Lock the directory of a run and return the lock; None if the run is alive, or that is unknown."""
    if sys.platform == "win32":
        return None
    with suppress(OSError):
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_NONBLOCK)  # Not to wait at a named pipe.
        with suppress(OSError):  # BlockingIOError: the run is alive. Others: this filesystem has no locks.
            fcntl.flock(lock, how)
            # It may have been removed between the two lines above. In a directory that is shared over a network,
            # the lock of another machine may be invisible here.
            is_there = os.path.samestat(os.fstat(lock), (path / _LOCK).lstat())
            if is_there and os.read(lock, _MAX_NAME_BYTES) == _machine().encode():
                return lock
        os.close(lock)
    return None


def _machine() -> str:
    """Return the id of the kernel that holds the locks, which is the same in all its containers."""
    with suppress(OSError):
        return _BOOT.read_text("utf-8").strip()
    return platform.node()


def _remove(path: Path, lock: int | None) -> None:
    """Remove a directory, its lock last: if this is killed in the middle, the next run finds it."""
    with suppress(OSError):
        for entry in path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name != _LOCK:
                entry.unlink(missing_ok=True)
    shutil.rmtree(path, ignore_errors=True)
    if lock is not None:
        os.close(lock)

"""The directory that one run keeps its exports in: for its user's eyes only, and gone when the run is.

A run that is killed cannot clean up, so the next one does it. A lock tells which runs live: in each directory lies a
file that its run keeps locked, and the kernel lets go of a lock when its holder dies, however that happens. Numbers of
processes would tell less, as they come again and mean nothing in another container.
"""

from __future__ import annotations

import itertools
import os
import platform
import shutil
import stat
import sys
import tempfile
import threading
import weakref
from contextlib import suppress
from pathlib import Path

from tap_pigment.errors import SpoolError

if sys.platform != "win32":  # Where no dead run's directory is removed, for want of such locks.
    import fcntl

_PREFIX = "tap-pigment-"
_LOCK = "run.lock"
_MAX_NAME_BYTES = 256
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class SpoolFolder:
    """A private directory for exports, made at the first use and gone with its owner, however that ends."""

    def __init__(self, parent: Path | None) -> None:
        self._parent = parent
        self._path: Path | None = None
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def new_file(self) -> Path:
        """Return the path of a new file that only the user can read.

        Raises:
            SpoolError: If the directory cannot be made.
        """
        with self._lock:
            if self._path is None:
                self._path = self._made()
            path = self._path / f"export-{next(self._numbers)}.csv"
        path.touch(mode=0o600, exist_ok=False)
        return path

    def _made(self) -> Path:
        parent = self._parent or Path(tempfile.gettempdir())
        remove_dead(parent)
        try:
            path, lock = _new_directory(parent)
        except OSError as error:
            raise SpoolError(
                f"spool_dir: cannot make a directory in {parent}: {error.strerror}. Set spool_dir to a directory that "
                "exists and can be written."
            ) from None
        weakref.finalize(self, _remove, path, lock)
        return path


def remove_dead(parent: Path) -> None:
    """Remove the directories that runs of this user have left behind on this machine; what cannot be is left alone."""
    if sys.platform == "win32":
        return
    with suppress(OSError):
        for path in parent.glob(f"{_PREFIX}*"):
            if _is_mine(path) and (lock := _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)) is not None:
                _remove(path, lock)


def _new_directory(parent: Path) -> tuple[Path, int | None]:
    """Make a directory and lock it; the lock is None where there are no locks."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        if sys.platform == "win32":
            return path, None
        (path / _LOCK).touch(mode=0o600)
        (path / _LOCK).write_text(_machine(), "utf-8")
        # Until it is locked, a run that cleans up may take it for a dead one's, and is waited for.
        lock = _locked(path, fcntl.LOCK_EX)
        # Without its lock file it is going, though it may be there still.
        if lock is not None or (path / _LOCK).exists():
            return path, lock


def _is_mine(path: Path) -> bool:
    """Return whether a path is a directory, and this user's."""
    if sys.platform == "win32":
        return False
    with suppress(OSError):
        status = path.lstat()
        return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
    return False


def _locked(path: Path, how: int) -> int | None:
    """Lock the directory of a run and return the lock; None if the run lives, or nobody can tell."""
    if sys.platform == "win32":
        return None
    with suppress(OSError):
        lock = os.open(path / _LOCK, os.O_RDWR)
        with suppress(OSError):  # BlockingIOError: the run lives. Others: this filesystem has no locks.
            fcntl.flock(lock, how)
            # It may have been removed between the two lines above. And where a directory is shared over a network,
            # another machine's lock may not be seen here.
            is_there = os.path.samestat(os.fstat(lock), (path / _LOCK).stat())
            if is_there and os.read(lock, _MAX_NAME_BYTES) == _machine().encode():
                return lock
        os.close(lock)
    return None


def _machine() -> str:
    """Return what names the kernel that holds the locks: the same in all its containers."""
    with suppress(OSError):
        return _BOOT.read_text("utf-8").strip()
    return platform.node()


def _remove(path: Path, lock: int | None) -> None:
    """Remove a directory, its lock last: whoever is killed in the middle leaves it to be found."""
    with suppress(OSError):
        for entry in path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name != _LOCK:
                entry.unlink(missing_ok=True)
    shutil.rmtree(path, ignore_errors=True)
    if lock is not None:
        os.close(lock)

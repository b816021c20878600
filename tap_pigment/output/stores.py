"""Stores of BATCH files and snapshots: fsspec filesystems, whose errors name their cause."""

from __future__ import annotations

import errno
import tempfile
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import fsspec  # type: ignore[import-untyped] # It has no types.
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped] # It has no types.

from tap_pigment.columns import file_name_problem
from tap_pigment.errors import PigmentError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_pigment.settings import StoreAddress

_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}


def open_store(setting: str, uri: str, options: Mapping[str, Any] | None = None) -> tuple[Any, str]:
    """Return the filesystem of a store's address, and the path of its root there.

    Args:
        setting: The setting that holds the address; messages start with it.
        uri: A path or an fsspec URL.
        options: Options of the filesystem.

    Raises:
        StoreError: If fsspec does not know the address, or lacks a package for it.
    """
    with store_errors(setting, f"cannot use {uri}"):
        filesystem, root = fsspec.core.url_to_fs(uri, **(options or {}))
        return filesystem, root.rstrip("/")


def check_store(store: StoreAddress) -> None:
    """Check that a store can be reached, and that a local one can be written.

    Raises:
        StoreError: If not.
    """
    filesystem, root = open_store(store.setting, store.uri, store.options)
    with store_errors(store.setting, f"cannot use {store.uri}"):
        if isinstance(filesystem, LocalFileSystem):
            filesystem.makedirs(root, exist_ok=True)
            with tempfile.TemporaryFile(dir=root):
                return
        # Some credentials may write and not list.
        with suppress(*([] if store.is_read else [PermissionError])):
            try:
                filesystem.info(root)
            except FileNotFoundError:  # The first file makes a folder, but no bucket.
                filesystem.info(root.partition("/")[0])


def check_file_name(setting: str, stream: str) -> None:
    """Check that the name of a stream can be a part of a path in a store, so that every file is in the store.

    Raises:
        StoreError: If not.
    """
    if problem := file_name_problem(stream):
        raise StoreError(
            f"{stream}: {setting}: files are named after the stream, and its name cannot be used: {problem}. Rename "
            "the stream in the catalog."
        )


@contextmanager
def store_errors(setting: str, action: str, consequence: str = "") -> Iterator[None]:
    """Turn the errors of a filesystem into one that names the cause and the remedy.

    Args:
        setting: The setting that holds the store's address; messages start with it.
        action: What failed, such as `cannot write s3://bucket/file`.
        consequence: What follows for the run, as a sentence.

    Raises:
        StoreError: The error.
    """
    try:
        yield
    except PigmentError:
        raise
    except Exception as error:  # noqa: BLE001 - each filesystem has errors of its own.
        cause, remedy = _cause_and_remedy(error, action)
        sentences = [f"{setting}: {action}: {cause}.", consequence, remedy]
        raise StoreError(" ".join(sentence for sentence in sentences if sentence)) from None


def _cause_and_remedy(error: Exception, action: str) -> tuple[str, str]:
    """Return the cause of an error, and what to do: by its class, or by its text, for stores have their own classes."""
    detail = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    text = f"{type(error).__name__} {detail}".lower()
    if isinstance(error, ImportError):
        scheme = action.partition("://")[0].split()[-1]
        extra = _EXTRAS.get(scheme)
        cause, remedy = detail, f"Install it: pip install 'tap-pigment[{extra}]'." if extra else "Install that package."
    elif isinstance(error, FileNotFoundError):
        cause, remedy = f"it does not exist ({detail})", "Check the address."
    elif isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        cause, remedy = "the disk is full", "Make room, or set another address."
    elif isinstance(error, PermissionError) or "denied" in text or "forbidden" in text:
        cause, remedy = f"permission denied ({detail})", "Check the permissions of the user or of the credentials."
    elif "credential" in text:
        cause = f"credentials are missing or not valid ({detail})"
        remedy = "Set them as the store's client expects them."
    elif isinstance(error, ConnectionError | TimeoutError) or "connect" in text:
        cause, remedy = f"the store cannot be reached ({detail})", "Check the address and the network."
    else:
        cause, remedy = detail, "Check the address, its credentials and its space."
    return cause, remedy

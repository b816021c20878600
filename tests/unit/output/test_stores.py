"""Stores: the errors of filesystems name the setting, the cause and the remedy."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from tap_pigment.errors import SpoolError, StoreError
from tap_pigment.output import open_store, store_errors

if TYPE_CHECKING:
    from pathlib import Path


class NoCredentialsError(Exception):
    """Stands for the error of botocore, which is no `OSError`."""


class ClientConnectorError(Exception):
    """Stands for the error of aiohttp, which is no `OSError`."""


@pytest.mark.parametrize(
    ("error", "cause_and_remedy"),
    [
        pytest.param(
            FileNotFoundError("bucket/file"),
            "it does not exist (bucket/file). Check the address.",
            id="missing",
        ),
        pytest.param(
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
            "the disk is full. Make room, or set another address.",
            id="full",
        ),
        pytest.param(
            PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/store"),
            "permission denied ([Errno 13] Permission denied: '/store'). Check the permissions of the user or of the "
            "credentials.",
            id="permission",
        ),
        pytest.param(
            Exception("An error occurred (AccessDenied) when calling PutObject"),
            "permission denied (An error occurred (AccessDenied) when calling PutObject). Check the permissions of the "
            "user or of the credentials.",
            id="access denied",
        ),
        pytest.param(
            NoCredentialsError("Unable to locate credentials"),
            "credentials are missing or not valid (Unable to locate credentials). Set them as the store's client "
            "expects them.",
            id="no credentials",
        ),
        pytest.param(
            ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED)),
            "the store cannot be reached ([Errno 111] Connection refused). Check the address and the network.",
            id="refused",
        ),
        pytest.param(
            ClientConnectorError("host unknown"),
            "the store cannot be reached (host unknown). Check the address and the network.",
            id="another library's connection error",
        ),
        pytest.param(
            TimeoutError(),
            "the store cannot be reached (TimeoutError). Check the address and the network.",
            id="timeout",
        ),
        pytest.param(
            ValueError("Protocol not known:\n  nonsense."),
            "Protocol not known: nonsense. Check the address, its credentials and its space.",
            id="anything else, in one line",
        ),
    ],
)
def test_an_error_of_a_store_names_its_cause_and_remedy(error: Exception, cause_and_remedy: str) -> None:
    with pytest.raises(StoreError) as caught, store_errors("snapshot_uri", "cannot write s3://bucket/file"):
        raise error

    assert str(caught.value) == f"snapshot_uri: cannot write s3://bucket/file: {cause_and_remedy}"
    assert caught.value.__cause__ is None


def test_the_consequence_stands_between_cause_and_remedy() -> None:
    with (
        pytest.raises(StoreError) as caught,
        store_errors("snapshot_uri", "cannot read x", "All rows are sent."),
    ):
        raise FileNotFoundError("x")

    assert (
        str(caught.value) == "snapshot_uri: cannot read x: it does not exist (x). All rows are sent. Check the address."
    )


@pytest.mark.parametrize(
    ("uri", "remedy"),
    [
        ("s3://bucket/path", "Install it: pip install 'tap-pigment[s3]'."),
        ("gs://bucket/path", "Install it: pip install 'tap-pigment[gcs]'."),
        ("abfs://container/path", "Install that package."),
    ],
)
def test_a_missing_package_is_named_with_its_extra(uri: str, remedy: str) -> None:
    with pytest.raises(StoreError) as caught, store_errors("snapshot_uri", f"cannot use {uri}"):
        raise ImportError("Install a package")

    assert str(caught.value) == f"snapshot_uri: cannot use {uri}: Install a package. {remedy}"


def test_an_error_of_the_tap_is_raised_unchanged() -> None:
    with pytest.raises(SpoolError, match=r"^spool_dir: full$"), store_errors("snapshot_uri", "cannot write x"):
        raise SpoolError("spool_dir: full")


def test_an_error_shows_no_api_key() -> None:
    with pytest.raises(StoreError) as caught, store_errors("snapshot_uri", "cannot write x"):
        raise ValueError("bad header pgmt_Abc123DEF456")

    assert "Abc123" not in str(caught.value)


def test_a_path_and_its_url_are_the_same_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    for uri in (str(tmp_path), f"{tmp_path}/", tmp_path.as_uri()):
        filesystem, root = open_store("snapshot_uri", uri)
        assert root == str(tmp_path)
        assert filesystem.cat_file(f"{root}/file") == b"x"


def test_options_reach_the_filesystem(tmp_path: Path) -> None:
    filesystem, root = open_store("snapshot_uri", (tmp_path / "new").as_uri(), {"auto_mkdir": True})

    filesystem.pipe_file(f"{root}/sub/file", b"x")

    assert (tmp_path / "new" / "sub" / "file").read_bytes() == b"x"


def test_an_address_of_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(StoreError) as caught:
        open_store("batch_config.storage.root", "nonsense://bucket/path")

    assert str(caught.value).startswith("batch_config.storage.root: cannot use nonsense://bucket/path: ")
    assert "nonsense" in str(caught.value)

"""Servers of S3 and of Google Cloud Storage on localhost, each in a process of its own."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import boto3  # type: ignore[import-untyped] # It has no types.
import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "pigment-snapshots"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
_SECONDS = 10


class ObjectStore(Protocol):
    """A server with one bucket."""

    @property
    def scheme(self) -> str:
        """The scheme of its addresses."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with its address and credentials."""

    def object_keys(self) -> list[str]:
        """Return the keys of all objects in the bucket."""

    def delete(self, key: str) -> None:
        """Delete an object."""


@dataclass(frozen=True)
class S3Store:
    """An S3 server."""

    url: str
    scheme: str = "s3"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with its address and credentials."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.url}

    def object_keys(self) -> list[str]:
        """Return the keys of all objects in the bucket."""
        return [found["Key"] for found in self._client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def delete(self, key: str) -> None:
        """Delete an object."""
        self._client.delete_object(Bucket=BUCKET, Key=key)

    def make_bucket(self) -> None:
        """Make the bucket."""
        self._client.create_bucket(Bucket=BUCKET)

    @property
    def _client(self) -> Any:  # noqa: ANN401 - boto3 defines its types at run time.
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    @contextmanager
    def refuse_everybody(self) -> Iterator[None]:
        """Refuse all requests until the block ends."""
        self._accept("0")
        try:
            yield
        finally:
            self._accept("inf")

    def _accept(self, unauthenticated_requests: str) -> None:
        address = f"{self.url}/moto-api/reset-auth"
        requests.post(address, data=unauthenticated_requests, timeout=_SECONDS).raise_for_status()


@dataclass(frozen=True)
class GoogleStore:
    """A Google Cloud Storage server."""

    url: str
    scheme: str = "gs"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with its address and credentials."""
        return {"STORAGE_EMULATOR_HOST": self.url}

    def object_keys(self) -> list[str]:
        """Return the keys of all objects in the bucket."""
        response = requests.get(self._objects, timeout=_SECONDS)
        response.raise_for_status()
        return [found["name"] for found in response.json().get("items", [])]

    def delete(self, key: str) -> None:
        """Delete an object."""
        requests.delete(f"{self._objects}/{quote(key, safe='')}", timeout=_SECONDS).raise_for_status()

    @property
    def _objects(self) -> str:
        return f"{self.url}/storage/v1/b/{BUCKET}/o"


@contextmanager
def google_store() -> Iterator[GoogleStore]:
    """Run a server with an empty bucket until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host", "127.0.0.1", "--port", port]
    with subprocess.Popen([*command, "--in-memory", "--default-bucket", BUCKET], stderr=subprocess.PIPE) as server:
        try:
            assert server.stderr
            next(line for line in server.stderr if b"services started" in line)
            yield GoogleStore(f"http://127.0.0.1:{port}")
        finally:
            server.terminate()


@contextmanager
def s3_store() -> Iterator[S3Store]:
    """Run a server with an empty bucket until the block ends."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr
            found = next(match for line in server.stderr if (match := re.search(r"http://127\.0\.0\.1:\d+", line)))
            store = S3Store(found[0])
            store.make_bucket()
            yield store
        finally:
            server.terminate()

"""An S3 server on localhost, in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3  # type: ignore[import-untyped] # It brings no types.
import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "pigment-snapshots"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
_SECONDS = 10


@dataclass(frozen=True)
class ObjectStore:
    """A server with one bucket."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a client finds it and may use it."""
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
    def _client(self) -> Any:  # noqa: ANN401 - boto3 makes its types at run time.
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    @contextmanager
    def distrust(self) -> Iterator[None]:
        """Refuse everybody while the block lasts."""
        self._allow("0")
        try:
            yield
        finally:
            self._allow("inf")

    def _allow(self, requests_without_right: str) -> None:
        address = f"{self.url}/moto-api/reset-auth"
        requests.post(address, data=requests_without_right, timeout=_SECONDS).raise_for_status()


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """Run a server with an empty bucket until the block ends."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr
            found = next(match for line in server.stderr if (match := re.search(r"http://127\.0\.0\.1:\d+", line)))
            store = ObjectStore(found[0])
            store.make_bucket()
            yield store
        finally:
            server.terminate()

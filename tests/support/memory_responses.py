"""Responses whose bodies are bytes in memory, as `requests` gives them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from collections.abc import Mapping

CHUNKED = {"Content-Type": "text/csv", "Transfer-Encoding": "chunked"}


class MemoryBody(io.BytesIO):
    """A body that is not compressed, and arrives whole.

    Attributes:
        read_bytes: How many bytes were read, also after it was closed.
        headers: The headers of its response.
        version: The version of HTTP, as urllib3 numbers it.
    """

    def __init__(self, content: bytes, headers: Mapping[str, str], version: int) -> None:
        super().__init__(content)
        self.read_bytes = 0
        self.headers = dict(headers)
        self.version = version

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes."""
        chunk = super().read(size)
        self.read_bytes += len(chunk)
        return chunk


def response_of(content: bytes, headers: Mapping[str, str] = CHUNKED, *, version: int = 11) -> requests.Response:
    """Return a successful response, whose `raw` is a `MemoryBody`."""
    response = requests.Response()
    response.status_code = 200
    response.headers.update(headers)
    response.raw = MemoryBody(content, headers, version)
    return response


def read_bytes(response: requests.Response) -> int:
    """Return how many bytes of the body of such a response were read."""
    body: object = response.raw
    assert isinstance(body, MemoryBody)
    return body.read_bytes

"""HTTP clients for a sandbox, and what they read."""

import csv
import io
import ssl
from typing import Any

import httpx2

from tap_pigment.sandbox.server import Server


def client(server: Server, key: str = "", *, http2: bool = True) -> httpx2.Client:
    """Return a client with the key, which trusts the server and speaks HTTP/2 if that is offered."""
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if server.ca_file:
        trust.load_verify_locations(server.ca_file)
    return httpx2.Client(
        base_url=f"{server.url}/v1",
        headers={"Authorization": f"Bearer {key}"} if key else {},
        http2=http2 and server.ca_file is not None,
        verify=trust,
        timeout=10,
    )


def table(answer: httpx2.Response, delimiter: str = ";") -> list[list[str]]:
    """Return the header and the rows of an export."""
    assert answer.status_code == 200, answer.text
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""), delimiter=delimiter))


def problem(answer: httpx2.Response) -> str:
    """Return what a refusal says, after a look at its form."""
    assert answer.headers["content-type"] == "application/problem+json"
    details: dict[str, Any] = answer.json()
    assert details["status"] == answer.status_code
    assert details.keys() == {"title", "status", "detail"}
    return str(details["detail"])

"""HTTP clients for a sandbox, and readers for its responses."""

import csv
import io
import ssl
from typing import Any

import httpx2

from tap_pigment.sandbox.server import Server


def http_client(server: Server, key: str = "", *, http2: bool = True) -> httpx2.Client:
    """Return a client that sends the key, trusts the server's certificate and uses HTTP/2 if the server offers it."""
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


def csv_rows(response: httpx2.Response, delimiter: str = ";") -> list[list[str]]:
    """Return the header and the rows of an export."""
    assert response.status_code == 200, response.text
    return list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"), newline=""), delimiter=delimiter))


def problem_detail(response: httpx2.Response) -> str:
    """Return the detail of an error response, and check that it has the form of RFC 9457."""
    assert response.headers["content-type"] == "application/problem+json"
    details: dict[str, Any] = response.json()
    assert details["status"] == response.status_code
    assert details.keys() == {"title", "status", "detail"}
    return str(details["detail"])

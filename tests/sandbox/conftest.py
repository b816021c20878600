"""A small Pigment for every test, spoken to over HTTP/1.1 and over HTTP/2."""

from collections.abc import Iterator

import httpx2
import pytest

from tap_pigment.sandbox.app import pigment_app
from tap_pigment.sandbox.server import Server, serving
from tests.sandbox.clients import client
from tests.sandbox.company import KEY, WORKSPACE


@pytest.fixture(scope="package", params=[False, True], ids=["http1", "http2"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Serve the small company."""
    with serving(pigment_app(WORKSPACE, quota=1_000_000), tls=request.param) as running:
        yield running


@pytest.fixture(scope="package")
def pigment(server: Server) -> Iterator[httpx2.Client]:
    """Return a client with all rights."""
    with client(server, KEY) as http:
        yield http

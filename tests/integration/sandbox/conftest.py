"""The small workspace, served to every test over HTTP/1.1 and over HTTP/2."""

from collections.abc import Iterator

import httpx2
import pytest

from tap_pigment.sandbox.api import pigment_app
from tap_pigment.sandbox.server import Server, serving
from tests.integration.sandbox.clients import http_client
from tests.integration.sandbox.small_workspace import KEY, WORKSPACE


@pytest.fixture(scope="package", params=[False, True], ids=["http1", "http2"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Serve the small workspace."""
    with serving(pigment_app(WORKSPACE, quota=1_000_000), tls=request.param) as running:
        yield running


@pytest.fixture(scope="package")
def client(server: Server) -> Iterator[httpx2.Client]:
    """Return a client whose key has all scopes."""
    with http_client(server, KEY) as client:
        yield client

"""An adapter that gives a `requests` session HTTP/2, by way of httpx2.

Internals in use, seen in urllib3 2.8.0: `HTTPResponse` over an object that can only be read, its numbers of HTTP
versions, and `create_urllib3_context`.
"""

from __future__ import annotations

import os
import ssl
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, select_proxy
from urllib3 import HTTPHeaderDict, HTTPResponse
from urllib3.util.ssl_ import create_urllib3_context

from tap_pigment.pigment.http2_connection import Body, Connection, ReadDeadline, Route, failures, reason
from tap_pigment.settings import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

# As urllib3 numbers versions.
HTTP_2 = 20
HTTP_1_1 = 11
_VERSIONS = {b"HTTP/2": HTTP_2, b"HTTP/1.0": 10}


class ConnectionSetupError(requests.RequestException):
    """No connection can be made with the packages and variables of this machine; the message ends with the remedy."""


class Http2Adapter(HTTPAdapter):
    """Sends over HTTP/2 if the server speaks it, else over HTTP/1.1, and without TLS always over HTTP/1.1.

    Each request has a connection of its own, which is kept for the next one. On a shared connection a body
    that is not read for a while would use up the flow control window of all others, and httpx2 does not lock what
    several threads would share.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._idle: dict[Route, list[Connection]] = defaultdict(list)
        self._busy: set[Connection] = set()
        self._contexts: dict[tuple[str | None, Any, str], ssl.SSLContext] = {}

    def send(  # noqa: PLR0913, PLR0917 - the signature that `requests` calls.
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002 - see above.
        timeout: Any = None,  # noqa: ANN401 - seconds, a pair of them, or a ReadDeadline.
        verify: bool | str = True,  # noqa: FBT001, FBT002 - see above.
        cert: Any = None,  # noqa: ANN401 - a path, or a pair of them.
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send a request and return the response with its body unread.

        Raises:
            requests.RequestException: If no response arrives.
        """
        url = str(request.url)
        proxy = proxy_of(url, proxies)
        deadline = timeout if isinstance(timeout, ReadDeadline) else ReadDeadline(timeout)
        if proxy and urlsplit(proxy).scheme.startswith("socks"):  # Through the package that `requests` uses for it.
            try:
                return super().send(request, stream, deadline.timeouts, verify, cert, dict(proxies or {}))
            except requests.exceptions.InvalidSchema:  # Only for want of PySocks.
                raise ConnectionSetupError(
                    "SOCKS needs the package PySocks. Install it in the tap's environment: pip install "
                    "'requests[socks]'."
                ) from None
        trusted = _trusted(verify) if url.startswith("https:") else None
        connection = self._take(Route(urlsplit(url).netloc, proxy, trusted, cert))
        try:
            response = connection.send(request, deadline)
        except BaseException as error:
            self._drop(connection)
            if isinstance(error, failures()):
                raise _requests_error(error, request, proxied=bool(proxy)) from reason(error)
            raise
        body = Body(response, connection, deadline, keep=self._keep, drop=self._drop)
        return self.build_response(request, _urllib3_response(response, body, request))

    def _take(self, route: Route) -> Connection:
        """Return a kept connection that is still usable, or a new one."""
        with self._lock:
            idle = self._idle[route]
            while idle:
                connection = idle.pop()
                if connection.is_quiet:
                    break
                connection.close()
            else:
                with_tls = route.proxy and route.proxy.startswith("https")
                connection = Connection(
                    route, self._context(route, "server"), self._context(route, "proxy") if with_tls else None
                )
            self._busy.add(connection)
        return connection

    def _context(self, route: Route, peer: str) -> ssl.SSLContext:
        """Return the TLS context of a server or a proxy; the protocols that it offers differ between them."""
        cert = route.cert if peer == "server" else None
        if (route.trusted, cert, peer) not in self._contexts:
            self._contexts[route.trusted, cert, peer] = _tls_context(route.trusted, cert)
        return self._contexts[route.trusted, cert, peer]

    def _keep(self, connection: Connection) -> None:
        """Keep a connection for the next request."""
        with self._lock:
            self._busy.discard(connection)
            self._idle[connection.route].append(connection)

    def _drop(self, connection: Connection) -> None:
        """Close a connection."""
        with self._lock:
            self._busy.discard(connection)
        connection.close()

    def close(self) -> None:
        """Close all connections; transfers in other threads end with an error."""
        super().close()
        with self._lock:
            busy, idle = list(self._busy), [connection for kept in self._idle.values() for connection in kept]
            self._idle.clear()
        for connection in busy:
            connection.hang_up()
        for connection in idle:
            connection.close()


def _urllib3_response(response: httpx2.Response, body: Body, request: requests.PreparedRequest) -> HTTPResponse:
    headers = HTTPHeaderDict()
    for name, value in response.headers.raw:
        headers.add(name.decode("latin-1"), value.decode("latin-1"))
    version = response.extensions["http_version"]
    return HTTPResponse(
        body,  # type: ignore[arg-type] # typed as a file, and only read.
        headers,
        response.status_code,
        _VERSIONS.get(version, HTTP_1_1),
        version.decode("ascii"),
        response.reason_phrase,
        preload_content=False,
        decode_content=False,
        request_method=request.method,
        request_url=request.url,
    )


def proxy_of(url: str, proxies: Mapping[str, str] | None) -> str | None:
    """Return the proxy for a URL, or None; a loopback address has none.

    Raises:
        requests.exceptions.InvalidProxyURL: If its address is not valid.
    """
    if is_loopback(urlsplit(url).hostname or ""):
        return None
    proxy = select_proxy(url, dict(proxies or {}))
    if not proxy:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    try:
        parts = urlsplit(proxy)
        is_address = bool(parts.hostname) and parts.scheme.startswith(("http", "socks")) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise requests.exceptions.InvalidProxyURL("the proxy's address does not have the form http://host:port")
    return proxy


def _trusted(verify: bool | str) -> str | None:  # noqa: FBT001 - see `send`.
    """Return the file or directory of the trusted certificates, or None for no check."""
    if verify is False:
        return None
    if isinstance(verify, str):
        return verify
    return os.environ.get("SSL_CERT_FILE") or DEFAULT_CA_BUNDLE_PATH


def _tls_context(trusted: str | None, cert: Any) -> ssl.SSLContext:  # noqa: ANN401 - see `send`.
    """Return the TLS context that `requests` would use.

    Raises:
        ConnectionSetupError: If certificates cannot be loaded.
    """
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED if trusted else ssl.CERT_NONE)
    try:
        if trusted and os.path.isdir(trusted):  # noqa: PTH112 - the setting is a text.
            context.load_verify_locations(capath=trusted)
        elif trusted:
            context.load_verify_locations(cafile=trusted)
        if cert:
            context.load_cert_chain(*([cert] if isinstance(cert, str) else cert))
    except OSError as error:
        places = " or ".join(str(place) for place in (trusted, cert) if place)
        raise ConnectionSetupError(
            f"no certificates in {places}: {error.strerror}. Correct REQUESTS_CA_BUNDLE or SSL_CERT_FILE."
        ) from None
    return context


def _requests_error(
    error: BaseException, request: requests.PreparedRequest, *, proxied: bool
) -> requests.RequestException:
    """Return the error of `requests` for a failure before the response."""
    import httpx2  # noqa: PLC0415 - see Connection.

    why = reason(error)
    kind: type[requests.RequestException] = requests.ConnectionError
    match error:
        case httpx2.ConnectTimeout():
            kind = requests.ConnectTimeout
        case httpx2.TimeoutException() | TimeoutError():
            kind = requests.ReadTimeout
        case httpx2.InvalidURL() | httpx2.UnsupportedProtocol():
            kind = requests.exceptions.InvalidURL
        case _ if isinstance(why, ssl.SSLError):
            kind = requests.exceptions.SSLError
        case httpx2.ProxyError():
            kind = requests.exceptions.ProxyError
        case httpx2.ConnectError() if proxied:
            kind = requests.exceptions.ProxyError
    return kind(why, request=request)

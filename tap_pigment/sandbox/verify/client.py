"""Sends the requests: the only module here that uses the network."""

import ssl
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

import httpx2
import requests.utils

from tap_pigment.sandbox.verify.access import Access, CannotVerifyError, is_loopback
from tap_pigment.sandbox.verify.evidence import Exchange
from tap_pigment.sandbox.verify.probes import Key, Probe

SILENCE_SECONDS = 60
CONNECT_SECONDS = 20
# So that a server that sends its body slowly does not hold the command.
BODY_SECONDS = 120
MAX_ERROR_BYTES = 1 << 16
# The same variables, in the same order, as the tap's.
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class Client:
    """Sends probes to a workspace, each on a connection of its own: closing it is the surest way to end an export."""

    def __init__(self, access: Access, environment: Mapping[str, str]) -> None:
        self._access = access
        self._trust = _trust(environment)

    def send(self, probe: Probe) -> Exchange:
        """Return the exchange; raise CannotVerifyError if no response arrives.

        The errors of httpx2 are not quoted: some hold a header, and so the key.
        """
        try:
            return self._send(probe)
        except httpx2.TimeoutException:
            raise CannotVerifyError(
                f"no answer within {SILENCE_SECONDS} s. Check the address and the network."
            ) from None
        except httpx2.ConnectError as error:
            if _is_about_certificates(error):
                raise CannotVerifyError(
                    "the server's certificate is not trusted. Set REQUESTS_CA_BUNDLE to a file of the authorities "
                    "that your network uses."
                ) from None
            raise CannotVerifyError("no connection. Check the address and the network.") from None
        except (httpx2.HTTPError, httpx2.InvalidURL):
            raise CannotVerifyError("the connection broke. Try again.") from None

    def _send(self, probe: Probe) -> Exchange:
        keys = {Key.EXPORT: self._access.export_key, Key.METADATA: self._access.metadata_key}
        headers = {
            "Authorization": f"Bearer {keys[probe.key]}",
            "Accept-Encoding": probe.accept_encoding,
            "User-Agent": "tap-pigment-sandbox",
        }
        with (
            httpx2.Client(
                http2=True,
                verify=self._trust,
                trust_env=not is_loopback(self._access.host),
                timeout=httpx2.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS),
            ) as client,
            client.stream(
                "GET" if probe.body is None else "POST",
                f"{self._access.url}{probe.path}",
                params=probe.query,
                json=probe.body,
                headers=headers,
            ) as response,
        ):
            is_error = response.status_code != HTTPStatus.OK
            body, is_whole = _read(response, MAX_ERROR_BYTES if is_error else probe.max_bytes)
            return Exchange(
                probe,
                response.status_code,
                {name.lower(): value for name, value in response.headers.items()},
                response.http_version,
                body,
                is_whole,
            )


def _read(response: httpx2.Response, max_bytes: int) -> tuple[bytes, bool]:
    """Return the body up to a size, and whether that is all of it."""
    if max_bytes == 0:
        return b"", False
    body = b""
    deadline = time.monotonic() + BODY_SECONDS
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > max_bytes or time.monotonic() > deadline:
            return body[:max_bytes], False
    return body, True


def _trust(environment: Mapping[str, str]) -> ssl.SSLContext:
    variable = next((name for name in _CA_VARIABLES if environment.get(name)), None)
    path = Path(environment[variable] if variable else requests.utils.DEFAULT_CA_BUNDLE_PATH)
    try:
        return ssl.create_default_context(
            cafile=None if path.is_dir() else path, capath=path if path.is_dir() else None
        )
    except OSError:  # ssl.SSLError is one.
        raise CannotVerifyError(
            f"{variable}: no certificates can be read there. Set it to a file of them, or unset it."
        ) from None


def _is_about_certificates(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False

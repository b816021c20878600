"""Bodies as they come over the wire: compressed, silent, or something else than an export."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tap_pigment.client import Client
from tap_pigment.errors import PigmentError
from tap_pigment.settings import Settings
from tests.conftest import records
from tests.pigment import CSV, Answer
from tests.wire import HEAD, http2, listening, proxy, saying

if TYPE_CHECKING:
    from collections.abc import Iterator

    import h2.connection

    from tests.conftest import Discover, MakeTap, RunTap
    from tests.pigment import Pigment
    from tests.wire import Authority

COUNTRIES = "Code;Name\r\n" + "".join(f"C{number};Country {number}\r\n" for number in range(500))
GZIPPED = {**CSV, "Content-Encoding": "gzip"}


def test_a_compressed_export_is_read(pigment: Pigment, discover: Discover, run_tap: RunTap) -> None:
    pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    body = gzip.compress(COUNTRIES.encode())
    pigment.answer_next_exports(Answer(body=body, headers=GZIPPED, announce=len(body)))

    assert len(records(run_tap(catalog=catalog), "countries")) == 500


def test_a_compressed_export_of_several_parts_is_read_to_its_last(
    pigment: Pigment, discover: Discover, run_tap: RunTap
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    half = COUNTRIES.index("C250")
    body = gzip.compress(COUNTRIES[:half].encode()) + gzip.compress(COUNTRIES[half:].encode())
    pigment.answer_next_exports(Answer(body=body, headers=GZIPPED, announce=len(body)))

    assert len(records(run_tap(catalog=catalog), "countries")) == 500


def test_a_compressed_export_without_its_end_is_fetched_again(
    pigment: Pigment, discover: Discover, run_tap: RunTap, waits: list[float]
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    compressor = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    body = compressor.compress(COUNTRIES[: COUNTRIES.index("C250")].encode()) + compressor.flush(zlib.Z_SYNC_FLUSH)
    pigment.answer_next_exports(Answer(body=body, headers=GZIPPED, announce=len(body)))

    messages = run_tap(catalog=catalog)

    assert len(records(messages, "countries")) == 500
    assert len(waits) == 1


def test_a_damaged_compressed_export_is_refused(pigment: Pigment, discover: Discover, run_tap: RunTap) -> None:
    pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    body = bytearray(gzip.compress(COUNTRIES.encode()))
    body[-5] ^= 1
    pigment.answer_next_exports(Answer(body=bytes(body), headers=GZIPPED, announce=len(body)))

    with pytest.raises(PigmentError, match="the compressed answer is damaged"):
        run_tap(catalog=catalog, max_retries=0)


@pytest.mark.parametrize("body", [b'{"error": "boom"}\n', b'[{"id": 1}]\n', b"{}\n", b" [ ]\n"])
def test_json_that_says_it_is_csv_is_refused(pigment: Pigment, tap: MakeTap, body: bytes) -> None:
    pigment.add_list("Countries", body)

    with pytest.raises(PigmentError, match="JSON came instead of CSV"):
        tap(max_retries=0)


@contextmanager
def falling_silent(answer: bytes) -> Iterator[str]:
    """Serve the beginning of an answer and then nothing, to every request, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connections: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connections.append(connection)
                connection.recv(65_536)
                connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/api"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for connection in connections:
                connection.close()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[{"])
def test_silence_is_called_silence_wherever_it_begins(tap: MakeTap, answer: bytes) -> None:
    with (
        falling_silent(answer) as url,
        pytest.raises(PigmentError, match=r"no answer, or silence in the middle of it, for 1 s \(1 try\)"),
    ):
        tap(api_url=url, request_timeout_seconds=1, max_retries=0)


NO_APPLICATIONS = HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n[]"


def no_applications(protocol: h2.connection.H2Connection, stream_id: int) -> None:
    protocol.send_headers(stream_id, [(":status", "200"), ("content-type", "application/json")])
    protocol.send_data(stream_id, b"[]", end_stream=True)


@pytest.mark.parametrize(
    ("host", "version", "warnings"),
    [("pigment.test", "http/1.1", 1), ("pigment.test", "h2", 0), ("localhost", "http/1.1", 0)],
)
def test_a_server_elsewhere_that_speaks_only_http_1_1_is_warned_of_once(  # noqa: PLR0913, PLR0917 - fixtures and the case.
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    host: str,
    version: str,
    warnings: int,
) -> None:
    speak = http2(no_applications) if version == "h2" else saying(*[NO_APPLICATIONS] * 2)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.path))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    with (
        listening(speak, authority.tls(version, names=(host,))) as server,
        listening(proxy(server, [])) as port,
    ):
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        settings = {"api_key": "pgmt_Abc", "application_id": "app-1", "api_url": f"https://{host}/api"}
        client = Client(Settings.from_config(settings), logging.getLogger("test-transport"))
        answers = [client.applications() for _ in range(2)]
        client.close()

    assert answers == [(), ()]
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(told) == warnings
    assert all("answers in HTTP/1.1" in text and "let HTTP/2 pass" in text for text in told)

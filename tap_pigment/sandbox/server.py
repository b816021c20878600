"""A server on localhost, in a thread: HTTP/1.1, and with TLS also HTTP/2."""

import asyncio
import contextlib
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import trustme
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework, LifespanState
from starlette.types import ASGIApp

from tap_pigment.sandbox.asgi import HypercornApp

HOST = "127.0.0.1"
SECONDS_TO_STOP = 0.3
# Longer than clients keep an idle connection (httpx: 5), so that it is they who hang up.
SECONDS_TO_KEEP_ALIVE = 75


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        url: What the tap takes as `api_url`.
        ca_file: The certificate to trust, with TLS.
    """

    url: str
    port: int
    ca_file: Path | None


@contextlib.contextmanager
def serving(app: ASGIApp, *, port: int = 0, tls: bool = False, http2: bool = True) -> Iterator[Server]:
    """Serve the app on a port of 127.0.0.1 (0: a free one) until the block ends.

    Raises:
        OSError: the port is taken.
    """
    with contextlib.ExitStack() as stack:
        ca_file, tls_context = None, None
        if tls:
            ca_file = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "ca.pem"
            tls_context = _tls_context(ca_file, ["h2", "http/1.1"] if http2 else ["http/1.1"])
        # It listens from here on, so whoever connects before the thread runs only waits.
        listener = stack.enter_context(socket.create_server((HOST, port)))
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = listener.getsockname()[1]
        stack.enter_context(_thread(app, listener, tls_context))
        yield Server(f"https://localhost:{port}/api" if tls else f"http://{HOST}:{port}/api", port, ca_file)


def _tls_context(ca_file: Path, protocols: list[str]) -> ssl.SSLContext:
    """Return a context with a certificate of a new authority, and write the authority's to the file."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(ca_file)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(protocols)
    authority.issue_cert("localhost", HOST).configure_cert(context)
    return context


@contextlib.contextmanager
def _thread(app: ASGIApp, listener: socket.socket, tls_context: ssl.SSLContext | None) -> Iterator[None]:
    """Run the server in a thread of its own until the block ends."""
    stopper: Future[Callable[[], object]] = Future()

    def run() -> None:
        try:
            asyncio.run(_serve(app, listener, tls_context, stopper))
        except BaseException as error:
            # A server that cannot start is an error below, and not a client's wait without end.
            if stopper.done():
                raise
            stopper.set_exception(error)

    # A daemon, so that a process in which the block never ends can end all the same.
    thread = threading.Thread(target=run, name="pigment-sandbox", daemon=True)
    thread.start()
    stop = stopper.result()
    try:
        yield
    finally:
        stop()
        thread.join()


async def _serve(
    app: ASGIApp,
    listener: socket.socket,
    tls_context: ssl.SSLContext | None,
    stopper: "Future[Callable[[], object]]",
) -> None:
    """Serve until the function handed to `stopper` is called, from any thread.

    hypercorn's own `serve` is not used, as it waits at its end for clients to hang up.
    """
    loop = asyncio.get_running_loop()
    # The two describe the same interface in different types.
    wrapped = HypercornApp(cast("ASGIFramework", app))
    config, context = Config(), WorkerContext(None)
    config.errorlog = None
    config.keep_alive_timeout = SECONDS_TO_KEEP_ALIVE
    connections: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # A coroutine always runs in a task.
        connections[task] = writer
        task.add_done_callback(connections.pop)
        # A connection that is cancelled at the end would be logged as an error by asyncio (3.11).
        with contextlib.suppress(asyncio.CancelledError):
            await TCPServer(wrapped, loop, config, context, LifespanState({}), reader, writer)

    server = await asyncio.start_server(connected, sock=listener, ssl=tls_context)
    stopped = asyncio.Event()
    stopper.set_result(lambda: loop.call_soon_threadsafe(stopped.set))
    await stopped.wait()

    server.close()
    await context.terminated.set()
    for writer in connections.values():
        writer.transport.abort()
    if connections:
        await asyncio.wait(connections, timeout=SECONDS_TO_STOP)
    # What is left, such as a TLS handshake that never ended, is cancelled by asyncio.run.

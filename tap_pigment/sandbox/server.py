"""An HTTP server on localhost, in a thread: HTTP/1.1, and with TLS also HTTP/2."""

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

from tap_pigment.sandbox.api import HypercornApp

HOST = "127.0.0.1"
STOP_SECONDS = 0.3
_TURNS = 8  # asyncio makes a connection in a few steps, one in each turn of its loop.
# Longer than clients keep an idle connection (httpx: 5 s), so that clients close it, not the server.
KEEP_ALIVE_SECONDS = 75


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        url: The value of the setting `api_url`.
        port: The port on localhost.
        ca_file: The certificate authority to trust; None without TLS.
    """

    url: str
    port: int
    ca_file: Path | None


@contextlib.contextmanager
def serving(app: ASGIApp, *, port: int = 0, tls: bool = False, http2: bool = True) -> Iterator[Server]:
    """Serve the app on a port of 127.0.0.1 (0: any free port) until the `with` block ends.

    Raises:
        OSError: the port is in use.
    """
    with contextlib.ExitStack() as stack:
        ca_file, tls_context = None, None
        if tls:
            ca_file = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "ca.pem"
            tls_context = _tls_context(ca_file, ["h2", "http/1.1"] if http2 else ["http/1.1"])
        # The socket listens from here on, so a client that connects before the thread runs only has to wait.
        listener = stack.enter_context(socket.create_server((HOST, port)))
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = listener.getsockname()[1]
        stack.enter_context(_server_thread(app, listener, tls_context))
        yield Server(f"https://localhost:{port}/api" if tls else f"http://{HOST}:{port}/api", port, ca_file)


def _tls_context(ca_file: Path, protocols: list[str]) -> ssl.SSLContext:
    """Return a context with a certificate from a new authority, and write the authority's certificate to the file."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(ca_file)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(protocols)
    authority.issue_cert("localhost", HOST).configure_cert(context)
    return context


@contextlib.contextmanager
def _server_thread(app: ASGIApp, listener: socket.socket, tls_context: ssl.SSLContext | None) -> Iterator[None]:
    """Run the server in a separate thread until the `with` block ends."""
    stop_function: Future[Callable[[], object]] = Future()

    def run() -> None:
        try:
            asyncio.run(_serve(app, listener, tls_context, stop_function))
        except BaseException as error:
            # If the server cannot start, `result()` below raises the error; otherwise clients would wait forever.
            if stop_function.done():
                raise
            stop_function.set_exception(error)

    # A daemon thread does not keep the process alive if the `with` block never ends.
    thread = threading.Thread(target=run, name="pigment-sandbox", daemon=True)
    thread.start()
    stop = stop_function.result()
    try:
        yield
    finally:
        stop()
        thread.join()


async def _serve(
    app: ASGIApp,
    listener: socket.socket,
    tls_context: ssl.SSLContext | None,
    stop_function: "Future[Callable[[], object]]",
) -> None:
    """Set the result of `stop_function` to a function that any thread can call, and serve until it is called.

    hypercorn's own `serve` is not used because it waits for clients to disconnect before it ends.
    """
    loop = asyncio.get_running_loop()
    # Starlette and hypercorn declare the same interface with different types.
    wrapped = HypercornApp(cast("ASGIFramework", app))
    config, context = Config(), WorkerContext(None)
    config.errorlog = None
    config.keep_alive_timeout = KEEP_ALIVE_SECONDS
    connections: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}

    async def handle_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # A coroutine always runs in a task.
        connections[task] = writer
        task.add_done_callback(connections.pop)
        # asyncio (3.11) would log a connection that is cancelled at the end as an error.
        with contextlib.suppress(asyncio.CancelledError):
            await TCPServer(wrapped, loop, config, context, LifespanState({}), reader, writer)

    server = await asyncio.start_server(handle_connection, sock=listener, ssl=tls_context)
    stopped = asyncio.Event()
    stop_function.set_result(lambda: loop.call_soon_threadsafe(stopped.set))
    await stopped.wait()

    # asyncio (3.11) leaks a connection that was accepted before, and gets its task after, the server is closed.
    loop.remove_reader(listener)
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    server.close()
    await context.terminated.set()
    for writer in connections.values():
        writer.transport.abort()
    if connections:
        await asyncio.wait(connections, timeout=STOP_SECONDS)
    # asyncio.run cancels the remaining tasks, such as a TLS handshake that never ended.

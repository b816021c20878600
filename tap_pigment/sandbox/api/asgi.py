"""An adapter from ASGI apps to hypercorn, which fills gaps of hypercorn 0.18."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import h2.errors
from hypercorn.events import RawData
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.typing import (
    ASGIFramework,
    ASGIReceiveCallable,
    ASGIReceiveEvent,
    ASGISendCallable,
    ASGISendEvent,
    Scope,
)

if TYPE_CHECKING:
    from hypercorn.protocol.http_stream import HTTPStream

DRAIN_SECONDS = 1
POLL_SECONDS = 0.1


class HypercornApp:
    """Runs an ASGI app for hypercorn: stops it if the client disconnects, and aborts the response if it raises.

    Over HTTP/1.1, hypercorn closes the connection when the app raises. Over HTTP/2 it does nothing, and the client
    would wait forever. This class then resets the stream.
    """

    def __init__(self, app: ASGIFramework) -> None:
        self._app = app

    async def __call__(
        self,
        scope: Scope,
        receive: ASGIReceiveCallable,
        send: ASGISendCallable,
        sync_spawn: Callable[..., Any],  # noqa: ARG002  # hypercorn passes it; only WSGI apps use it.
        call_soon: Callable[..., Any],  # noqa: ARG002  # hypercorn passes it; only WSGI apps use it.
    ) -> None:
        """Run the app."""
        # `send` is a method of hypercorn's stream, and the stream's `send` is a method of its connection.
        stream: HTTPStream = send.__self__  # type: ignore[attr-defined]  # Typed as any callable.
        connection = stream.send.__self__  # type: ignore[attr-defined]  # Typed as any callable.

        # hypercorn loses the connection if a request's body arrives after the response, such as a 404. So the app
        # is called only after the whole body has arrived.
        received = [await receive()]
        while received[-1].get("more_body"):
            received.append(await receive())

        async def receive_buffered() -> ASGIReceiveEvent:
            return received.pop(0) if received else await receive()

        async def send_or_stop(message: ASGISendEvent) -> None:
            # A separate task lets the event loop run even if `send` never waits. It can also be cancelled if `send`
            # waits for a client that has disconnected (HTTP/2).
            sending = asyncio.ensure_future(send(message))
            try:
                while not sending.done():
                    if stream.closed:
                        raise ConnectionResetError("The client disconnected.")
                    await asyncio.wait([sending], timeout=POLL_SECONDS)
            finally:
                sending.cancel()
            sending.result()

        try:
            await self._app(scope, receive_buffered, send_or_stop)
        except Exception:
            if isinstance(connection, H2Protocol) and not stream.closed:
                await _reset(connection, stream.stream_id)
            raise


async def _reset(connection: H2Protocol, stream_id: int) -> None:
    """Send the data that hypercorn has buffered for the stream, then reset the stream."""
    buffer = connection.stream_buffers.get(stream_id)
    if buffer is not None and buffer.buffer:
        with contextlib.suppress(TimeoutError):  # A client that does not read only gets the reset.
            await asyncio.wait_for(buffer.drain(), DRAIN_SECONDS)
    connection.connection.reset_stream(stream_id, h2.errors.ErrorCodes.INTERNAL_ERROR)
    await connection.send(RawData(connection.connection.data_to_send()))

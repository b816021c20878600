"""An ASGI app as hypercorn calls it, with what hypercorn (0.18) leaves out."""

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

SECONDS_TO_DRAIN = 1
SECONDS_BETWEEN_LOOKS = 0.1


class HypercornApp:
    """An app that stops when its client hangs up, and whose fall shows to the client as a cut.

    Over HTTP/1.1 hypercorn closes the connection when the app raises. Over HTTP/2 it does nothing, so that
    the client would wait for ever: there the stream is reset here.
    """

    def __init__(self, app: ASGIFramework) -> None:
        self._app = app

    async def __call__(
        self,
        scope: Scope,
        receive: ASGIReceiveCallable,
        send: ASGISendCallable,
        sync_spawn: Callable[..., Any],  # noqa: ARG002  # For WSGI apps.
        call_soon: Callable[..., Any],  # noqa: ARG002  # For WSGI apps.
    ) -> None:
        """Run the app."""
        # `send` is a method of hypercorn's stream, whose own `send` is a method of its connection.
        stream: HTTPStream = send.__self__  # type: ignore[attr-defined]  # Typed as any callable.
        connection = stream.send.__self__  # type: ignore[attr-defined]  # Typed as any callable.

        # hypercorn loses the connection if a request's body arrives after the answer to it, such as a 404. So the
        # app is called only when all of it is there.
        received = [await receive()]
        while received[-1].get("more_body"):
            received.append(await receive())

        async def receive_again() -> ASGIReceiveEvent:
            return received.pop(0) if received else await receive()

        async def send_or_stop(message: ASGISendEvent) -> None:
            # In a task of its own, so that the loop gets its turn even if sending never waits, and so that a
            # send which waits for a client that is gone (HTTP/2) can be given up.
            sending = asyncio.ensure_future(send(message))
            try:
                while not sending.done():
                    if stream.closed:
                        raise ConnectionResetError("The client hung up.")
                    await asyncio.wait([sending], timeout=SECONDS_BETWEEN_LOOKS)
            finally:
                sending.cancel()
            sending.result()

        try:
            await self._app(scope, receive_again, send_or_stop)
        except Exception:
            if isinstance(connection, H2Protocol) and not stream.closed:
                await _reset(connection, stream.stream_id)
            raise


async def _reset(connection: H2Protocol, stream_id: int) -> None:
    """Send what the app had sent before, then reset the stream."""
    buffer = connection.stream_buffers.get(stream_id)
    if buffer is not None and buffer.buffer:
        with contextlib.suppress(TimeoutError):  # A client that does not read gets the reset only.
            await asyncio.wait_for(buffer.drain(), SECONDS_TO_DRAIN)
    connection.connection.reset_stream(stream_id, h2.errors.ErrorCodes.INTERNAL_ERROR)
    await connection.send(RawData(connection.connection.data_to_send()))

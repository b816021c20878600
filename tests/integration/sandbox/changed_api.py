"""The sandbox's API with single requests or responses changed, to break one fact at a time."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True)
class ChangedRequest:
    """A request: its path, headers and JSON body (None for a GET)."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class ChangedResponse:
    """A response: its status, headers and body."""

    status: int
    headers: dict[str, str]
    body: bytes


def _same_body(request: ChangedRequest) -> Any:  # noqa: ANN401  # JSON.
    return request.body


def _same_response(_request: ChangedRequest, response: ChangedResponse) -> ChangedResponse:
    return response


@dataclass(frozen=True)
class ChangedApi:
    """An ASGI app that changes the requests to another app, and its responses.

    Attributes:
        app: The other app.
        body: Returns the JSON body to pass on.
        response: Returns the response to pass on; gets the request as it arrived.
        requests: The requests that arrived.
    """

    app: ASGIApp
    body: Callable[[ChangedRequest], Any] = _same_body
    response: Callable[[ChangedRequest, ChangedResponse], ChangedResponse] = _same_response
    requests: list[ChangedRequest] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        content = await _content(receive)
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        request = ChangedRequest(scope["path"], headers, json.loads(content) if content else None)
        self.requests.append(request)
        passed_on = content if request.body is None else json.dumps(self.body(request)).encode()
        response = self.response(request, await _response(self.app, scope, passed_on))
        raw_headers = [(name.encode(), value.encode()) for name, value in response.headers.items()]
        await send({"type": "http.response.start", "status": response.status, "headers": raw_headers})
        await send({"type": "http.response.body", "body": response.body})


async def _content(receive: Receive) -> bytes:
    content: bytes = b""
    while True:
        message = await receive()
        content += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return content


async def _response(app: ASGIApp, scope: Scope, content: bytes) -> ChangedResponse:
    """Return the whole response of an app."""
    sent: list[Message] = []
    is_read = False

    async def receive() -> Message:
        nonlocal is_read
        if is_read:
            return {"type": "http.disconnect"}
        is_read = True
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    is_json = "json" in headers["content-type"]
    if is_json:
        del headers["content-length"]
    return ChangedResponse(sent[0]["status"], headers, b"".join(message["body"] for message in sent[1:]))


def with_columns(response: ChangedResponse, reorder: Callable[[list[str]], list[str]]) -> ChangedResponse:
    """Return an export whose rows, and header, are reordered."""
    rows = csv.reader(io.StringIO(response.body.decode(), newline=""), delimiter=";")
    text = io.StringIO()
    csv.writer(text, delimiter=";", lineterminator="\r\n").writerows(map(reorder, rows))
    return replace(response, body=text.getvalue().encode())

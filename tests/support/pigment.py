"""A Pigment on localhost whose responses a test scripts, over real sockets.

The sandbox always behaves well. This one holds exports as raw bytes, and fails on demand.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

API_KEY = "pgmt_" + "T3st" * 11 + "ab"
APPLICATION_ID = "0a000000-0000-4000-8000-000000000001"
CSV = {"Content-Type": "text/csv; charset=utf-8"}


@dataclass(frozen=True)
class Answer:
    """A response to send instead of the normal one.

    Attributes:
        status: The status.
        body: The body.
        headers: The headers.
        cut_after: How many bytes of the body to send before the connection breaks; None for all.
        announce: The value of Content-Length; None for no such header.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    announce: int | None = None


@dataclass(frozen=True)
class SentRequest:
    """A request that arrived."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: Any


class CutError(Exception):
    """Raised in the middle of a body, so that the server breaks the connection."""


class Pigment:
    """An application, and others if a test adds them: blocks, requests that arrived, and responses to send.

    Attributes:
        applications: The listing of applications.
        blocks: The blocks, by id.
        views: The listing of views.
        exports: The body of each export, by id of its block or view.
        application_answers: The responses to send instead of the listings of an application, by its id.
        requests: The requests that arrived, in their order.
        url: The address; set by whoever serves it.
    """

    def __init__(self) -> None:
        self.applications = [{"id": APPLICATION_ID, "name": "Finance"}]
        self.blocks: dict[str, dict[str, Any]] = {}
        self.views: list[dict[str, str]] = []
        self.exports: dict[str, bytes] = {}
        self.application_answers: dict[str, Answer] = {}
        self.requests: list[SentRequest] = []
        self._listed: dict[str, Sequence[str]] = {}
        self._hidden: set[str] = set()
        self._next_exports: deque[Answer] = deque()
        self._next_listings: deque[Answer] = deque()
        self._always: dict[str, Answer] = {}
        self.url = ""

    # Set-up

    def add(self, name: str, block_type: str, csv: str | bytes, **more: Any) -> str:  # noqa: ANN401 - JSON.
        """Add a block and return its id."""
        number = len(self.blocks) + 1
        block_id = f"{number:08x}-0000-4000-8000-{number:012x}"
        self.blocks[block_id] = {"id": block_id, "name": name, "type": block_type, **more}
        self.exports[block_id] = csv.encode() if isinstance(csv, str) else csv
        return block_id

    def add_list(self, name: str, csv: str | bytes, **more: Any) -> str:  # noqa: ANN401 - JSON.
        """Add a dimension list and return its id."""
        return self.add(name, "DimensionList", csv, **more)

    def add_application(self, name: str, *, blocks: Sequence[str] = (), shared: Sequence[str] = ()) -> str:
        """Add an application and return its id.

        Args:
            name: Its name.
            blocks: The ids of blocks that it lists, and the first application no longer does.
            shared: The ids of blocks that both list.
        """
        application_id = f"0a000000-0000-4000-8000-{len(self.applications) + 1:012x}"
        self.applications.append({"id": application_id, "name": name})
        self._listed[application_id] = (*blocks, *shared)
        self._hidden.update(blocks)
        return application_id

    def add_view(self, name: str, csv: str | bytes) -> str:
        """Add a view and return its id."""
        view_id = f"fe000000-0000-4000-8000-{len(self.views):012x}"
        self.views.append({"id": view_id, "name": name, "type": "Public"})
        self.exports[view_id] = csv.encode() if isinstance(csv, str) else csv
        return view_id

    def answer_next_exports(self, *answers: Answer) -> None:
        """Send these responses to the next requests for exports, one each."""
        self._next_exports.extend(answers)

    def answer_next_listings(self, *answers: Answer) -> None:
        """Send these responses to the next requests for metadata, one each."""
        self._next_listings.extend(answers)

    def always_answer(self, path_part: str, answer: Answer) -> None:
        """Send this response to every request whose path holds `path_part`."""
        self._always[path_part] = answer

    def answer_normally(self) -> None:
        """Send normal responses again, after `always_answer`."""
        self._always.clear()

    def requested(self, path_part: str) -> list[SentRequest]:
        """Return the requests whose path holds `path_part`, in the order of their arrival."""
        return [request for request in self.requests if path_part in request.path]

    # Service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request, as an ASGI app."""
        if scope["type"] != "http":
            return
        request = await _read(scope, receive)
        self.requests.append(request)
        await _send(self.answer(request), send)

    def answer(self, request: SentRequest) -> Answer:
        """Return the response to a request: the scripted one, or else the normal one."""
        for path_part, answer in self._always.items():
            if path_part in request.path:
                return answer
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            return Answer(401)
        if "/export/" not in request.path:
            return self._next_listings.popleft() if self._next_listings else self._listing(request)
        export = self.exports.get(request.path.rpartition("/")[2])
        if self._next_exports:
            return self._next_exports.popleft()
        return Answer(404) if export is None else Answer(body=export, headers=CSV)

    def _listing(self, request: SentRequest) -> Answer:
        [application_id] = request.query.get("applicationId", [""])
        if application_id in self.application_answers:
            return self.application_answers[application_id]
        match request.path.rpartition("/")[2]:
            case "applications":
                return _json(self.applications)
            case "blocks" if application_id == APPLICATION_ID:
                return _json([block for key, block in self.blocks.items() if key not in self._hidden])
            case "blocks" if application_id in self._listed:
                return _json([self.blocks[key] for key in self._listed[application_id]])
            case "views":
                return _json(self.views)
            case _:
                return Answer(404)


async def _read(scope: Scope, receive: Receive) -> SentRequest:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
    query = parse_qs(scope["query_string"].decode())
    return SentRequest(scope["method"], scope["path"], query, headers, json.loads(body) if body else None)


async def _send(answer: Answer, send: Send) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]
    if answer.announce is not None:
        headers.append((b"content-length", str(answer.announce).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if answer.cut_after is not None:
        await send({"type": "http.response.body", "body": answer.body[: answer.cut_after], "more_body": True})
        raise CutError
    await send({"type": "http.response.body", "body": answer.body})


def _json(answer: object) -> Answer:
    return Answer(body=json.dumps(answer).encode(), headers={"Content-Type": "application/json"})

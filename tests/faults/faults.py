"""The faults: what the server sends instead of the right response, and how the run must end."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from h2.errors import ErrorCodes

from tests.faults.exchanges import Framing
from tests.faults.server import Transport
from tests.support.pigment import API_KEY, CSV, Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.faults.exchanges import Exchange, Http1Exchange, Http2Exchange

    # Its arguments: the exchange, the right response, and how often the fault occurred before.
    Inject = Callable[[Any, Answer, int], None]
    Place = Callable[[bytes], int]

HTML = {"Content-Type": "text/html; charset=utf-8"}
JSON = {"Content-Type": "application/problem+json"}
LOGIN = b"<!DOCTYPE html><html><body>Sign in</body></html>"


class Phase(Enum):
    """The part of a run in which a fault occurs: a column of the matrix."""

    DISCOVERY = "discovery"
    METADATA = "metadata at sync"
    FIRST = "first export"
    LATER = "later export"


class Verdict(Enum):
    """How a run ended.

    `SURVIVED`: no error, and exactly the right rows and state. `REPORTED`: an error that names the place and the
    remedy, while all other streams are complete, and nothing of the failed one was emitted. Anything else is a bug:
    `LOST` if rows are missing, else `SILENT`.
    """

    SURVIVED = "survived"
    REPORTED = "reported"
    LOST = "LOST"
    SILENT = "SILENT"


ALL = frozenset(Phase)
EXPORTS = frozenset({Phase.DISCOVERY, Phase.FIRST, Phase.LATER})


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes:
        name: What happens.
        group: The row of the short table that counts it.
        over: What the server does, by transport.
        once: How the run must end if the fault occurs once.
        always: How it must end if the fault stays.
        phases: In which parts of a run the fault is possible.
        once_at: Exceptions to `once`, by phase.
        refuses: Whether connections are refused.
        is_silent: Whether it is silence, for which the tap has to wait.
        ends_run_at: In which phases all streams fail, and not only the one that meets the fault.
    """

    name: str
    group: str
    over: Mapping[Transport, Inject] = field(default_factory=dict)
    once: Verdict = Verdict.SURVIVED
    always: Verdict = Verdict.REPORTED
    phases: frozenset[Phase] = ALL
    once_at: Mapping[Phase, Verdict] = field(default_factory=dict)
    refuses: bool = False
    is_silent: bool = False
    ends_run_at: frozenset[Phase] = frozenset({Phase.METADATA})

    def inject(self, transport: Transport) -> Inject:
        """Return what the server does over a transport."""
        return self.over[transport]

    def is_possible(self, transport: Transport, phase: Phase) -> bool:
        """Return whether the fault is possible over a transport, in a phase."""
        if phase not in self.phases:
            return False
        # Over TLS another library reads HTTP/1.1. What a whole response means depends neither on that nor, where both
        # versions can send it, on the version of HTTP: one phase shows that.
        if self.group not in {_NO_ANSWER, _TRUNCATED}:
            if transport is Transport.HTTP_1_TLS:
                return False
            if transport is Transport.HTTP_1 and Transport.HTTP_2 in self.over and Phase.FIRST in self.phases:
                return phase is Phase.FIRST
        return self.refuses or transport in self.over

    def expected(self, phase: Phase, *, always: bool) -> Verdict:
        """Return how the run must end."""
        return self.always if always else self.once_at.get(phase, self.once)


def anywhere(inject: Callable[[Exchange, Answer, int], None]) -> Mapping[Transport, Inject]:
    return dict.fromkeys(Transport, inject)


def over_http1(inject: Callable[[Http1Exchange, Answer, int], None]) -> Mapping[Transport, Inject]:
    return dict.fromkeys([Transport.HTTP_1, Transport.HTTP_1_TLS], inject)


def over_http2(inject: Callable[[Http2Exchange, Answer, int], None]) -> Mapping[Transport, Inject]:
    return {Transport.HTTP_2: inject}


def instead(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Mapping[Transport, Inject]:
    return anywhere(lambda exchange, _right, _injected: exchange.respond(Answer(status, body, headers or {})))


def changed(change: Callable[[bytes, int], bytes], *, status: int = 200, **headers: str) -> Mapping[Transport, Inject]:
    """Send a changed body, which the transport marks as complete."""

    def inject(exchange: Exchange, right: Answer, injected: int) -> None:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        exchange.respond(Answer(status, change(right.body, injected), {**right.headers, **more}))

    return anywhere(inject)


# Places where a body is truncated


def in_mid_row(body: bytes) -> int:
    return len(body) * 2 // 3


def at_a_line_end(body: bytes) -> int:
    """Return where the last row begins; 0 in JSON, which has no lines."""
    return body.rfind(b"\n", 0, len(body) - 1) + 1


def broken_off(at: Place, then: Callable[[Exchange], None]) -> Mapping[Transport, Inject]:
    """Send the beginning of a body, and then break it off."""

    def inject(exchange: Exchange, right: Answer, _injected: int) -> None:
        exchange.begin(right, at(right.body))
        then(exchange)

    return anywhere(inject)


def truncated_in(framing: Framing, at: Place) -> Mapping[Transport, Inject]:
    def inject(exchange: Http1Exchange, right: Answer, _injected: int) -> None:
        exchange.begin(right, at(right.body), framing)
        exchange.hang_up()

    return over_http1(inject)


def stream_broken_off(at: Place, then: Callable[[Http2Exchange], None]) -> Mapping[Transport, Inject]:
    def inject(exchange: Http2Exchange, right: Answer, _injected: int) -> None:
        exchange.begin(right, at(right.body))
        then(exchange)

    return over_http2(inject)


def ended_with(at: Place, name: str, value: str) -> Mapping[Transport, Inject]:
    """Send a body up to a place, as if it were complete, with a trailer."""

    def inject(exchange: Exchange, right: Answer, _injected: int) -> None:
        exchange.begin(right, at(right.body))
        exchange.end_with_trailer(name, value)

    return anywhere(inject)


def failing_with(status: int, then: Callable[[Exchange], None]) -> Mapping[Transport, Inject]:
    """Send the headers and the beginning of an error, and then break it off."""

    def inject(exchange: Exchange, _right: Answer, _injected: int) -> None:
        exchange.begin(Answer(status, _ECHO, {**JSON, "Content-Length": "999"}), 9)
        then(exchange)

    return anywhere(inject)


def with_status(status: str | None) -> Mapping[Transport, Inject]:
    """Send a part of a body, as if it were complete, under a status that is not a number, or under none."""

    def inject(exchange: Http2Exchange, right: Answer, _injected: int) -> None:
        exchange.begin(right, at_a_line_end(right.body), status)
        exchange.end()

    return over_http2(inject)


def in_chunk(size: bytes) -> Mapping[Transport, Inject]:
    """Send a body in a chunk of a certain size, and then the last chunk."""

    def inject(exchange: Http1Exchange, right: Answer, _injected: int) -> None:
        exchange.begin(right, 0)
        exchange.send_raw(size + b"\r\n" + right.body + b"\r\n0\r\n\r\n")
        exchange.hang_up()

    return over_http1(inject)


def rows(change: Callable[[list[bytes]], list[bytes]]) -> Mapping[Transport, Inject]:
    """Change the lines of an export."""
    return changed(lambda body, _injected: b"".join(change(body.splitlines(keepends=True))))


def in_a_few_seconds() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)


def over_quota_until_a_date(exchange: Exchange, _right: Answer, _injected: int) -> None:
    exchange.respond(Answer(429, headers={"Retry-After": in_a_few_seconds()}))


def whole(body: bytes) -> int:
    return len(body)


def without_first(body: bytes) -> bytes:
    """Return a listing without the first block, as after the loss of an access right."""
    return b"[" + body[body.index(b"{", 2) :]


_NO_ANSWER = "no connection, no answer, silence"
_TRUNCATED = "a body that was truncated, reset or silent midway"
_BODY = "a body that arrived whole and is wrong"
_STATUS = "429 and 5xx"
_REFUSED = "400 to 422, redirects, lost access"
_NO_EXPORT = "a page or JSON with status 200"

_R = Verdict.REPORTED
_S = Verdict.SURVIVED
_ECHO = f'{{"title": "Refused", "detail": "not with Bearer {API_KEY}"}}'.encode()
_NESTED = b"[" * 2_000

FAULTS = (
    Fault("connection refused", _NO_ANSWER, refuses=True, ends_run_at=ALL),
    Fault("reset before the response", _NO_ANSWER, anywhere(lambda exchange, _right, _injected: exchange.reset())),
    Fault("closed before the response", _NO_ANSWER, anywhere(lambda exchange, _right, _injected: exchange.hang_up())),
    Fault(
        "silence before the first byte",
        _NO_ANSWER,
        anywhere(lambda exchange, _right, _injected: exchange.stay_silent()),
        is_silent=True,
    ),
    Fault(
        "stream reset before the response",
        _NO_ANSWER,
        over_http2(lambda exchange, _right, _injected: exchange.reset_stream()),
    ),
    Fault(
        "stream refused",
        _NO_ANSWER,
        over_http2(lambda exchange, _right, _injected: exchange.reset_stream(ErrorCodes.REFUSED_STREAM)),
    ),
    Fault("GOAWAY before the response", _NO_ANSWER, over_http2(lambda exchange, _right, _injected: exchange.go_away())),
    Fault(
        "silence in mid-body",
        _TRUNCATED,
        broken_off(in_mid_row, lambda exchange: exchange.stay_silent()),
        is_silent=True,
    ),
    Fault("reset in mid-body", _TRUNCATED, broken_off(in_mid_row, lambda exchange: exchange.reset())),
    Fault("closed in mid-row", _TRUNCATED, broken_off(in_mid_row, lambda exchange: exchange.hang_up())),
    Fault("closed at a line end", _TRUNCATED, broken_off(at_a_line_end, lambda exchange: exchange.hang_up())),
    Fault("Content-Length not reached, in mid-row", _TRUNCATED, truncated_in(Framing.LENGTH, in_mid_row)),
    Fault("Content-Length not reached, at a line end", _TRUNCATED, truncated_in(Framing.LENGTH, at_a_line_end)),
    Fault("ends with the connection, in mid-row", _TRUNCATED, truncated_in(Framing.CLOSED, in_mid_row)),
    Fault("ends with the connection, at a line end", _TRUNCATED, truncated_in(Framing.CLOSED, at_a_line_end)),
    Fault(
        "stream reset in mid-row", _TRUNCATED, stream_broken_off(in_mid_row, lambda exchange: exchange.reset_stream())
    ),
    Fault(
        "stream reset at a line end",
        _TRUNCATED,
        stream_broken_off(at_a_line_end, lambda exchange: exchange.reset_stream()),
    ),
    Fault("GOAWAY in mid-body", _TRUNCATED, stream_broken_off(in_mid_row, lambda exchange: exchange.go_away())),
    Fault("ends under an unknown coding, in mid-row", _TRUNCATED, truncated_in(Framing.UNKNOWN, in_mid_row)),
    Fault("ends under an unknown coding, at a line end", _TRUNCATED, truncated_in(Framing.UNKNOWN, at_a_line_end)),
    Fault("chunk of a negative size", _TRUNCATED, in_chunk(b"-5")),
    Fault("chunk of a size that is no number", _TRUNCATED, in_chunk(b"many")),
    Fault("trailer with an error, at a line end", _TRUNCATED, ended_with(at_a_line_end, "x-error", "export failed")),
    Fault("trailer grpc-status 13, at a line end", _TRUNCATED, ended_with(at_a_line_end, "grpc-status", "13")),
    Fault("unknown trailer, at a line end", _TRUNCATED, ended_with(at_a_line_end, "x-result", "partial")),
    Fault("trailer without a meaning", _TRUNCATED, ended_with(whole, "server-timing", "db;dur=5"), always=_S),
    Fault("status that is no number", _TRUNCATED, with_status("abc")),
    Fault("no status", _TRUNCATED, with_status(None)),
    Fault("ended in mid-row as if complete", _BODY, changed(lambda body, _injected: body[: in_mid_row(body)])),
    Fault(
        "ended without the last line end, at another byte each time",
        _BODY,
        changed(lambda body, injected: body[: -3 - injected]),
        phases=EXPORTS,
    ),
    Fault(
        "no last line end, at the same byte each time",
        _BODY,
        changed(lambda body, _injected: body.removesuffix(b"\r\n")),
        always=Verdict.SURVIVED,
        phases=EXPORTS,
    ),
    Fault("empty body", _BODY, changed(lambda _body, _injected: b"")),
    Fault("no content (204)", _BODY, instead(204)),
    Fault(
        "accepted (202), and only the beginning",
        _BODY,
        changed(lambda body, _injected: body[: body.find(b"\n") + 1], status=202),
    ),
    Fault(
        "partial content (206), up to a line end",
        _BODY,
        changed(lambda body, _injected: body[: at_a_line_end(body)], status=206),
    ),
    Fault("all of it, but by a proxy (203)", _BODY, changed(lambda body, _injected: body, status=203)),
    Fault("gzip truncated", _BODY, changed(lambda body, _injected: gzip.compress(body)[:-12], Content_Encoding="gzip")),
    Fault(
        "gzip damaged",
        _BODY,
        changed(lambda body, _injected: gzip.compress(body)[:-9] + b"\xff" * 9, Content_Encoding="gzip"),
    ),
    Fault("compressed as br", _BODY, changed(lambda body, _injected: body, Content_Encoding="br")),
    Fault("not gzip, although announced", _BODY, changed(lambda body, _injected: body, Content_Encoding="gzip")),
    Fault("row too short", _BODY, rows(lambda lines: [*lines[:2], b"only one field\r\n", *lines[3:]]), phases=EXPORTS),
    Fault("row too long", _BODY, rows(lambda lines: [*lines[:2], b"C;Cyd;more\r\n", *lines[3:]]), phases=EXPORTS),
    Fault("invalid UTF-8", _BODY, rows(lambda lines: [*lines[:2], b"C;Cy\xff\r\n", *lines[3:]]), phases=EXPORTS),
    Fault("open quote", _BODY, rows(lambda lines: [*lines[:2], b'C;"Cyd\r\n', *lines[3:]]), phases=EXPORTS),
    Fault(
        "header of more than 1 MB",
        _BODY,
        over_http1(
            lambda exchange, right, _injected: exchange.respond(replace(right, body=b"x" * (1 << 20) + right.body))
        ),
        phases=EXPORTS,
    ),
    Fault("429 with Retry-After in seconds", _STATUS, instead(429, headers={"Retry-After": "7"})),
    Fault("429 with Retry-After as a date", _STATUS, anywhere(over_quota_until_a_date)),
    Fault("429 without Retry-After", _STATUS, instead(429)),
    Fault("500", _STATUS, instead(500, _ECHO, JSON)),
    Fault("502 with a page", _STATUS, instead(502, LOGIN, HTML)),
    Fault("503 with Retry-After", _STATUS, instead(503, headers={"Retry-After": "3"})),
    Fault("504", _STATUS, instead(504)),
    Fault(
        "503 with Retry-After in a distant year",
        _STATUS,
        instead(503, headers={"Retry-After": "Mon, 01 Jan 99999999999 00:00:00 GMT"}),
    ),
    Fault("503 whose body is truncated", _TRUNCATED, failing_with(503, lambda exchange: exchange.hang_up())),
    Fault("503 whose body is reset", _TRUNCATED, failing_with(503, lambda exchange: exchange.reset())),
    Fault(
        "503 whose body stays silent",
        _TRUNCATED,
        failing_with(503, lambda exchange: exchange.stay_silent()),
        is_silent=True,
    ),
    Fault("503 whose body is not gzip, although announced", _STATUS, instead(503, _ECHO, {"Content-Encoding": "gzip"})),
    Fault("500 with JSON nested 2,000 deep", _STATUS, instead(500, _NESTED, JSON)),
    *(Fault(f"{status}", _REFUSED, instead(status, _ECHO, JSON), once=_R) for status in (400, 403, 404, 413, 422)),
    Fault(
        "401", _REFUSED, instead(401, _ECHO, JSON), once=_R, ends_run_at=frozenset({Phase.DISCOVERY, Phase.METADATA})
    ),
    Fault("redirect", _REFUSED, instead(302, headers={"Location": f"https://login.example/?{API_KEY}"}), once=_R),
    Fault("redirect to no address", _REFUSED, instead(302, headers={"Location": "http://[::1"}), once=_R),
    Fault("redirect to bytes", _REFUSED, instead(302, headers={"Location": "/\xff"}), once=_R),
    Fault("permanent redirect", _REFUSED, instead(308, headers={"Location": "http://127.0.0.1:9/"}), once=_R),
    Fault(
        "all rows missing",
        _REFUSED,
        rows(lambda lines: lines[:1]),
        once=_R,
        phases=frozenset({Phase.LATER}),
    ),
    Fault(
        "block not listed",
        _REFUSED,
        changed(lambda body, _injected: without_first(body)),
        once=_R,
        phases=frozenset({Phase.METADATA}),
        ends_run_at=frozenset(),
    ),
    Fault(
        "block without an id",
        _BODY,
        changed(lambda body, _injected: body.replace(b'"id"', b'"no"')),
        once=_R,
        phases=frozenset({Phase.METADATA}),
    ),
    Fault(
        "block whose id is half of a character",
        _BODY,
        changed(lambda body, _injected: body.replace(b'"id": "0000', b'"id": "\\ud800', 1)),
        once=_R,
        phases=frozenset({Phase.METADATA}),
    ),
    Fault(
        "JSON nested 2,000 deep", _BODY, changed(lambda _body, _injected: _NESTED), phases=frozenset({Phase.METADATA})
    ),
    Fault(
        "a number of 5,000 digits",
        _BODY,
        changed(lambda body, _injected: body.replace(b'"id"', b'"size": ' + b"9" * 5_000 + b', "id"', 1)),
        phases=frozenset({Phase.METADATA}),
    ),
    Fault(
        "no block listed",
        _REFUSED,
        changed(lambda _body, _injected: b"[]"),
        once=_R,
        phases=frozenset({Phase.METADATA}),
    ),
    Fault("login page", _NO_EXPORT, instead(200, LOGIN, HTML)),
    Fault("login page with the content type of CSV", _NO_EXPORT, instead(200, LOGIN, CSV)),
    Fault(
        "JSON",
        _NO_EXPORT,
        instead(200, b'{"error": "no"}', {"Content-Type": "application/json"}),
        once_at={Phase.METADATA: _R},
    ),
    Fault(
        "JSON with the content type of CSV",
        _NO_EXPORT,
        instead(200, b'{"error": "no"}', CSV),
        once_at={Phase.METADATA: _R},
    ),
    Fault("CSV", _NO_EXPORT, instead(200, b"Code;Name\r\n", CSV), phases=frozenset({Phase.METADATA})),
)

"""The faults: what goes over the wire instead of the right answer, and what the tap has promised to make of it."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from h2.errors import ErrorCodes

from tests.faults.server import Carrier
from tests.faults.wires import Framing
from tests.pigment import API_KEY, CSV, Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.faults.wires import Http1Wire, Http2Wire, Wire

    Show = Callable[[Any, Answer, int], None]  # What carries it, the right answer, and how often the fault was shown.
    Cut = Callable[[bytes], int]

HTML = {"Content-Type": "text/html; charset=utf-8"}
JSON = {"Content-Type": "application/problem+json"}
LOGIN = b"<!DOCTYPE html><html><body>Sign in</body></html>"


class Column(Enum):
    """When a fault shows: a column of the matrix."""

    DISCOVERY = "discovery"
    METADATA = "metadata at sync"
    FIRST = "first export"
    LATER = "later export"


class Verdict(Enum):
    """What became of a run.

    `SURVIVED`: exit code 0, and exactly the right rows and state. `REPORTED`: it failed with an error that names where
    and what to do, all other streams are complete, and of the failed one nothing has left. Anything else is a bug:
    `LOST` where rows are missing, else `SILENT`.
    """

    SURVIVED = "survived"
    REPORTED = "reported"
    LOST = "LOST"
    SILENT = "SILENT"


ALL = frozenset(Column)
EXPORTS = frozenset({Column.DISCOVERY, Column.FIRST, Column.LATER})


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes:
        name: What happens.
        group: The row of the short table that counts it.
        over: How it shows, by what carries it.
        once: What the tap makes of it if the next try is right.
        always: What it makes of it if it stays.
        columns: When it can show.
        once_at: Where `once` is not the same in all columns.
        refuses: Nobody listens.
        is_silent: Nothing more comes, and that has to be waited for.
        ends_run_at: When it hits all streams, and not only the one that meets it.
    """

    name: str
    group: str
    over: Mapping[Carrier, Show] = field(default_factory=dict)
    once: Verdict = Verdict.SURVIVED
    always: Verdict = Verdict.REPORTED
    columns: frozenset[Column] = ALL
    once_at: Mapping[Column, Verdict] = field(default_factory=dict)
    refuses: bool = False
    is_silent: bool = False
    ends_run_at: frozenset[Column] = frozenset({Column.METADATA})

    def show(self, carrier: Carrier) -> Show:
        """Return how it shows over a carrier."""
        return self.over[carrier]

    def is_possible(self, carrier: Carrier, column: Column) -> bool:
        """Return whether it can show over a carrier, in a column."""
        # With TLS it is another library that reads HTTP/1.1; what is in a body is no business of either.
        is_about_bodies = self.group not in {_NO_ANSWER, _CUT}
        if column not in self.columns or (is_about_bodies and carrier is Carrier.HTTP_1_TLS):
            return False
        return self.refuses or carrier in self.over

    def expected(self, column: Column, *, always: bool) -> Verdict:
        """Return what the tap has promised to make of it."""
        return self.always if always else self.once_at.get(column, self.once)


def anywhere(show: Callable[[Wire, Answer, int], None]) -> Mapping[Carrier, Show]:
    return dict.fromkeys(Carrier, show)


def over_http1(show: Callable[[Http1Wire, Answer, int], None]) -> Mapping[Carrier, Show]:
    return dict.fromkeys([Carrier.HTTP_1, Carrier.HTTP_1_TLS], show)


def over_http2(show: Callable[[Http2Wire, Answer, int], None]) -> Mapping[Carrier, Show]:
    return {Carrier.HTTP_2: show}


def instead(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Mapping[Carrier, Show]:
    return anywhere(lambda wire, _right, _shown: wire.answer(Answer(status, body, headers or {})))


def changed(change: Callable[[bytes, int], bytes], **headers: str) -> Mapping[Carrier, Show]:
    """Send a body that is whole, as far as the transport knows."""

    def show(wire: Wire, right: Answer, shown: int) -> None:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        wire.answer(replace(right, body=change(right.body, shown), headers={**right.headers, **more}))

    return anywhere(show)


# Where a body is cut.


def in_mid_row(body: bytes) -> int:
    return len(body) * 2 // 3


def at_a_line_end(body: bytes) -> int:
    """Return where the last row begins; in JSON, which has no lines, 0."""
    return body.rfind(b"\n", 0, len(body) - 1) + 1


def cut(at: Cut, then: Callable[[Wire], None]) -> Mapping[Carrier, Show]:
    """Send the beginning of a body, and something that breaks it off."""

    def show(wire: Wire, right: Answer, _shown: int) -> None:
        wire.begin(right, at(right.body))
        then(wire)

    return anywhere(show)


def cut_in(framing: Framing, at: Cut) -> Mapping[Carrier, Show]:
    def show(wire: Http1Wire, right: Answer, _shown: int) -> None:
        wire.begin(right, at(right.body), framing)
        wire.hang_up()

    return over_http1(show)


def cut_stream(at: Cut, then: Callable[[Http2Wire], None]) -> Mapping[Carrier, Show]:
    def show(wire: Http2Wire, right: Answer, _shown: int) -> None:
        wire.begin(right, at(right.body))
        then(wire)

    return over_http2(show)


def rows(change: Callable[[list[bytes]], list[bytes]]) -> Mapping[Carrier, Show]:
    """Change the lines of an export."""
    return changed(lambda body, _shown: b"".join(change(body.splitlines(keepends=True))))


def in_a_few_seconds() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)


def over_quota_until_a_date(wire: Wire, _right: Answer, _shown: int) -> None:
    wire.answer(Answer(429, headers={"Retry-After": in_a_few_seconds()}))


def without_first(body: bytes) -> bytes:
    """Return a listing without the first block, which its owner may see no more."""
    return b"[" + body[body.index(b"{", 2) :]


_NO_ANSWER = "no connection, no answer, silence"
_CUT = "a body cut, reset or silent half-way"
_BODY = "a body that came whole and is wrong"
_STATUS = "429 and 5xx"
_REFUSED = "400 to 422, redirects, lost access"
_NO_EXPORT = "a page or JSON with status 200"

_R = Verdict.REPORTED
_ECHO = f'{{"title": "Refused", "detail": "not with Bearer {API_KEY}"}}'.encode()

FAULTS = (
    Fault("connection refused", _NO_ANSWER, refuses=True, ends_run_at=ALL),
    Fault("reset before the answer", _NO_ANSWER, anywhere(lambda wire, _right, _shown: wire.reset())),
    Fault("hung up before the answer", _NO_ANSWER, anywhere(lambda wire, _right, _shown: wire.hang_up())),
    Fault(
        "silence before the first byte",
        _NO_ANSWER,
        anywhere(lambda wire, _right, _shown: wire.say_nothing()),
        is_silent=True,
    ),
    Fault("stream reset before the answer", _NO_ANSWER, over_http2(lambda wire, _right, _shown: wire.reset_stream())),
    Fault(
        "stream refused",
        _NO_ANSWER,
        over_http2(lambda wire, _right, _shown: wire.reset_stream(ErrorCodes.REFUSED_STREAM)),
    ),
    Fault("GOAWAY before the answer", _NO_ANSWER, over_http2(lambda wire, _right, _shown: wire.go_away())),
    Fault("silence in mid-body", _CUT, cut(in_mid_row, lambda wire: wire.say_nothing()), is_silent=True),
    Fault("reset in mid-body", _CUT, cut(in_mid_row, lambda wire: wire.reset())),
    Fault("hung up in mid-row", _CUT, cut(in_mid_row, lambda wire: wire.hang_up())),
    Fault("hung up at a line end", _CUT, cut(at_a_line_end, lambda wire: wire.hang_up())),
    Fault("Content-Length not reached, in mid-row", _CUT, cut_in(Framing.LENGTH, in_mid_row)),
    Fault("Content-Length not reached, at a line end", _CUT, cut_in(Framing.LENGTH, at_a_line_end)),
    Fault("ends with the connection, in mid-row", _CUT, cut_in(Framing.CLOSED, in_mid_row)),
    Fault("ends with the connection, at a line end", _CUT, cut_in(Framing.CLOSED, at_a_line_end)),
    Fault("stream reset in mid-row", _CUT, cut_stream(in_mid_row, lambda wire: wire.reset_stream())),
    Fault("stream reset at a line end", _CUT, cut_stream(at_a_line_end, lambda wire: wire.reset_stream())),
    Fault("GOAWAY in mid-body", _CUT, cut_stream(in_mid_row, lambda wire: wire.go_away())),
    Fault("ended in mid-row as if whole", _BODY, changed(lambda body, _shown: body[: in_mid_row(body)])),
    Fault(
        "ended without the last line end, elsewhere each time",
        _BODY,
        changed(lambda body, shown: body[: -3 - shown]),
        columns=EXPORTS,
    ),
    Fault(
        "no last line end, and never any",
        _BODY,
        changed(lambda body, _shown: body.removesuffix(b"\r\n")),
        always=Verdict.SURVIVED,
        columns=EXPORTS,
    ),
    Fault("empty body", _BODY, changed(lambda _body, _shown: b"")),
    Fault("no content (204)", _BODY, instead(204)),
    Fault("gzip cut", _BODY, changed(lambda body, _shown: gzip.compress(body)[:-12], Content_Encoding="gzip")),
    Fault(
        "gzip damaged",
        _BODY,
        changed(lambda body, _shown: gzip.compress(body)[:-9] + b"\xff" * 9, Content_Encoding="gzip"),
    ),
    Fault("not gzip at all", _BODY, changed(lambda body, _shown: body, Content_Encoding="gzip")),
    Fault("row too short", _BODY, rows(lambda lines: [*lines[:2], b"only one field\r\n", *lines[3:]]), columns=EXPORTS),
    Fault("row too long", _BODY, rows(lambda lines: [*lines[:2], b"C;Cyd;more\r\n", *lines[3:]]), columns=EXPORTS),
    Fault("invalid UTF-8", _BODY, rows(lambda lines: [*lines[:2], b"C;Cy\xff\r\n", *lines[3:]]), columns=EXPORTS),
    Fault("open quote", _BODY, rows(lambda lines: [*lines[:2], b'C;"Cyd\r\n', *lines[3:]]), columns=EXPORTS),
    Fault("429 with Retry-After in seconds", _STATUS, instead(429, headers={"Retry-After": "7"})),
    Fault("429 with Retry-After as a date", _STATUS, anywhere(over_quota_until_a_date)),
    Fault("429 without Retry-After", _STATUS, instead(429)),
    Fault("500", _STATUS, instead(500, _ECHO, JSON)),
    Fault("502 with a page", _STATUS, instead(502, LOGIN, HTML)),
    Fault("503 with Retry-After", _STATUS, instead(503, headers={"Retry-After": "3"})),
    Fault("504", _STATUS, instead(504)),
    *(Fault(f"{status}", _REFUSED, instead(status, _ECHO, JSON), once=_R) for status in (400, 403, 404, 413, 422)),
    Fault(
        "401", _REFUSED, instead(401, _ECHO, JSON), once=_R, ends_run_at=frozenset({Column.DISCOVERY, Column.METADATA})
    ),
    Fault("redirect", _REFUSED, instead(302, headers={"Location": f"https://login.example/?{API_KEY}"}), once=_R),
    Fault("permanent redirect", _REFUSED, instead(308, headers={"Location": "http://127.0.0.1:9/"}), once=_R),
    Fault(
        "all rows gone",
        _REFUSED,
        rows(lambda lines: lines[:1]),
        once=_R,
        columns=frozenset({Column.LATER}),
    ),
    Fault(
        "block not listed",
        _REFUSED,
        changed(lambda body, _shown: without_first(body)),
        once=_R,
        columns=frozenset({Column.METADATA}),
        ends_run_at=frozenset(),
    ),
    Fault(
        "block without an id",
        _BODY,
        changed(lambda body, _shown: body.replace(b'"id"', b'"no"')),
        once=_R,
        columns=frozenset({Column.METADATA}),
    ),
    Fault(
        "no block listed", _REFUSED, changed(lambda _body, _shown: b"[]"), once=_R, columns=frozenset({Column.METADATA})
    ),
    Fault("login page", _NO_EXPORT, instead(200, LOGIN, HTML)),
    Fault("login page that says it is CSV", _NO_EXPORT, instead(200, LOGIN, CSV)),
    Fault(
        "JSON",
        _NO_EXPORT,
        instead(200, b'{"error": "no"}', {"Content-Type": "application/json"}),
        once_at={Column.METADATA: _R},
    ),
    Fault(
        "JSON that says it is CSV",
        _NO_EXPORT,
        instead(200, b'{"error": "no"}', CSV),
        once_at={Column.METADATA: _R},
    ),
    Fault("CSV", _NO_EXPORT, instead(200, b"Code;Name\r\n", CSV), columns=frozenset({Column.METADATA})),
)

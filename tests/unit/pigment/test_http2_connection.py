"""What trailers and statuses mean, and when a request has taken too long."""

from __future__ import annotations

import math

import pytest

from tap_pigment.pigment.http2_connection import ReadDeadline, has_valid_status, trailer_problem


@pytest.mark.parametrize(
    ("trailers", "is_length_right", "problem"),
    [
        pytest.param([], False, None, id="none"),
        pytest.param([("server-timing", "db;dur=5"), ("etag", '"x"')], False, None, id="harmless"),
        pytest.param([("grpc-status", "0")], False, None, id="a success"),
        pytest.param([("grpc-status", " 0 ")], False, None, id="a success with spaces"),
        pytest.param([("grpc-status", "13")], True, "an error (grpc-status: 13)", id="a failure"),
        pytest.param([("grpc-status", "")], True, "an error (grpc-status: )", id="a status without a value"),
        pytest.param([("x-error", "export failed")], True, "an error (x-error: export failed)", id="an error"),
        pytest.param([("x-stream-failed", "1")], True, "an error (x-stream-failed: 1)", id="a flag"),
        pytest.param([("x-truncated", "TRUE")], True, "an error (x-truncated: TRUE)", id="another flag"),
        pytest.param([("etag", "x"), ("aborted", "yes")], True, "an error (aborted: yes)", id="the second one"),
        pytest.param([("x-error", "None")], True, None, id="no error"),
        pytest.param([("x-error", "")], False, None, id="an error without text"),
        pytest.param([("x-result", "all")], True, None, id="unknown, with the right length"),
        pytest.param([("x-result", "all")], False, "a trailer that may be an error (x-result: all)", id="unknown"),
    ],
)
def test_a_trailer_is_an_error_unless_it_is_known_to_be_none(
    trailers: list[tuple[str, str]],
    is_length_right: bool,  # noqa: FBT001 - a column of the table.
    problem: str | None,
) -> None:
    expected = problem and f"the server ended it with {problem}"

    assert trailer_problem(trailers, is_length_right=is_length_right) == expected


def test_a_long_trailer_is_shortened() -> None:
    problem = trailer_problem([("x-error", "x" * 9_000)], is_length_right=True)

    assert problem is not None
    assert len(problem) < 150


@pytest.mark.parametrize(
    ("headers", "is_valid"),
    [
        ([(b":status", b"200")], True),
        ([(b":status", b"999"), (b"content-type", b"text/csv")], True),
        ([(b":status", b"abc")], False),
        ([(b":status", b"")], False),
        ([(b":status", b"20")], False),
        ([(b":status", b"+200")], False),
        ([(b":status", b"2000")], False),
        ([(b":status", b"200"), (b":status", b"200")], False),
        ([(b"status", b"200")], False),
        ([], False),
    ],
)
def test_a_status_has_three_digits_and_stands_once(
    headers: list[tuple[bytes, bytes]],
    is_valid: bool,  # noqa: FBT001 - a column of the table.
) -> None:
    assert has_valid_status(headers) is is_valid


def test_the_time_to_read_is_that_of_the_whole_request_at_most() -> None:
    deadline = ReadDeadline((30, 60), total_seconds=20)

    assert deadline.timeouts == (30, 60)
    assert deadline.get("connect") == 30
    assert 0 < (deadline.get("read") or math.inf) <= 20
    assert not deadline.is_over


def test_a_request_whose_time_has_passed_is_over() -> None:
    deadline = ReadDeadline(60, total_seconds=20)

    deadline.shorten(0)

    assert deadline.is_over
    with pytest.raises(TimeoutError):
        deadline.get("read")


def test_a_request_is_never_made_longer() -> None:
    deadline = ReadDeadline(60, total_seconds=20)

    deadline.shorten(30)

    assert not deadline.is_over
    assert (deadline.get("read") or math.inf) <= 20


def test_a_request_without_timeouts_is_never_over() -> None:
    deadline = ReadDeadline(None)

    assert deadline.get("read") is None
    assert not deadline.is_over

"""The counts of requests, retries, bytes and waits."""

from __future__ import annotations

import io
import threading

import requests

from tap_pigment.pigment.request_stats import RequestStats
from tests.support.taps import TIMEOUT_SECONDS, Clock


class CountedBody(io.BytesIO):
    """A body of which urllib3 counts the bytes that arrived, or of which it counts none: one that arrives in chunks."""

    def __init__(self, content: bytes, *, is_counted: bool) -> None:
        super().__init__(content)
        self._is_counted = is_counted

    def tell(self) -> int:
        """Return the number of bytes that urllib3 counted."""
        return super().tell() if self._is_counted else 0


def response_of(content: bytes, *, is_counted: bool = True) -> requests.Response:
    response = requests.Response()
    response.raw = CountedBody(content, is_counted=is_counted)
    return response


def test_nothing_is_counted_at_first() -> None:
    stats = RequestStats(Clock())

    assert str(stats) == "0 requests (0 retries), 0.0 MB received, 0.0 s waiting"
    assert stats.requests == 0


def test_one_request_and_one_retry_are_in_the_singular() -> None:
    stats = RequestStats(Clock())

    stats.count_request(is_retry=True)

    assert str(stats) == "1 request (1 retry), 0.0 MB received, 0.0 s waiting"


def test_large_numbers_have_separators() -> None:
    clock = Clock()
    stats = RequestStats(clock)

    for _ in range(1_234):
        stats.count_request()
    with stats.counted_wait():
        clock.sleep(98_765.4)

    assert str(stats) == "1,234 requests (0 retries), 0.0 MB received, 98,765.4 s waiting"
    assert stats.requests == 1_234


def test_waits_at_the_same_time_count_once() -> None:
    clock = Clock()
    stats = RequestStats(clock)

    with stats.counted_wait():
        clock.now = 5
        with stats.counted_wait():
            clock.now = 9
        clock.now = 12
    clock.now = 100
    with stats.counted_wait():
        clock.now = 101

    assert str(stats).endswith(", 13.0 s waiting")


def test_bytes_are_counted_with_a_length_and_in_chunks() -> None:
    stats = RequestStats(Clock())

    for is_counted in (True, False):
        response = response_of(b"x" * 1_000_000, is_counted=is_counted)
        with stats.counted_body(response):
            assert len(response.content) == 1_000_000

    assert str(stats) == "0 requests (0 retries), 2.0 MB received, 0.0 s waiting"


def test_a_body_that_is_read_in_part_counts_in_part_and_is_closed() -> None:
    stats = RequestStats(Clock())
    response = response_of(b"x" * 4_000_000)

    with stats.counted_body(response):
        next(response.iter_content(1_500_000))

    assert str(stats) == "0 requests (0 retries), 1.5 MB received, 0.0 s waiting"
    assert response.raw.closed


def test_a_body_and_a_wait_that_have_not_ended_count_so_far() -> None:
    clock = Clock()
    stats = RequestStats(clock)
    response = response_of(b"x" * 4_000_000)

    with stats.counted_body(response), stats.counted_wait():
        next(response.iter_content(1_500_000))
        clock.now = 3
        so_far = str(stats)
        clock.now = 5

    assert so_far == "0 requests (0 retries), 1.5 MB received, 3.0 s waiting"
    assert str(stats) == "0 requests (0 retries), 1.5 MB received, 5.0 s waiting"


def test_requests_of_many_threads_are_all_counted() -> None:
    stats = RequestStats(Clock())
    start = threading.Barrier(8, timeout=TIMEOUT_SECONDS)

    def count() -> None:
        start.wait()
        for _ in range(500):
            stats.count_request()

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_SECONDS)

    assert stats.requests == 4_000

"""The quota of the benchmark's server, and the time that a quota allows at least."""

from __future__ import annotations

import requests

from tests.benchmarks.quota import Sync
from tests.benchmarks.server import Counts, Window, counts, serving_lists
from tests.benchmarks.small_lists import list_id


def sync(received: int, refused: int = 0) -> Sync:
    return Sync(received, refused, seconds=1, failures=())


def test_the_server_refuses_and_counts_what_is_over_the_quota() -> None:
    with serving_lists(1, 1, quota=Window(2, 60)) as api_url:
        listing = requests.get(f"{api_url}/v1/blocks", timeout=60)
        exports = [requests.post(f"{api_url}/v1/export/list/{list_id(0)}", json={}, timeout=60) for _ in range(3)]
        counted = counts(api_url)

    assert [response.status_code for response in (listing, *exports)] == [200, 200, 429, 429]
    assert counted == Counts(requests=4, refused=2)


def test_only_full_windows_before_the_last_request_must_pass() -> None:
    window = Window(500, 30)

    least = [sync(received).least_seconds(window) for received in (500, 501, 1_000, 1_001)]

    assert least == [0, 30, 30, 60]


def test_requests_that_are_refused_fill_no_window() -> None:
    assert sync(505, refused=5).least_seconds(Window(500, 30)) == 0

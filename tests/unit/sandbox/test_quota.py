"""The quota of requests per client."""

from tap_pigment.sandbox.api.quota import Quota


def test_each_client_has_a_separate_quota() -> None:
    quota = Quota(1, 300, clock=lambda: 0.0)

    accepted = [quota.try_acquire("192.0.2.1"), quota.try_acquire("192.0.2.1"), quota.try_acquire("192.0.2.2")]

    assert accepted == [True, False, True]


def test_rejected_requests_do_not_count() -> None:
    times = iter([0.0, 299.0, 300.0, 301.0])
    quota = Quota(1, 300, clock=lambda: next(times))

    accepted = [quota.try_acquire("192.0.2.1") for _ in range(4)]

    assert accepted == [True, False, True, False]

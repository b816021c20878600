"""Keys, rights and the quota."""

from collections.abc import Iterator

import httpx2
import pytest

from tap_pigment.sandbox.app import pigment_app
from tap_pigment.sandbox.quota import Quota
from tap_pigment.sandbox.server import Server, serving
from tests.sandbox import company
from tests.sandbox.clients import client, problem

EXPORTS = [
    ("POST", f"/export/list/{company.COUNTRIES.id}"),
    ("POST", f"/export/metric/{company.SALES.id}"),
    ("POST", f"/export/table/{company.PLAN.id}"),
    ("GET", "/export/view/ffffffff-0000-4000-8000-000000000001"),
]
METADATA = [
    ("GET", "/applications"),
    ("GET", f"/blocks?applicationId={company.PLANNING_ID}"),
    ("GET", f"/views?applicationId={company.PLANNING_ID}"),
]


@pytest.mark.parametrize(("method", "path"), EXPORTS + METADATA)
@pytest.mark.parametrize("authorization", [None, "Bearer pgmt_unknown", "Basic pgmt_all", "pgmt_all", "Bearer"])
def test_without_a_known_key_everything_is_401(
    server: Server, method: str, path: str, authorization: str | None
) -> None:
    headers = {"Authorization": authorization} if authorization else {}

    with client(server) as http:
        answer = http.request(method, path, headers=headers)

    assert (answer.status_code, problem(answer)) == (401, "No known API key.")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("key", "method", "path", "right"),
    [(company.METADATA_KEY, *export, "Export") for export in EXPORTS]
    + [(company.EXPORT_KEY, *metadata, "Modeling Metadata") for metadata in METADATA],
)
def test_a_missing_right_is_403(server: Server, key: str, method: str, path: str, right: str) -> None:
    with client(server, key) as http:
        answer = http.request(method, path)

    assert (answer.status_code, problem(answer)) == (403, f"The API key lacks the right '{right}'.")


@pytest.mark.parametrize(
    ("key", "method", "path"),
    [(company.EXPORT_KEY, *export) for export in EXPORTS]
    + [(company.METADATA_KEY, *metadata) for metadata in METADATA],
)
def test_one_right_is_enough_for_what_it_is_for(server: Server, key: str, method: str, path: str) -> None:
    with client(server, key) as http:
        answer = http.request(method, path)

    assert answer.status_code == 200


class Clock:
    """A clock that stands still until it is set."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time it is set to."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limited(clock: Clock) -> Iterator[Server]:
    """Serve the small company with a quota of 3 requests in 300 seconds."""
    with serving(pigment_app(company.WORKSPACE, quota=3, clock=clock)) as running:
        yield running


def test_over_the_quota_everything_is_429_whatever_the_key(limited: Server) -> None:
    with client(limited, company.KEY) as http, client(limited) as stranger:
        statuses = [http.get("/applications").status_code, stranger.get("/applications").status_code]
        statuses.append(http.post(f"/export/list/{company.COUNTRIES.id}").status_code)
        refused = [http.get("/applications"), stranger.get("/applications")]

    assert statuses == [200, 401, 200]
    assert [answer.status_code for answer in refused] == [429, 429]
    assert problem(refused[0]) == "Too many requests from this IP address."


def test_the_quota_frees_as_the_window_passes(limited: Server, clock: Clock) -> None:
    statuses = []

    with client(limited, company.KEY) as http:
        for clock.now in (0, 100, 200, 299.9, 300, 399.9, 400):
            statuses.append(http.get("/applications").status_code)

    assert statuses == [200, 200, 200, 429, 200, 429, 200]


def test_each_address_has_its_own_quota(clock: Clock) -> None:
    quota = Quota(1, 300, clock)

    taken = [quota.take("192.0.2.1"), quota.take("192.0.2.1"), quota.take("192.0.2.2")]

    assert taken == [True, False, True]


def test_a_path_that_is_not_there_is_404_and_a_wrong_method_405(pigment: httpx2.Client) -> None:
    nowhere = pigment.get("/lists")
    wrong = pigment.get(f"/export/list/{company.COUNTRIES.id}")

    assert (nowhere.status_code, problem(nowhere)) == (404, "Not Found")
    assert (wrong.status_code, problem(wrong)) == (405, "Method Not Allowed")

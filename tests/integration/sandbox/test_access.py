"""Keys, scopes and the quota."""

from collections.abc import Iterator

import httpx2
import pytest

from tap_pigment.sandbox.api import pigment_app
from tap_pigment.sandbox.server import Server, serving
from tests.integration.sandbox import small_workspace
from tests.integration.sandbox.clients import http_client, problem_detail

EXPORTS = [
    ("POST", f"/export/list/{small_workspace.COUNTRIES.id}"),
    ("POST", f"/export/metric/{small_workspace.SALES.id}"),
    ("POST", f"/export/table/{small_workspace.PLAN.id}"),
    ("GET", "/export/view/ffffffff-0000-4000-8000-000000000001"),
]
METADATA = [
    ("GET", "/applications"),
    ("GET", f"/blocks?applicationId={small_workspace.PLANNING_ID}"),
    ("GET", f"/views?applicationId={small_workspace.PLANNING_ID}"),
]


@pytest.mark.parametrize(("method", "path"), EXPORTS + METADATA)
@pytest.mark.parametrize("authorization", [None, "Bearer pgmt_unknown", "Basic pgmt_all", "pgmt_all", "Bearer"])
def test_requests_without_a_known_key_get_401(
    server: Server, method: str, path: str, authorization: str | None
) -> None:
    headers = {"Authorization": authorization} if authorization else {}

    with http_client(server) as client:
        response = client.request(method, path, headers=headers)

    assert (response.status_code, problem_detail(response)) == (401, "The API key is missing or unknown.")
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("key", "method", "path", "scope"),
    [(small_workspace.METADATA_KEY, *export, "Export") for export in EXPORTS]
    + [(small_workspace.EXPORT_KEY, *metadata, "Modeling Metadata") for metadata in METADATA],
)
def test_requests_without_the_required_scope_get_403(
    server: Server, key: str, method: str, path: str, scope: str
) -> None:
    with http_client(server, key) as client:
        response = client.request(method, path)

    assert (response.status_code, problem_detail(response)) == (403, f"The API key lacks the scope '{scope}'.")


@pytest.mark.parametrize(
    ("key", "method", "path"),
    [(small_workspace.EXPORT_KEY, *export) for export in EXPORTS]
    + [(small_workspace.METADATA_KEY, *metadata) for metadata in METADATA],
)
def test_a_key_with_only_the_required_scope_is_accepted(server: Server, key: str, method: str, path: str) -> None:
    with http_client(server, key) as client:
        response = client.request(method, path)

    assert response.status_code == 200


class Clock:
    """A clock that shows the time in `now`."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limited_server(clock: Clock) -> Iterator[Server]:
    """Serve the small workspace with a quota of 3 requests in 300 seconds."""
    with serving(pigment_app(small_workspace.WORKSPACE, quota=3, clock=clock)) as running:
        yield running


def test_requests_over_the_quota_get_429_with_any_key(limited_server: Server) -> None:
    with http_client(limited_server, small_workspace.KEY) as client, http_client(limited_server) as keyless:
        statuses = [client.get("/applications").status_code, keyless.get("/applications").status_code]
        statuses.append(client.post(f"/export/list/{small_workspace.COUNTRIES.id}").status_code)
        rejected = [client.get("/applications"), keyless.get("/applications")]

    assert statuses == [200, 401, 200]
    assert [response.status_code for response in rejected] == [429, 429]
    assert problem_detail(rejected[0]) == "Too many requests from this IP address."


def test_the_quota_frees_as_requests_leave_the_window(limited_server: Server, clock: Clock) -> None:
    statuses = []

    with http_client(limited_server, small_workspace.KEY) as client:
        for clock.now in (0, 100, 200, 299.9, 300, 399.9, 400):
            statuses.append(client.get("/applications").status_code)

    assert statuses == [200, 200, 200, 429, 200, 429, 200]


def test_an_unknown_path_is_404_and_a_wrong_method_is_405(client: httpx2.Client) -> None:
    unknown_path = client.get("/lists")
    wrong_method = client.get(f"/export/list/{small_workspace.COUNTRIES.id}")

    assert (unknown_path.status_code, problem_detail(unknown_path)) == (404, "Not Found")
    assert (wrong_method.status_code, problem_detail(wrong_method)) == (405, "Method Not Allowed")

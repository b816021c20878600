"""Applications, blocks and views."""

import httpx2
import pytest

from tests.integration.sandbox import small_workspace
from tests.integration.sandbox.clients import problem_detail

UNKNOWN = "00000000-0000-4000-8000-00000000000f"


def test_applications_are_a_json_array(client: httpx2.Client) -> None:
    response = client.get("/applications")

    assert response.json() == [
        {"id": "aaaaaaaa-0000-4000-8000-000000000001", "name": "Planning"},
        {"id": "aaaaaaaa-0000-4000-8000-000000000002", "name": "Other"},
    ]


def test_blocks_have_id_name_and_type(client: httpx2.Client) -> None:
    response = client.get("/blocks", params={"applicationId": small_workspace.PLANNING_ID})

    assert response.json()[1:4] == [
        {"id": "bbbbbbbb-0000-4000-8000-000000000002", "name": "Countries", "type": "DimensionList"},
        {"id": "bbbbbbbb-0000-4000-8000-000000000003", "name": "Years", "type": "DimensionList"},
        {"id": "bbbbbbbb-0000-4000-8000-000000000004", "name": "Journal", "type": "TransactionList"},
    ]
    assert [block["type"] for block in response.json()[4:]] == ["Metric"] * 5 + ["Table", "DimensionList"]


def test_only_declared_columns_are_in_the_metadata_of_a_block(client: httpx2.Client) -> None:
    response = client.get("/blocks", params={"applicationId": small_workspace.PLANNING_ID})

    assert response.json()[0]["columns"] == [{"name": "Code", "type": "Text", "isKey": True}]
    assert ["columns" in block for block in response.json()[1:]] == [False] * 10


def test_applications_can_share_a_block(client: httpx2.Client) -> None:
    response = client.get("/blocks", params={"applicationId": small_workspace.OTHER_ID.upper()})

    assert [block["id"] for block in response.json()] == ["bbbbbbbb-0000-4000-8000-000000000002"]


def test_views_are_listed_by_application(client: httpx2.Client) -> None:
    response = client.get("/views", params={"applicationId": small_workspace.PLANNING_ID})

    assert response.json()[:2] == [
        {"id": "ffffffff-0000-4000-8000-000000000001", "name": "France only", "type": "Public"},
        {"id": "ffffffff-0000-4000-8000-000000000002", "name": "Mine", "type": "Personal"},
    ]


def test_views_can_be_listed_by_block(client: httpx2.Client) -> None:
    response = client.get(
        "/views", params={"applicationId": small_workspace.PLANNING_ID, "blockId": small_workspace.EMPTY_LIST.id}
    )

    assert [view["name"] for view in response.json()] == ["Empty"]


@pytest.mark.parametrize("path", ["/blocks", "/views"])
@pytest.mark.parametrize(
    ("application_id", "status", "message"),
    [
        (None, 400, "applicationId: must be set."),
        ("12", 400, "applicationId: '12' is not a UUID."),
        (UNKNOWN, 404, f"No application {UNKNOWN}."),
    ],
)
def test_a_missing_or_unknown_application_is_an_error(
    client: httpx2.Client, path: str, application_id: str | None, status: int, message: str
) -> None:
    response = client.get(path, params={"applicationId": application_id} if application_id else {})

    assert (response.status_code, problem_detail(response)) == (status, message)


def test_listing_views_of_a_block_of_another_application_is_404(client: httpx2.Client) -> None:
    response = client.get(
        "/views", params={"applicationId": small_workspace.OTHER_ID, "blockId": small_workspace.EMPTY_LIST.id}
    )

    assert (response.status_code, problem_detail(response)) == (
        404,
        f"No block {small_workspace.EMPTY_LIST.id} in 'Other'.",
    )

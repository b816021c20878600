"""Applications, blocks and views."""

import httpx2
import pytest

from tests.sandbox import company
from tests.sandbox.clients import problem

UNKNOWN = "00000000-0000-4000-8000-00000000000f"


def test_applications_are_a_bare_array(pigment: httpx2.Client) -> None:
    answer = pigment.get("/applications")

    assert answer.json() == [
        {"id": "aaaaaaaa-0000-4000-8000-000000000001", "name": "Planning"},
        {"id": "aaaaaaaa-0000-4000-8000-000000000002", "name": "Other"},
    ]


def test_blocks_have_id_name_and_type(pigment: httpx2.Client) -> None:
    answer = pigment.get("/blocks", params={"applicationId": company.PLANNING_ID})

    assert answer.json()[1:4] == [
        {"id": "bbbbbbbb-0000-4000-8000-000000000002", "name": "Countries", "type": "DimensionList"},
        {"id": "bbbbbbbb-0000-4000-8000-000000000003", "name": "Years", "type": "DimensionList"},
        {"id": "bbbbbbbb-0000-4000-8000-000000000004", "name": "Journal", "type": "TransactionList"},
    ]
    assert [block["type"] for block in answer.json()[4:]] == ["Metric"] * 5 + ["Table", "DimensionList"]


def test_a_block_describes_its_columns_only_if_they_are_declared(pigment: httpx2.Client) -> None:
    answer = pigment.get("/blocks", params={"applicationId": company.PLANNING_ID})

    assert answer.json()[0]["columns"] == [{"name": "Code", "type": "Text", "isKey": True}]
    assert ["columns" in block for block in answer.json()[1:]] == [False] * 10


def test_a_block_may_be_shared_by_applications(pigment: httpx2.Client) -> None:
    answer = pigment.get("/blocks", params={"applicationId": company.OTHER_ID.upper()})

    assert [block["id"] for block in answer.json()] == ["bbbbbbbb-0000-4000-8000-000000000002"]


def test_views_are_those_of_the_application(pigment: httpx2.Client) -> None:
    answer = pigment.get("/views", params={"applicationId": company.PLANNING_ID})

    assert answer.json()[:2] == [
        {"id": "ffffffff-0000-4000-8000-000000000001", "name": "France only", "type": "Public"},
        {"id": "ffffffff-0000-4000-8000-000000000002", "name": "Mine", "type": "Personal"},
    ]


def test_views_may_be_those_of_one_block(pigment: httpx2.Client) -> None:
    answer = pigment.get("/views", params={"applicationId": company.PLANNING_ID, "blockId": company.NOTHING.id})

    assert [view["name"] for view in answer.json()] == ["Void"]


@pytest.mark.parametrize("path", ["/blocks", "/views"])
@pytest.mark.parametrize(
    ("application_id", "status", "message"),
    [
        (None, 400, "applicationId: must be set."),
        ("12", 400, "applicationId: '12' is not a uuid."),
        (UNKNOWN, 404, f"No application {UNKNOWN}."),
    ],
)
def test_the_application_must_be_given_and_exist(
    pigment: httpx2.Client, path: str, application_id: str | None, status: int, message: str
) -> None:
    answer = pigment.get(path, params={"applicationId": application_id} if application_id else {})

    assert (answer.status_code, problem(answer)) == (status, message)


def test_the_block_of_views_must_be_in_the_application(pigment: httpx2.Client) -> None:
    answer = pigment.get("/views", params={"applicationId": company.OTHER_ID, "blockId": company.NOTHING.id})

    assert (answer.status_code, problem(answer)) == (404, f"No block {company.NOTHING.id} in 'Other'.")

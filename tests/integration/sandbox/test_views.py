"""Exports of views."""

import httpx2
import pytest

from tests.integration.sandbox.clients import csv_rows, problem_detail

FRANCE_ONLY = "/export/view/ffffffff-0000-4000-8000-000000000001"
TOO_LARGE = "ffffffff-0000-4000-8000-000000000002"
EMPTY = "ffffffff-0000-4000-8000-000000000003"
FITS = "ffffffff-0000-4000-8000-000000000004"
UNKNOWN = "ffffffff-0000-4000-8000-00000000000f"


def test_a_view_is_exported_with_its_filter(client: httpx2.Client) -> None:
    response = client.get(FRANCE_ONLY)

    assert response.headers["content-type"].startswith("text/csv")
    assert csv_rows(response) == [
        ["countries_LLLLLL", "years_YYYYYY", "sales_SSSSSS", "growth_GGGGGG"],
        ["France", "2025", "10.50", ""],
        ["France", "2026", "12.1", ""],
    ]


def test_the_delimiter_of_a_view_can_be_a_comma(client: httpx2.Client) -> None:
    response = client.get(FRANCE_ONLY, params={"fieldDelimiter": "Comma"})

    assert csv_rows(response, ",")[1] == ["France", "2025", "10.50", ""]


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        (f"/export/view/{EMPTY}", 422, f"View {EMPTY} has no data to export."),
        (
            f"/export/view/{TOO_LARGE}",
            413,
            f"View {TOO_LARGE} is too large to export. Use the export of its block instead.",
        ),
        (f"/export/view/{UNKNOWN}", 404, f"No view {UNKNOWN}."),
        ("/export/view/12", 400, "viewId: '12' is not a UUID."),
        (f"{FRANCE_ONLY}?fieldDelimiter=%3B", 400, "fieldDelimiter: ';' is not one of Semicolon, Comma."),
    ],
)
def test_a_view_that_pigment_does_not_export_is_an_error(
    client: httpx2.Client, path: str, status: int, message: str
) -> None:
    response = client.get(path)

    assert (response.status_code, problem_detail(response)) == (status, message)


def test_a_view_with_exactly_its_row_limit_is_exported(client: httpx2.Client) -> None:
    response = client.get(f"/export/view/{FITS}")

    assert len(csv_rows(response)) == 6

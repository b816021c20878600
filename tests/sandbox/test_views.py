"""Exports of views."""

import httpx2
import pytest

from tests.sandbox.clients import problem, table

FRANCE_ONLY = "/export/view/ffffffff-0000-4000-8000-000000000001"
TOO_BIG = "ffffffff-0000-4000-8000-000000000002"
VOID = "ffffffff-0000-4000-8000-000000000003"
FITS = "ffffffff-0000-4000-8000-000000000004"
UNKNOWN = "ffffffff-0000-4000-8000-00000000000f"


def test_a_view_comes_with_its_own_filter(pigment: httpx2.Client) -> None:
    answer = pigment.get(FRANCE_ONLY)

    assert answer.headers["content-type"].startswith("text/csv")
    assert table(answer) == [
        ["countries_LLLLLL", "years_YYYYYY", "sales_SSSSSS", "growth_GGGGGG"],
        ["France", "2025", "10.50", ""],
        ["France", "2026", "12.1", ""],
    ]


def test_the_delimiter_of_a_view_may_be_a_comma(pigment: httpx2.Client) -> None:
    answer = pigment.get(FRANCE_ONLY, params={"fieldDelimiter": "Comma"})

    assert table(answer, ",")[1] == ["France", "2025", "10.50", ""]


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        (f"/export/view/{VOID}", 422, f"View {VOID} has no data to export."),
        (
            f"/export/view/{TOO_BIG}",
            413,
            f"View {TOO_BIG} is too big to be exported: use the block export instead.",
        ),
        (f"/export/view/{UNKNOWN}", 404, f"No view {UNKNOWN}."),
        ("/export/view/12", 400, "viewId: '12' is not a uuid."),
        (f"{FRANCE_ONLY}?fieldDelimiter=%3B", 400, "fieldDelimiter: ';' is not one of Semicolon, Comma."),
    ],
)
def test_a_view_is_refused_where_pigment_refuses_it(
    pigment: httpx2.Client, path: str, status: int, message: str
) -> None:
    answer = pigment.get(path)

    assert (answer.status_code, problem(answer)) == (status, message)


def test_a_view_may_have_as_many_rows_as_its_limit(pigment: httpx2.Client) -> None:
    answer = pigment.get(f"/export/view/{FITS}")

    assert len(table(answer)) == 6

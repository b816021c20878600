"""Display names as titles of columns with technical names: `column_titles`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.pigment import Answer, Pigment
from tests.support.taps import of_type, records

if TYPE_CHECKING:
    from tests.support.pigment import SentRequest
    from tests.support.taps import Discover, RunTap

TECHNICAL = "code_AAAAAA;name_BBBBBB;code_CCCCCC\n"
ROWS = "FR;France;33\n"


class FriendlyPigment(Pigment):
    """A Pigment whose exports have another header with `friendlyHeaders: true`.

    Attributes:
        friendly: That header.
        response: The response in its place; None for a normal one.
    """

    friendly = "Code;Name;Dial code\n"
    response: Answer | None = None

    def answer(self, request: SentRequest) -> Answer:
        answer = super().answer(request)
        if not request.body or not request.body["friendlyHeaders"]:
            return answer
        return self.response or Answer(body=answer.body.replace(TECHNICAL.encode(), self.friendly.encode()))


@pytest.fixture
def pigment_class() -> type[FriendlyPigment]:
    return FriendlyPigment


@pytest.fixture
def countries(pigment: FriendlyPigment) -> FriendlyPigment:
    pigment.add_list("Countries", TECHNICAL + ROWS)
    return pigment


def titles(schema: dict[str, dict[str, dict[str, str]]]) -> dict[str, str | None]:
    """Return the title of each exported column."""
    return {name: column.get("title") for name, column in schema["properties"].items() if name != "contentHash"}


def test_a_column_has_its_display_name_as_title(discover: Discover, run_tap: RunTap, countries: Pigment) -> None:
    [entry] = discover(column_titles=True)["streams"]
    sent = len(countries.requested("/export/"))
    messages = run_tap(column_titles=True)

    expected = {"code_AAAAAA": "Code", "name_BBBBBB": "Name", "code_CCCCCC": "Dial code"}
    assert titles(entry["schema"]) == expected
    assert titles(of_type(messages, "SCHEMA")[0]["schema"]) == expected
    assert sent == 2
    assert records(messages, "countries") == [{"code_AAAAAA": "FR", "name_BBBBBB": "France", "code_CCCCCC": "33"}]


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="off"),
        pytest.param({"column_titles": True, "headers": "friendly"}, id="display names are headers"),
    ],
)
def test_no_other_header_is_requested(discover: Discover, countries: Pigment, settings: dict[str, object]) -> None:
    discover(**settings)

    assert len(countries.requested("/export/")) == 1


def test_a_view_has_no_titles(discover: Discover, countries: Pigment) -> None:
    countries.add_view("By region", "Region;Sales\nNorth;1\n")

    discover(column_titles=True, block_types=["View"])

    assert len(countries.requested("/export/")) == 1


@pytest.mark.parametrize(
    ("response", "warning"),
    [
        (
            Answer(body=b"Code;Name\n"),
            "countries: no column titles, because the header with display names has 2 columns",
        ),
        (Answer(404), "countries: the block no longer exists in Pigment (404)"),
    ],
)
def test_without_a_fitting_header_there_are_no_titles(
    discover: Discover,
    countries: FriendlyPigment,
    caplog: pytest.LogCaptureFixture,
    response: Answer,
    warning: str,
) -> None:
    countries.response = response

    [entry] = discover(column_titles=True)["streams"]

    assert set(titles(entry["schema"]).values()) == {None}
    assert warning in caplog.text


def test_a_title_finds_no_column(
    discover: Discover, run_tap: RunTap, countries: FriendlyPigment, caplog: pytest.LogCaptureFixture
) -> None:
    countries.friendly = "name_BBBBBB;code_CCCCCC;Dial code\n"  # Display names that are headers of other columns.
    catalog = discover(column_titles=True)
    [block_id] = countries.exports
    countries.exports[block_id] = b"name_BBBBBB;code_CCCCCC;code_AAAAAA\nFrance;33;FR\n"

    messages = run_tap(column_titles=True, catalog=catalog)

    assert records(messages, "countries") == [{"code_AAAAAA": "FR", "name_BBBBBB": "France", "code_CCCCCC": "33"}]
    assert "not in the catalog" not in caplog.text

"""The texts of errors: one line each, whatever they quote."""

import pytest

from tap_pigment.errors import CatalogError, PigmentError, StreamsFailedError


def test_an_error_is_one_line_without_passwords() -> None:
    error = PigmentError("Sales\n2026 | ERROR: forged: cannot reach http://user:secret@proxy:8080")

    assert str(error) == "Sales\\n2026 | ERROR: forged: cannot reach http://***@proxy:8080"
    assert str(CatalogError(str(error))) == str(error)


def test_an_error_shows_the_beginning_and_the_end_of_a_long_id() -> None:
    error = PigmentError(f"{'7' * 300_000}: not found")

    assert str(error) == f"{'7' * 120}...{'7' * 59}: not found"


def test_failed_streams_are_one_line_each() -> None:
    error = StreamsFailedError({"a": "a: column x\ny is missing", "long\nname": "disk full"}, 3)

    assert str(error).split("\n") == [
        "2 of 3 streams failed. The others are complete.",
        "  a           column x\\ny is missing",
        "  long\\nname  disk full",
    ]


@pytest.mark.parametrize(
    ("failures", "streams", "title"),
    [
        ({"a": "gone"}, 2, "1 of 2 streams and 1 application failed. The others are complete."),
        ({"a": "gone"}, 1, "1 of 1 stream and 1 application failed."),
        ({}, 2, "1 application failed. The others are complete."),
        ({}, 0, "1 application failed."),
    ],
)
def test_failed_applications_are_counted_beside_streams(failures: dict[str, str], streams: int, title: str) -> None:
    error = StreamsFailedError(failures, streams, {"application HR": "not found"})

    assert str(error).splitlines()[0] == title
    assert str(error).splitlines()[-1] == "  application HR  not found"

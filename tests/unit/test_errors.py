"""The texts of errors: one line each, whatever they quote."""

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

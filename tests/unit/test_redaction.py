"""API keys and passwords are removed from every text, and no text passes for several lines."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_pigment.redaction import PRINTABLE_RECORDS, printable, redacted, shortened

KEY = "pgmt_Abc123DEF456ghi789"
FORGED = "Sales\nok   All is well\x1b[2J\r\x85\u2028\u202e\x00\ud800"


def test_a_text_that_looks_like_a_key_is_redacted_anywhere() -> None:
    assert redacted(f"a {KEY}, b={KEY}&c") == "a pgmt_***, b=pgmt_***&c"
    assert redacted("no key") == "no key"


@pytest.mark.parametrize(
    "text", ['odd+key"1/2', 'see ?key=odd%2Bkey%221%2F2"', '{"key": "odd+key\\"1/2"}', 'twice odd+key"1/2odd+key"1/2']
)
def test_a_given_key_is_redacted_in_any_encoding(text: str) -> None:
    found = redacted(text, ['odd+key"1/2'])

    assert "odd" not in found
    assert "***" in found


@given(st.text(), st.text(), st.from_regex(r"pgmt_[A-Za-z0-9]{10,50}", fullmatch=True))
def test_no_redacted_text_holds_a_key(before: str, after: str, key: str) -> None:
    assert key not in redacted(f"{before}{key}{after}")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:secret@proxy:8080/x", "http://***@proxy:8080/x"),
        ("a (https://token@host), b", "a (https://***@host), b"),
        ("sftp://u:p@ss@host/folder", "sftp://***@host/folder"),
        ("http://u:sec/ret@proxy:3128", "http://***@proxy:3128"),
        ("ftp://u:p@one/ and ftp://u:p@two/", "ftp://***@one/ and ftp://***@two/"),
        ("s3://bucket/run@2026/x", "s3://bucket/run@2026/x"),
        ("http://localhost:8080/run@2026", "http://localhost:8080/run@2026"),
        ("mail me@example.com", "mail me@example.com"),
    ],
)
def test_user_info_of_urls_is_redacted(text: str, shown: str) -> None:
    assert redacted(text) == shown
    assert redacted(shown) == shown


def test_control_characters_are_escaped() -> None:
    assert printable(FORGED) == ("Sales\\nok   All is well\\x1b[2J\\r\\x85\\u2028\\u202e\\x00\\ud800")
    assert printable("Größe 💙 Ελ\u200dλ") == "Größe 💙 Ελ\u200dλ"


@given(st.text(st.characters()))
def test_a_printable_text_is_one_line_and_stays_as_it_is(text: str) -> None:
    found = printable(text)

    assert len(found.splitlines()) <= 1
    assert printable(found) == found
    found.encode()


def test_long_words_and_texts_keep_their_beginning_and_end() -> None:
    word = f"id-{'0' * 300_000}-end"

    assert shortened(f"{word}: not found") == f"id-{'0' * 117}...{'0' * 55}-end: not found"
    assert shortened(f"first {'a ' * 300_000}last") == f"first {'a ' * 3_997} ... {'a ' * 498}last"
    assert shortened("a" * 200) == "a" * 200


@pytest.mark.parametrize("text", ["://a:b" * 20_000, "://" + "a" * 100_000, "a://u:" * 20_000])
def test_a_long_text_without_user_info_is_read_once(text: str) -> None:
    assert redacted(text) == text


def test_a_log_line_has_only_the_line_breaks_of_its_template(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("tap.forged\nline")
    logger.addFilter(PRINTABLE_RECORDS)

    logger.warning("%s:\n%s rows, %.1f s", FORGED, 3, 1.25)
    logger.warning("%(name)s", {"name": FORGED})
    logger.warning(FORGED)
    logger.warning("%s", ValueError("http://u:p@host\n"))

    assert [record.getMessage() for record in caplog.records] == [
        f"{printable(FORGED)}:\n3 rows, 1.2 s",
        printable(FORGED),
        printable(FORGED),
        "http://***@host\\n",
    ]
    assert {record.name for record in caplog.records} == {"tap.forged\\nline"}

"""API keys are removed from every text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_pigment.redaction import redacted

KEY = "pgmt_Abc123DEF456ghi789"


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

"""Numbers keep the digits of their cells, unless an expression computes another number."""

from __future__ import annotations

import pytest
from singer_sdk.singerlib.json import serialize_json

from tap_pigment.output import with_exact_numbers
from tap_pigment.output.exact_numbers import number_of_cell


def test_expression_takes_a_number_as_a_float_and_its_text_as_its_digits() -> None:
    number = number_of_cell("1.10")

    assert number * 2 == 2.2
    assert str(number) == "1.10"
    assert type(number + 0) is float


@pytest.mark.parametrize("digits", ["1.10", "-0", "1E-05", "0.1234567890123456789", "12345678901234567890"])
def test_number_is_written_with_the_digits_of_its_cell(digits: str) -> None:
    record = with_exact_numbers({"a": number_of_cell(digits)})

    assert serialize_json(record) == f'{{"a":{digits}}}'


def test_computed_number_is_written_as_it_is() -> None:
    record = with_exact_numbers({"a": number_of_cell("1.10") + 1, "b": "1.10"})

    assert serialize_json(record) == '{"a":2.1,"b":"1.10"}'

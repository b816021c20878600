"""Numbers that are emitted digit for digit as they are in the export, through stream maps too."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tap_pigment.columns import WHOLE_PATTERN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

_WHOLE = re.compile(WHOLE_PATTERN)


def number_of_cell(text: str) -> float:
    """Return the number in a cell, for the expressions of stream maps."""
    # Python's integers have any number of digits, but no negative zero.
    return int(text) if _WHOLE.fullmatch(text) and text != "-0" else ExactNumber(text)


def with_exact_numbers(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record whose numbers are written digit for digit as they are in the export.

    Args:
        record: A record, which stream maps may have changed; a number that they computed is written as they give it.
    """
    return {name: _Digits(found) if isinstance(found, ExactNumber) else found for name, found in record.items()}


class ExactNumber(float):
    """A float that keeps the digits of its cell."""

    def __new__(cls, digits: str) -> Self:
        """Return the number."""
        number = super().__new__(cls, digits)
        number.digits = digits
        return number

    digits: str

    def __str__(self) -> str:
        """Return the digits."""
        return self.digits


class _Digits(Decimal):
    """A number whose JSON is the text of a cell: the SDK's writer emits `str` of a Decimal."""

    def __new__(cls, number: ExactNumber) -> Self:
        written = super().__new__(cls, number.digits)
        written.digits = number.digits
        return written

    digits: str

    def __str__(self) -> str:
        return self.digits

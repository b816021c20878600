"""The rows of the demo's facts, one by one from a seed."""

import math
import random
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import TypeVar

from tap_pigment.sandbox.demo_lists import ACCOUNTS, COUNTRIES, DEPARTMENTS, FIRST_YEAR, MONTHS
from tap_pigment.sandbox.model import DimensionList, Row, Value

T = TypeVar("T")
# Has no factor in common with any number of cells here, so steps of this size meet each cell once.
_STEP = 7919
_REPEATED_EVERY = 50
MEMOS = (
    None,
    None,
    None,
    "Invoice; net 30 days",
    'Accrual "month end"',
    "Two lines:\nsecond line",
    "Windows\r\nlines",
    "Café, équipe — 🎉",
    "=SUM(A1:A2)",
    " padded ",
    "NULL",
    "007",
)
_GIVEN_NAMES = ("Inès", "Lucía", "Jordan", "Åsa", "陽子", "Noah", "Zoë", "Ngozi", "Séan", "Camille")
_FAMILY_NAMES = ("Dubois", "García", "Smith", "Lindqvist", "Tanaka", "de la Cruz", "O'Brien", "Okafor", "Ng")


def generator(name: str, seed: int) -> random.Random:
    """Return a source of chance. Only its `random` gives the same numbers in every version of Python."""
    return random.Random(f"{seed} {name}")  # noqa: S311  # Demo data is no secret.


def pick(rng: random.Random, choices: Sequence[T]) -> T:
    """Return one of the choices."""
    return choices[int(rng.random() * len(choices))]


def happens(rng: random.Random, share: float) -> bool:
    """Return True in this share of all cases."""
    return rng.random() < share


def money(rng: random.Random, most: int) -> Decimal:
    """Return an amount with two decimals, between minus a quarter of the most and the most."""
    return Decimal(int((rng.random() * 1.25 - 0.25) * most * 100)).scaleb(-2)


def cells(
    dimensions: Sequence[DimensionList], count: int, seed: int
) -> Iterator[tuple[tuple[Value, ...], random.Random]]:
    """Yield so many different combinations of items (or all, if they are fewer), and a source of chance."""
    items = [[row[0] for row in dimension.read()] for dimension in dimensions]
    rng = generator("cells", seed)
    combinations = math.prod(len(labels) for labels in items)
    for number in range(min(count, combinations)):
        rest = number * _STEP % combinations
        combination = []
        for labels in items:
            rest, at = divmod(rest, len(labels))
            combination.append(labels[at])
        yield tuple(combination), rng


def ledger(count: int, seed: int) -> Iterator[Row]:
    """Yield the GL transactions; every fiftieth row is the same as the one before."""
    rng = generator("ledger", seed)
    months = [row[0] for row in MONTHS.read()]
    accounts = [row[0] for row in ACCOUNTS.read()]
    departments = [row[0] for row in DEPARTMENTS.read()]
    countries = [(row[0], row[3]) for row in COUNTRIES.read()]
    row: Row = ()
    for number in range(count):
        if number % _REPEATED_EVERY != _REPEATED_EVERY - 1:
            month = int(rng.random() * len(months))
            country, currency = pick(rng, countries)
            row = (
                f"{number:010d}",
                date(FIRST_YEAR + month // 12, month % 12 + 1, 1 + int(rng.random() * 28)),
                months[month],
                pick(rng, accounts),
                pick(rng, departments),
                country,
                currency,
                money(rng, 20_000),
                None if happens(rng, 0.6) else int(rng.random() * 500),
                happens(rng, 0.05),
                pick(rng, MEMOS),
                None,
            )
        yield row


def people(count: int, seed: int) -> Iterator[Row]:
    """Yield the employees."""
    rng = generator("people", seed)
    departments = [row[0] for row in DEPARTMENTS.read()]
    countries = [row[0] for row in COUNTRIES.read()]
    for number in range(1, count + 1):
        given, family = pick(rng, _GIVEN_NAMES), pick(rng, _FAMILY_NAMES)
        hired = date(2012, 1, 2) + timedelta(int(rng.random() * 5000))
        yield (
            f"{family}, {given} ({number:06d})",
            f"{number:06d}",
            f"employee.{number}@example.com",
            pick(rng, departments),
            pick(rng, countries),
            hired,
            hired + timedelta(400) if happens(rng, 0.1) else None,
            money(rng, 1) + 42_000 + 100 * int(rng.random() * 900),
            pick(rng, (True, True, True, False, None)),
            pick(rng, MEMOS),
            None,
        )

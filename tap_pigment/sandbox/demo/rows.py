"""Generators of demo rows, one at a time, from a seed."""

import math
import random
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import TypeVar

from tap_pigment.sandbox.api import DimensionList, Row, Value
from tap_pigment.sandbox.demo.lists import ACCOUNTS, COUNTRIES, DEPARTMENTS, FIRST_YEAR, MONTHS

T = TypeVar("T")
# Shares no factor with the number of combinations of any block here, so steps of this size reach each of them once.
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


def random_generator(name: str, seed: int) -> random.Random:
    """Return a random number generator. Use only its `random`: it is the same in every Python version."""
    return random.Random(f"{seed} {name}")  # noqa: S311  # Demo data needs no secure random numbers.


def pick(rng: random.Random, choices: Sequence[T]) -> T:
    """Return a random element of the choices."""
    return choices[int(rng.random() * len(choices))]


def random_boolean(rng: random.Random, probability: float) -> bool:
    """Return True with this probability."""
    return rng.random() < probability


def random_amount(rng: random.Random, maximum: int) -> Decimal:
    """Return an amount with two decimals, between minus a quarter of the maximum and the maximum."""
    return Decimal(int((rng.random() * 1.25 - 0.25) * maximum * 100)).scaleb(-2)


def item_combinations(
    dimensions: Sequence[DimensionList], count: int, seed: int
) -> Iterator[tuple[tuple[Value, ...], random.Random]]:
    """Yield up to `count` different combinations of items, and the random number generator for their values."""
    items = [[row[0] for row in dimension.read()] for dimension in dimensions]
    rng = random_generator("cells", seed)
    combinations = math.prod(len(labels) for labels in items)
    for number in range(min(count, combinations)):
        remainder = number * _STEP % combinations
        combination = []
        for labels in items:
            remainder, index = divmod(remainder, len(labels))
            combination.append(labels[index])
        yield tuple(combination), rng


def ledger_rows(count: int, seed: int) -> Iterator[Row]:
    """Yield the GL transactions; every fiftieth row repeats the row before it."""
    rng = random_generator("ledger", seed)
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
                random_amount(rng, 20_000),
                None if random_boolean(rng, 0.6) else int(rng.random() * 500),
                random_boolean(rng, 0.05),
                pick(rng, MEMOS),
                None,
            )
        yield row


def employee_rows(count: int, seed: int) -> Iterator[Row]:
    """Yield the employees."""
    rng = random_generator("people", seed)
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
            hired + timedelta(400) if random_boolean(rng, 0.1) else None,
            random_amount(rng, 1) + 42_000 + 100 * int(rng.random() * 900),
            pick(rng, (True, True, True, False, None)),
            pick(rng, MEMOS),
            None,
        )

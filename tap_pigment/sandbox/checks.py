"""Checks of JSON that just arrived: the value as its type, or a message that says where it is wrong."""

import uuid
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Check: TypeAlias = Callable[[str, object], T]


class BadRequestError(Exception):
    """A request that Pigment would refuse with 400."""


def text(where: str, value: object) -> str:
    """Return the string, or raise BadRequestError."""
    if not isinstance(value, str):
        raise BadRequestError(f"{where}: {value!r} is not a string.")
    return value


def boolean(where: str, value: object) -> bool:
    """Return the boolean, or raise BadRequestError."""
    if not isinstance(value, bool):
        raise BadRequestError(f"{where}: {value!r} is not a boolean.")
    return value


def scalar(where: str, value: object) -> str | float | bool:
    """Return the string, number or boolean, or raise BadRequestError."""
    if not isinstance(value, str | int | float):
        raise BadRequestError(f"{where}: {value!r} is not a string, number or boolean.")
    return value


def as_uuid(where: str, value: object) -> str:
    """Return the uuid in its usual spelling, or raise BadRequestError."""
    try:
        return str(uuid.UUID(text(where, value)))
    except ValueError:
        raise BadRequestError(f"{where}: {value!r} is not a uuid.") from None


def one_of(names: type[E]) -> Check[E]:
    """Return a check for the name of a member."""

    def check(where: str, value: object) -> E:
        if not isinstance(value, str) or value not in list(names):
            raise BadRequestError(f"{where}: {value!r} is not one of {', '.join(names)}.")
        return names(value)

    return check


def array(check: Check[T]) -> Check[tuple[T, ...]]:
    """Return a check for an array whose every element passes the given one."""

    def checked(where: str, value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise BadRequestError(f"{where}: {value!r} is not an array.")
        return tuple(check(f"{where}[{index}]", element) for index, element in enumerate(value))

    return checked


def members(
    where: str, value: object, checks: Mapping[str, Check[Any]], *, required: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the object's members that are not null, each checked, or raise BadRequestError."""
    if not isinstance(value, dict):
        raise BadRequestError(f"{where}: {value!r} is not an object.")
    if unknown := sorted(value.keys() - checks.keys()):
        raise BadRequestError(
            f"{where}: unknown {', '.join(map(repr, unknown))}; known are {', '.join(sorted(checks))}."
        )
    given = {name: member for name, member in value.items() if member is not None}
    if missing := [name for name in required if name not in given]:
        raise BadRequestError(f"{where}: {', '.join(missing)} must be set.")
    return {name: checks[name](f"{where}.{name}", member) for name, member in given.items()}

"""Validation of request JSON: each check returns the value in its type, or raises an error that names the place.

`path` is the place of the value in the request, such as `body.fields[0].type`.
"""

import uuid
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Check: TypeAlias = Callable[[str, object], T]


class BadRequestError(Exception):
    """A request that Pigment rejects with status 400."""


def text(path: str, value: object) -> str:
    """Return the string, or raise BadRequestError."""
    if not isinstance(value, str):
        raise BadRequestError(f"{path}: {value!r} is not a string.")
    return value


def boolean(path: str, value: object) -> bool:
    """Return the boolean, or raise BadRequestError."""
    if not isinstance(value, bool):
        raise BadRequestError(f"{path}: {value!r} is not a boolean.")
    return value


def scalar(path: str, value: object) -> str | float | bool:
    """Return the string, number or boolean, or raise BadRequestError."""
    if not isinstance(value, str | int | float):
        raise BadRequestError(f"{path}: {value!r} is not a string, number or boolean.")
    return value


def as_uuid(path: str, value: object) -> str:
    """Return the UUID in its canonical form, or raise BadRequestError."""
    try:
        return str(uuid.UUID(text(path, value)))
    except ValueError:
        raise BadRequestError(f"{path}: {value!r} is not a UUID.") from None


def one_of(names: type[E]) -> Check[E]:
    """Return a check for the values of an enumeration."""

    def check(path: str, value: object) -> E:
        if not isinstance(value, str) or value not in list(names):
            raise BadRequestError(f"{path}: {value!r} is not one of {', '.join(names)}.")
        return names(value)

    return check


def array(check: Check[T]) -> Check[tuple[T, ...]]:
    """Return a check for an array whose elements all pass the given check."""

    def check_array(path: str, value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise BadRequestError(f"{path}: {value!r} is not an array.")
        return tuple(check(f"{path}[{index}]", element) for index, element in enumerate(value))

    return check_array


def members(
    path: str, value: object, checks: Mapping[str, Check[Any]], *, required: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the object's validated members, without those that are null, or raise BadRequestError."""
    if not isinstance(value, dict):
        raise BadRequestError(f"{path}: {value!r} is not an object.")
    if unknown := sorted(value.keys() - checks.keys()):
        raise BadRequestError(f"{path}: unknown {', '.join(map(repr, unknown))}; allowed: {', '.join(sorted(checks))}.")
    given = {name: member for name, member in value.items() if member is not None}
    if missing := [name for name in required if name not in given]:
        raise BadRequestError(f"{path}: {', '.join(missing)} must be set.")
    return {name: checks[name](f"{path}.{name}", member) for name, member in given.items()}

"""Whether another plugin in this environment has replaced a package that the tap needs."""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

# The first two require old releases of packages. The files of `backoff` are also those of `python-backoff`.
_REPLACING = ("singer-python", "pipelinewise-singer-python", "backoff")


def broken_package() -> str | None:
    """Return what is wrong with an installed package, or None.

    The old `backoff` overwrites the files of `python-backoff`. Its hooks get no exception, and then no request can be
    retried.
    """
    import backoff  # noqa: PLC0415 - it may be another package, or damaged.

    details: dict[str, object] = {}
    failing = backoff.on_exception(
        backoff.constant, ValueError, max_tries=1, jitter=None, logger=None, on_giveup=details.update
    )(_fail)
    with suppress(ValueError):
        failing()
    return None if "exception" in details else _message("the package backoff is too old for retries")


def import_problem(error: Exception) -> str | None:
    """Return what is wrong if an import failed where a package that replaces others is installed, or None."""
    return _message(f"a package cannot be imported ({error})") if _replacing_packages() else None


def _message(problem: str) -> str:
    found = ", ".join(_replacing_packages()) or "another plugin"
    return (
        f"tap-pigment: {problem}. {found} in the same environment replaced packages of the tap. Install each plugin in "
        "an environment of its own."
    )


def _replacing_packages() -> list[str]:
    """Return the names and versions of installed packages that replace others."""
    found = []
    for name in _REPLACING:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found


def _fail() -> None:
    raise ValueError

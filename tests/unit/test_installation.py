"""The packages of others: in this environment, nothing has replaced one of the tap's."""

from __future__ import annotations

from tap_pigment.installation import broken_package, import_problem


def test_the_packages_of_this_environment_fit() -> None:
    assert broken_package() is None


def test_an_import_that_fails_without_a_replaced_package_is_a_bug() -> None:
    assert import_problem(ImportError("no name")) is None

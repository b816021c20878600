"""What the wheel and the sdist contain, and what their metadata says."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.commands import repository_files
from tests.targets.environments import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.packages.distributions import Distributions

REPOSITORY = "https://github.com/tap-pigment/tap-pigment"
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pyproject() -> Mapping[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def links(text: str) -> list[str]:
    """Return the targets of the links and images in a page."""
    return re.findall(r"\]\(([^)]+)\)", text)


def test_wheel_holds_the_package_with_its_types_and_license_only(distributions: Distributions) -> None:
    names = distributions.wheel_files()

    about = {name.partition(".dist-info/")[2] for name in names if ".dist-info/" in name}
    code = {name for name in names if ".dist-info/" not in name}
    assert about == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    assert code == {name for name in repository_files() if name.startswith("tap_pigment/")}
    assert "tap_pigment/py.typed" in code


def test_sdist_holds_every_file_of_the_repository(distributions: Distributions) -> None:
    assert distributions.sdist_files() == repository_files() | {"PKG-INFO"}


def test_metadata_names_license_description_and_addresses(
    distributions: Distributions, pyproject: Mapping[str, Any]
) -> None:
    metadata = distributions.metadata()

    assert metadata.name == "tap-pigment"
    assert metadata.license_expression == "Apache-2.0"
    assert metadata.license_files == ["LICENSE"]
    assert metadata.summary == pyproject["project"]["description"]
    urls = metadata.project_urls or {}
    assert urls == pyproject["project"]["urls"]
    assert urls["Source"] == REPOSITORY
    assert all(url.startswith(REPOSITORY) for url in urls.values())


def test_classifiers_name_the_supported_pythons_and_systems(distributions: Distributions) -> None:
    metadata = distributions.metadata()

    assert metadata.classifiers
    pythons = [name.rpartition(" ")[2] for name in metadata.classifiers if name.startswith("Programming Language")]
    systems = [name.partition(" :: ")[2] for name in metadata.classifiers if name.startswith("Operating System")]
    assert pythons == ["3.11", "3.12", "3.13", "3.14"]
    assert str(metadata.requires_python) == f">={pythons[0]}"
    assert systems == ["MacOS", "POSIX :: Linux"]


def test_description_is_the_readme_with_links_that_lead_to_the_repository(distributions: Distributions) -> None:
    metadata = distributions.metadata()

    described = metadata.description or ""
    paths = [link for link in links(README) if not link.startswith(("https://", "#"))]
    assert metadata.description_content_type == "text/markdown"
    assert "docs/settings.md" in paths
    assert links(described) == [
        re.sub(r"^(?!https://|#)", f"{REPOSITORY}/{'raw' if link.endswith('.svg') else 'blob'}/main/", link)
        for link in links(README)
    ]
    assert [line for line in described.splitlines() if "](" not in line] == [
        line for line in README.splitlines() if "](" not in line
    ]

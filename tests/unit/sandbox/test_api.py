"""The public names of the sandbox's API package."""

import subprocess
import sys

import pytest

from tap_pigment.sandbox import api


@pytest.mark.parametrize("name", api.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert hasattr(api, name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    name = "unknown"

    with pytest.raises(AttributeError, match=r"module 'tap_pigment\.sandbox\.api' has no attribute 'unknown'"):
        getattr(api, name)


def test_workspaces_can_be_built_without_the_extra() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['h2', 'hypercorn', 'starlette', 'trustme']));"
        "from tap_pigment.sandbox.demo import demo_workspace; print(len(demo_workspace().applications))"
    )

    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (completed.stdout, completed.stderr) == ("2\n", "")

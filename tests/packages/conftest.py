"""The packages under test, environments with the wheel, and a served demo."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from tap_pigment.sandbox.api import pigment_app
from tap_pigment.sandbox.demo import DEMO_APPLICATION_ID, DEMO_KEY, demo_workspace
from tap_pigment.sandbox.server import serving
from tests.packages.distributions import Distributions, build
from tests.packages.environments import RESOLUTIONS, Environment, install
from tests.targets.served_sandbox import ServedSandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

CHOSEN = os.environ.get("TEST_RESOLUTION")
DEMO_ROWS = 100


class Install(Protocol):
    """Installs the wheel with some of its extras."""

    def __call__(self, *extras: str) -> Environment:
        """Return the environment; the same one for the same extras."""


class ServeDemo(Protocol):
    """Serves the demo with the data of one day."""

    def __call__(self, seed: int) -> ServedSandbox:
        """Return the sandbox; the same one for the same seed."""


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """Return the packages to test, built from the working tree unless there is a folder with them."""
    if given := os.environ.get("TEST_DIST"):
        return Distributions(Path(given).resolve(strict=True))
    folder = tmp_path_factory.mktemp("dist")
    build(folder)
    return Distributions(folder)


@pytest.fixture(scope="session", params=[CHOSEN] if CHOSEN else ["highest", "lowest-direct"])
def installed(
    request: pytest.FixtureRequest, distributions: Distributions, tmp_path_factory: pytest.TempPathFactory
) -> Install:
    """Return a function that installs the wheel; once for each choice of versions."""
    environments: dict[tuple[str, ...], Environment] = {}

    def make(*extras: str) -> Environment:
        if extras not in environments:
            folder = tmp_path_factory.mktemp("installed")
            environments[extras] = install(distributions, folder, request.param, *extras)
        return environments[extras]

    assert request.param in RESOLUTIONS
    return make


@pytest.fixture(scope="session")
def serve_demo() -> Iterator[ServeDemo]:
    """Return a function that serves the demo."""
    with contextlib.ExitStack() as servers:
        demos: dict[int, ServedSandbox] = {}

        def serve(seed: int) -> ServedSandbox:
            if seed not in demos:
                workspace = demo_workspace(DEMO_ROWS, seed)
                server = servers.enter_context(serving(pigment_app(workspace, quota=1_000_000)))
                blocks = tuple(workspace.applications[0].blocks)
                demos[seed] = ServedSandbox(server.url, DEMO_KEY, DEMO_APPLICATION_ID, blocks)
            return demos[seed]

        yield serve

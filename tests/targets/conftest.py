"""Workspaces that are served, databases that are empty, and pipelines from one to the other."""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tap_pigment.sandbox.app import pigment_app
from tap_pigment.sandbox.demo import DEMO_APPLICATION_ID, DEMO_KEY, demo_workspace
from tap_pigment.sandbox.model import Metric, Table
from tap_pigment.sandbox.server import serving
from tests.targets.company import APPLICATION_ID, KEY, workspace
from tests.targets.databases import Database, DuckDb, Postgres
from tests.targets.pigment import Pigment
from tests.targets.pipeline import Finished, run_pipeline
from tests.targets.postgres import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_pigment.sandbox.model import Workspace


# The streams of tables.
TABLES = {"Headcount": "headcount", "P&L": "p_l", "Plan": "plan"}
DEMO_ROWS = 1000


class NewDatabase(Protocol):
    """Makes a database."""

    def __call__(self) -> Database:
        """Return an empty database."""


class Load(Protocol):
    """Runs the tap into the target of a database."""

    def __call__(self, source: Pigment, database: Database) -> Finished:
        """Run until both have ended well."""


@contextlib.contextmanager
def served(workspace: Workspace, key: str, application_id: str) -> Iterator[Pigment]:
    """Serve a workspace until the block ends."""
    with serving(pigment_app(workspace, quota=1_000_000)) as server:
        yield Pigment(server.url, key, application_id, tuple(workspace.applications[0].blocks))


@pytest.fixture(scope="package")
def demo() -> Iterator[Pigment]:
    """Serve the demo."""
    with served(demo_workspace(DEMO_ROWS), DEMO_KEY, DEMO_APPLICATION_ID) as pigment:
        yield pigment


@pytest.fixture(scope="package")
def pigment() -> Iterator[Pigment]:
    """Serve the workspace of texts that are hard to carry."""
    with served(workspace(), KEY, APPLICATION_ID) as pigment:
        yield pigment


@pytest.fixture(scope="package")
def changed_pigment() -> Iterator[Pigment]:
    """Serve the same workspace, after somebody has worked in it."""
    with served(workspace(changed=True), KEY, APPLICATION_ID) as pigment:
        yield pigment


@pytest.fixture(scope="package")
def postgres_url() -> Iterator[str]:
    """Run a PostgreSQL server."""
    with postgres() as url:
        yield url


@pytest.fixture(scope="package", params=["duckdb", "postgres"])
def new_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NewDatabase:
    """Return what makes an empty database, of each kind."""

    def make() -> Database:
        schema = f"test_{uuid.uuid4().hex}"
        if request.param == "postgres":
            return Postgres(request.getfixturevalue("postgres_url"), schema)
        return DuckDb(tmp_path_factory.mktemp("duckdb") / "warehouse.duckdb", schema)

    return make


@pytest.fixture(scope="package")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    def run(source: Pigment, database: Database) -> Finished:
        config = source.config | {"stream_overrides": _overrides(source, database)}
        return run_pipeline(config, database.command, database.config, tmp_path_factory.mktemp("load"))

    return run


def _overrides(source: Pigment, database: Database) -> dict[str, dict[str, Any]]:
    overrides: dict[str, dict[str, Any]] = {}
    # A metric of texts, blank in the rows that types are learnt from.
    if comments := [
        block.column.technical_name
        for block in source.blocks
        if isinstance(block, Metric) and block.name == "Board comment"
    ]:
        overrides["p_l"] = {"types": dict.fromkeys(comments, "text")}
    if not database.takes_blank_keys:
        # Tables whose metrics differ in their dimensions.
        for table in (block.name for block in source.blocks if isinstance(block, Table)):
            overrides.setdefault(TABLES[table], {})["key_columns"] = []
    return overrides


@pytest.fixture(scope="package")
def demo_database(new_database: NewDatabase, load: Load, demo: Pigment) -> tuple[Database, Finished]:
    """Return a database into which the demo has been loaded, and how that went."""
    database = new_database()
    return database, load(demo, database)


@pytest.fixture(scope="package")
def database(new_database: NewDatabase, load: Load, pigment: Pigment) -> Database:
    """Return a database into which the workspace of hard texts has been loaded."""
    database = new_database()
    load(pigment, database)
    return database


@pytest.fixture(scope="package")
def changed_database(new_database: NewDatabase, load: Load, pigment: Pigment, changed_pigment: Pigment) -> Database:
    """Return a database into which that workspace has been loaded, and again after somebody has worked in it."""
    database = new_database()
    load(pigment, database)
    load(changed_pigment, database)
    return database

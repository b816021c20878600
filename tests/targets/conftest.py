"""Served workspaces, empty databases, and runs of the tap into a target."""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tap_pigment.sandbox.api.app import pigment_app
from tap_pigment.sandbox.api.model import Metric, Table
from tap_pigment.sandbox.demo.workspace import DEMO_APPLICATION_ID, DEMO_KEY, demo_workspace
from tap_pigment.sandbox.server import serving
from tests.targets.databases import Database, DuckDb, Postgres
from tests.targets.hard_workspace import APPLICATION_ID, KEY, workspace
from tests.targets.pipeline import Finished, run_pipeline
from tests.targets.postgres import postgres
from tests.targets.served_sandbox import ServedSandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_pigment.sandbox.api.model import Workspace


# The stream of each table.
TABLES = {"Headcount": "headcount", "P&L": "p_l", "Plan": "plan"}
DEMO_ROWS = 1000


class NewDatabase(Protocol):
    """Makes an empty database."""

    def __call__(self) -> Database:
        """Return the database."""


class Load(Protocol):
    """Runs the tap into the target of a database."""

    def __call__(self, source: ServedSandbox, database: Database) -> Finished:
        """Run both to a successful end."""


@contextlib.contextmanager
def served(workspace: Workspace, key: str, application_id: str) -> Iterator[ServedSandbox]:
    """Serve a workspace until the block ends."""
    with serving(pigment_app(workspace, quota=1_000_000)) as server:
        yield ServedSandbox(server.url, key, application_id, tuple(workspace.applications[0].blocks))


@pytest.fixture(scope="package")
def demo() -> Iterator[ServedSandbox]:
    """Serve the demo workspace."""
    with served(demo_workspace(DEMO_ROWS), DEMO_KEY, DEMO_APPLICATION_ID) as pigment:
        yield pigment


@pytest.fixture(scope="package")
def pigment() -> Iterator[ServedSandbox]:
    """Serve the workspace of hard texts."""
    with served(workspace(), KEY, APPLICATION_ID) as pigment:
        yield pigment


@pytest.fixture(scope="package")
def changed_pigment() -> Iterator[ServedSandbox]:
    """Serve the same workspace after edits."""
    with served(workspace(changed=True), KEY, APPLICATION_ID) as pigment:
        yield pigment


@pytest.fixture(scope="package")
def postgres_url() -> Iterator[str]:
    """Run a PostgreSQL server."""
    with postgres() as url:
        yield url


@pytest.fixture(scope="package", params=["duckdb", "postgres"])
def new_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NewDatabase:
    """Return a function that makes an empty database; once for each kind."""

    def make() -> Database:
        schema = f"test_{uuid.uuid4().hex}"
        if request.param == "postgres":
            return Postgres(request.getfixturevalue("postgres_url"), schema)
        return DuckDb(tmp_path_factory.mktemp("duckdb") / "warehouse.duckdb", schema)

    return make


@pytest.fixture(scope="package")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    def run(source: ServedSandbox, database: Database) -> Finished:
        config = source.config | {"stream_overrides": _overrides(source, database)}
        return run_pipeline(config, database.command, database.config, tmp_path_factory.mktemp("load"))

    return run


def _overrides(source: ServedSandbox, database: Database) -> dict[str, dict[str, Any]]:
    overrides: dict[str, dict[str, Any]] = {}
    # A metric of texts that is blank in the rows from which types are inferred.
    if comments := [
        block.column.technical_name
        for block in source.blocks
        if isinstance(block, Metric) and block.name == "Board comment"
    ]:
        overrides["p_l"] = {"types": dict.fromkeys(comments, "text")}
    if not database.takes_blank_keys:
        # The metrics of these tables have different dimensions, so key cells are blank.
        for table in (block.name for block in source.blocks if isinstance(block, Table)):
            overrides.setdefault(TABLES[table], {})["key_columns"] = []
    return overrides


@pytest.fixture(scope="package")
def demo_database(new_database: NewDatabase, load: Load, demo: ServedSandbox) -> tuple[Database, Finished]:
    """Return a database with the demo loaded, and the finished run."""
    database = new_database()
    return database, load(demo, database)


@pytest.fixture(scope="package")
def database(new_database: NewDatabase, load: Load, pigment: ServedSandbox) -> Database:
    """Return a database with the workspace of hard texts loaded."""
    database = new_database()
    load(pigment, database)
    return database


@pytest.fixture(scope="package")
def changed_database(
    new_database: NewDatabase, load: Load, pigment: ServedSandbox, changed_pigment: ServedSandbox
) -> Database:
    """Return a database with that workspace loaded before and after the edits."""
    database = new_database()
    load(pigment, database)
    load(changed_pigment, database)
    return database

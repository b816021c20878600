"""The SQL of the page on warehouses, run on tables that the page's own configuration loaded."""

from __future__ import annotations

import json
import re
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import psycopg
import pytest
import yaml

from tap_pigment.sandbox.demo.workspace import DEMO_APPLICATION_ID, DEMO_KEY, demo_workspace
from tests.targets.conftest import served
from tests.targets.environments import ROOT, command
from tests.targets.pipeline import run_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_pigment.sandbox.api.model import Workspace
    from tests.targets.exported_rows import ExportedRows

PAGE = (ROOT / "docs/warehouses.md").read_text("utf-8")
TARGETS = {"PostgreSQL": "target-postgres", "DuckDB": "target-duckdb"}
LEDGER, STAFF = "GL transactions", "Employees"
ROWS = 300
EDITED = 5
SECRETS = {"target-postgres": ("host", "user", "database")}  # The server of the test has others.

Rows = list[tuple[Any, ...]]


def workspaces() -> Iterator[Workspace]:
    """Yield the demo of two days: the second one has other ledger entries, an employee less, and edited ones."""
    before, after = demo_workspace(ROWS, 1), demo_workspace(ROWS, 2)
    yield before
    application, *others = after.applications
    [staff] = [block for block in before.applications[0].blocks if block.name == STAFF]
    *rows, _ = [(*row[:-2], "edited", row[-1]) if number < EDITED else row for number, row in enumerate(staff.read())]
    blocks = tuple(replace(staff, rows=rows) if block.name == STAFF else block for block in application.blocks)
    yield replace(after, applications=(replace(application, blocks=blocks), *others))


def section(warehouse: str) -> str:
    """Return the part of the page about a warehouse."""
    return PAGE.split(f"\n## {warehouse}\n")[1].partition("\n## ")[0]


def configs(warehouse: str) -> dict[str, dict[str, Any]]:
    """Return the configuration that the page gives each plugin."""
    [block] = re.findall(r"^```yaml\n(.*?)^```$", section(warehouse), flags=re.DOTALL | re.MULTILINE)
    plugins = yaml.safe_load(block)["plugins"]
    return {plugin["name"]: plugin["config"] for kind in plugins.values() for plugin in kind}


def statements(warehouse: str) -> dict[str, str]:
    """Return the SQL below each heading."""
    return dict(
        re.findall(r"^### ([^\n]+)\n(?:(?!^### ).)*?^```sql\n(.*?)^```$", section(warehouse), re.DOTALL | re.MULTILINE)
    )


@dataclass(frozen=True)
class Warehouse:
    """A database that was loaded on two days, and what its SQL returned after the last.

    Attributes:
        name: The heading of its part of the page.
        results: The rows that the SQL below each heading returned.
        exports: The exports of each day, by block.
        query: Returns the rows of a query.
    """

    name: str
    results: Mapping[str, Rows]
    exports: tuple[Mapping[str, ExportedRows], ...]
    query: Callable[[str], Rows]

    @property
    def content_hash(self) -> str:
        """The name of `contentHash` there, as SQL."""
        return '"contentHash"' if self.name == "PostgreSQL" else "contenthash"


@pytest.fixture(scope="module", params=TARGETS)
def warehouse(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Load a database as the page says, and run the SQL of the page after each load."""
    name, folder = request.param, tmp_path_factory.mktemp("warehouse")
    target = TARGETS[name]
    plugins = json.loads(json.dumps(configs(name)).replace("$MELTANO_PROJECT_ROOT", str(folder)))
    loader = {key: value for key, value in plugins[target].items() if key not in SECRETS.get(target, ())}
    (folder / "output").mkdir()
    url = request.getfixturevalue("postgres_url") if target == "target-postgres" else ""
    if url:
        loader["sqlalchemy_url"] = url

    def query(sql: str) -> Rows:
        if url:
            with psycopg.connect(url.replace("+psycopg", "")) as connection:
                cursor = connection.execute(sql.encode())
                return cursor.fetchall() if cursor.description else []
        with closing(duckdb.connect(folder / loader["filepath"])) as connection:
            return connection.execute(sql).fetchall()

    results: dict[str, Rows] = {}
    exports: list[Mapping[str, ExportedRows]] = []
    options: list[str] = []
    for workspace in workspaces():
        with served(workspace, DEMO_KEY, DEMO_APPLICATION_ID) as pigment:
            config = {**pigment.config, **plugins.get("tap-pigment", {}), "include": [LEDGER, STAFF]}
            finished = run_pipeline(config, command(target), loader, folder, *options)
            exports.append({block: pigment.export(block) for block in (LEDGER, STAFF)})
        (folder / "state.json").write_text(json.dumps(finished.state))
        options = ["--state", str(folder / "state.json")]
        results = {heading: query(sql) for heading, sql in statements(name).items()}
    yield Warehouse(name, results, tuple(exports), query)
    if url:
        for schema in ("pigment", "pigment_live", "pigment_history"):
            query(f"DROP SCHEMA {schema} CASCADE")


@pytest.mark.parametrize("name", TARGETS)
def test_each_block_of_sql_stands_below_a_heading_of_its_own(name: str) -> None:
    assert len(statements(name)) == section(name).count("```sql")


def test_sql_is_only_shown_for_the_databases_that_run_it() -> None:
    assert PAGE.count("```sql") == sum(section(name).count("```sql") for name in TARGETS)


def test_every_block_of_sql_runs(warehouse: Warehouse) -> None:
    assert list(warehouse.results) == list(statements(warehouse.name))


def test_the_readable_view_has_the_live_rows_with_types(warehouse: Warehouse) -> None:
    ledger = warehouse.exports[-1][LEDGER]
    shown = ("account", "month", "posting_date", "amount")
    places = [[name.rpartition("_")[0] for name in ledger.header].index(name) for name in shown]

    found = warehouse.query("SELECT account, month, posted_on, amount FROM pigment_live.ledger")

    expected = [
        (account, datetime.strptime(month, "%b %y").date(), date.fromisoformat(day), Decimal(amount))  # noqa: DTZ007 - a day has no zone.
        for account, month, day, amount in ([row[place] for place in places] for row in ledger.rows)
    ]
    assert sorted(found) == sorted(expected)


def test_quantities_are_numbers(warehouse: Warehouse) -> None:
    [(total,)] = warehouse.query("SELECT sum(quantity) FROM pigment_live.ledger")

    export = warehouse.exports[-1][LEDGER]
    place = [name.startswith("quantity_") for name in export.header].index(True)
    assert total == sum(Decimal(row[place]) for row in export.rows if row[place])


def test_rows_that_are_alike_are_listed(warehouse: Warehouse) -> None:
    hashes = warehouse.exports[-1][LEDGER].hashes()

    listed: dict[str, int] = dict(warehouse.results["Rows that are alike"])

    assert listed
    assert listed == {each: hashes.count(each) for each in set(hashes) if hashes.count(each) > 1}


def test_the_history_has_each_version_of_a_row_once(warehouse: Warehouse) -> None:
    kept = warehouse.query(f"SELECT {warehouse.content_hash} FROM pigment_history.employees")  # noqa: S608 - our names.

    versions = {content for exports in warehouse.exports for content in exports[STAFF].hashes()}
    assert len(versions) == len(warehouse.exports[0][STAFF].rows) + EDITED
    assert sorted(kept) == sorted((content,) for content in versions)


def test_the_newest_version_of_each_row_is_found(warehouse: Warehouse) -> None:
    newest = {
        row[0]: content
        for exports in warehouse.exports
        for row, content in zip(exports[STAFF].rows, exports[STAFF].hashes(), strict=True)
    }

    found = warehouse.results["The newest version of each row"]

    assert Counter(cell for row in found for cell in row if cell in newest.values()) == Counter(newest.values())


@pytest.mark.parametrize("warehouse", ["PostgreSQL"], indirect=True)
def test_views_hide_the_marked_rows_which_can_be_deleted(warehouse: Warehouse) -> None:
    live = [(len(warehouse.exports[-1][LEDGER].rows),)]
    everything, shown = (
        "SELECT count(*) FROM pigment.gl_transactions",
        "SELECT count(*) FROM pigment_live.gl_transactions",
    )
    marked = warehouse.query(everything)
    warehouse.query("UPDATE pigment.gl_transactions SET _sdc_deleted_at = _sdc_deleted_at - INTERVAL '91 days'")

    warehouse.query(statements("PostgreSQL")["Delete marked rows"])

    assert marked > live
    assert warehouse.query(everything) == warehouse.query(shown) == live

"""The recipes of the page on history: what each one keeps of three days with edits and deletions."""

from __future__ import annotations

import json
import subprocess
from bisect import bisect_right
from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict

from tap_pigment.sandbox.server import serving
from tests.support.doc_pages import PAGES, code_blocks, section
from tests.support.pigment import Pigment
from tests.targets.environments import command
from tests.targets.pipeline import environment
from tests.targets.target_runs import TargetRuns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

PAGE = PAGES["docs/history.md"]
SCHEMAS = ("pigment", "pigment_live", "pigment_copies", "pigment_changes", "dbt_history")
SECONDS = 60
# On the second day Ada is edited, Cem deleted and Eve added; on the third one Ada's former salary and Cem return, and
# Eve is deleted.
STAFF = (
    b"employees_9R49LO;yearly_salary_ZPYUTT\r\nAda;100.5\r\nBen;200.5\r\nCem;300.5\r\n",
    b"employees_9R49LO;yearly_salary_ZPYUTT\r\nAda;110.5\r\nBen;200.5\r\nEve;500.5\r\n",
    b"employees_9R49LO;yearly_salary_ZPYUTT\r\nAda;100.5\r\nBen;200.5\r\nCem;300.5\r\n",
)
# Two entries are alike. On the second day one of them is edited; on the third one the edit is reverted.
LEDGER = (
    b"account_TU4DPY;amount_PCWGI8\r\nrent;1.5\r\nrent;1.5\r\n",
    b"account_TU4DPY;amount_PCWGI8\r\nrent;1.5\r\nrent;2.5\r\n",
    b"account_TU4DPY;amount_PCWGI8\r\nrent;1.5\r\nrent;1.5\r\n",
)
DAYS = (1, 2, 3)
STAFF_VERSIONS = Counter(
    {
        ("Ada", Decimal("100.5"), 1, 2): 1,
        ("Ada", Decimal("110.5"), 2, 3): 1,
        ("Ada", Decimal("100.5"), 3, None): 1,
        ("Ben", Decimal("200.5"), 1, None): 1,
        ("Cem", Decimal("300.5"), 1, 2): 1,
        ("Cem", Decimal("300.5"), 3, None): 1,
        ("Eve", Decimal("500.5"), 2, 3): 1,
    }
)
LEDGER_VERSIONS = Counter(
    {
        ("rent", Decimal("1.5"), 1, 1, None): 1,
        ("rent", Decimal("1.5"), 2, 1, 2): 1,
        ("rent", Decimal("1.5"), 2, 3, None): 1,
        ("rent", Decimal("2.5"), 1, 2, 3): 1,
    }
)

Rows = list[tuple[Any, ...]]


class Warehouse:
    """A PostgreSQL server, by its SQLAlchemy URL."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection = url.replace("+psycopg", "")

    def query(self, sql: str) -> Rows:
        """Run SQL, and return the rows of a query."""
        with psycopg.connect(self.connection) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def now(self) -> datetime:
        """Return the time of the server as dbt writes it."""
        [(time,)] = self.query("SELECT now()::timestamp")
        assert isinstance(time, datetime)
        return time


@pytest.fixture(scope="module")
def warehouse(postgres_url: str) -> Iterator[Warehouse]:
    """Return a server without the schemas of the page."""
    server = Warehouse(postgres_url)
    yield server
    for schema in SCHEMAS:
        server.query(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


@pytest.fixture(scope="module")
def pigment() -> Iterator[Pigment]:
    """Serve the two blocks."""
    app = Pigment()
    app.add_list("Employees", b"")
    app.add("GL transactions", "TransactionList", b"")
    with serving(app) as server:
        app.url = server.url
        yield app


def configs(recipe: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Return the configuration that the page gives each plugin for a recipe."""
    block = code_blocks(section(PAGE, recipe), "yaml")[0].replace("$MELTANO_PROJECT_ROOT", str(folder))
    plugins = yaml.safe_load(block)["plugins"]
    return {plugin["name"]: plugin["config"] for kind in plugins.values() for plugin in kind}


def tap_runs(
    pigment: Pigment, folder: Path, settings: Mapping[str, Any], days: Sequence[int], *, loses_state_on: int = 0
) -> list[bytes]:
    """Return the messages of the tap on some days, each from the state of the run before.

    Args:
        pigment: The source.
        folder: Where files of the runs lie.
        settings: Settings of the tap.
        days: The days whose data Pigment has.
        loses_state_on: The day on which the state is lost; 0 for none.
    """
    runs, written = TargetRuns(pigment, folder, {}, folder, settings), []
    for day in days:
        pigment.exports = dict(zip(pigment.blocks, (STAFF[day - 1], LEDGER[day - 1]), strict=True))
        if day == loses_state_on:
            runs.state = None
        finished = runs.tap()
        assert finished.returncode == 0, finished.stderr.decode()
        runs.state = read(finished.stdout)[-1]["value"]
        written.append(finished.stdout)
    return written


def read(messages: bytes) -> list[dict[str, Any]]:
    """Return messages as JSON."""
    return [json.loads(line) for line in messages.splitlines()]


def load(messages: bytes, warehouse: Warehouse, config: Mapping[str, Any], folder: Path) -> None:
    """Load messages into the warehouse with target-postgres."""
    config = {**config, "sqlalchemy_url": warehouse.url}
    TargetRuns(Pigment(), command("target-postgres"), config, folder).load(messages)


def by_day(rows: Rows, starts: Sequence[datetime], times: int = 2) -> Counter[tuple[Any, ...]]:
    """Return rows with the day instead of each of the last `times` cells."""
    days = [
        (*row[:-times], *(None if time is None else bisect_right(starts, time) for time in row[-times:]))
        for row in rows
    ]
    return Counter(days)


def load_times(warehouse: Warehouse, schema: str, stream: str) -> list[datetime]:
    """Return the times of the loads into a table, in their order."""
    found = warehouse.query(f"SELECT DISTINCT _sdc_extracted_at FROM {schema}.{stream} ORDER BY 1")  # noqa: S608 - our names.
    return [time for (time,) in found]


def test_every_block_of_sql_is_in_a_section_that_is_run() -> None:
    run = [section(PAGE, title).count("```sql") for title in ("Copies", "Changes", "The state at a time")]

    assert run == [1, 2, 1]
    assert PAGE.count("```sql") == sum(run)


# Copies


@pytest.fixture(scope="module")
def whole_streams(pigment: Pigment, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Return the messages of each day with `change_detection: stream`, and of a run in which nothing changed."""
    folder = tmp_path_factory.mktemp("streams")
    return tap_runs(pigment, folder, configs("Copies", folder)["tap-pigment"], (*DAYS, DAYS[-1]))


@pytest.fixture(scope="module")
def copies(whole_streams: list[bytes], warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """Return the warehouse after the recipe."""
    folder = tmp_path_factory.mktemp("copies")
    loader = configs("Copies", folder)["target-postgres"]
    for messages in whole_streams[: len(DAYS)]:
        load(messages, warehouse, loader, folder)
    for sql in code_blocks(section(PAGE, "Copies"), "sql"):
        warehouse.query(sql)
    return warehouse


def test_copies_have_each_day_on_which_something_changed(copies: Warehouse) -> None:
    starts = load_times(copies, "pigment_copies", "employees")

    found = copies.query("SELECT * FROM pigment_copies.employees_history")

    assert by_day(found, starts) == Counter(
        {
            ("Ada", Decimal("100.5"), 1, 2): 1,
            ("Ben", Decimal("200.5"), 1, 2): 1,
            ("Cem", Decimal("300.5"), 1, 2): 1,
            ("Ada", Decimal("110.5"), 2, 3): 1,
            ("Ben", Decimal("200.5"), 2, 3): 1,
            ("Eve", Decimal("500.5"), 2, 3): 1,
            ("Ada", Decimal("100.5"), 3, None): 1,
            ("Ben", Decimal("200.5"), 3, None): 1,
            ("Cem", Decimal("300.5"), 3, None): 1,
        }
    )


def test_a_run_without_changes_appends_no_copy(whole_streams: list[bytes]) -> None:
    assert {message["type"] for message in read(whole_streams[-1])} == {"STATE"}


def test_the_last_copy_is_not_marked_as_deleted(copies: Warehouse) -> None:
    found = copies.query(
        'SELECT "account_TU4DPY", "amount_PCWGI8", occurrence FROM pigment_copies.gl_transactions '
        "WHERE _sdc_deleted_at IS NULL"
    )

    assert sorted(found) == [("rent", Decimal("1.5"), 1), ("rent", Decimal("1.5"), 2)]


@pytest.mark.parametrize(
    ("day", "state"),
    [
        (1, [("Ada", Decimal("100.5")), ("Ben", Decimal("200.5")), ("Cem", Decimal("300.5"))]),
        (2, [("Ada", Decimal("110.5")), ("Ben", Decimal("200.5")), ("Eve", Decimal("500.5"))]),
    ],
)
def test_the_state_at_a_time_is_found(copies: Warehouse, day: int, state: Rows) -> None:
    [sql] = code_blocks(section(PAGE, "The state at a time"), "sql")
    time = load_times(copies, "pigment_copies", "employees")[day - 1]

    found = copies.query(sql.replace("2026-11-27 12:00", str(time)))

    assert sorted(found) == state


# dbt


@pytest.fixture(scope="module")
def dbt_history(
    whole_streams: list[bytes], warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Warehouse, list[datetime]]:
    """Return the warehouse after the recipe, and the time at which dbt started on each day."""
    folder = tmp_path_factory.mktemp("dbt")
    write_project(folder, warehouse)
    [views] = [sql for sql in code_blocks(PAGES["docs/warehouses.md"], "sql") if "FOR stream IN" in sql]
    [snapshot] = code_blocks(section(PAGE, "dbt snapshots"), "shell")
    starts = []
    for messages in whole_streams[: len(DAYS)]:
        load(messages, warehouse, {"default_target_schema": "pigment"}, folder)
        warehouse.query(views)
        starts.append(warehouse.now())
        run_dbt(snapshot.split()[1:], folder)
    return warehouse, starts


def write_project(folder: Path, warehouse: Warehouse) -> None:
    """Write a project of dbt with the snapshots of the page."""
    connection = conninfo_to_dict(warehouse.connection)
    output = {
        "type": "postgres",
        "host": connection["host"],
        "port": int(connection.get("port") or 5432),
        "user": connection["user"],
        "password": connection.get("password", ""),
        "dbname": connection["dbname"],
        "schema": "dbt_history",
    }
    project = {"name": "planning", "version": "1.0.0", "profile": "planning"}
    profiles = {"planning": {"target": "test", "outputs": {"test": output}}}
    (folder / "snapshots").mkdir()
    (folder / "dbt_project.yml").write_text(yaml.safe_dump(project))
    (folder / "profiles.yml").write_text(yaml.safe_dump(profiles))
    (folder / "snapshots/pigment.yml").write_text(code_blocks(section(PAGE, "dbt snapshots"), "yaml")[0])


def run_dbt(arguments: Sequence[str], folder: Path) -> None:
    """Run dbt in a project, without a word to anybody."""
    offline = {
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_VERSION_CHECK": "false",
        "DBT_PROFILES_DIR": str(folder),
    }
    ended = subprocess.run(
        [command("dbt"), *arguments],
        cwd=folder,
        env=environment() | offline,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert ended.returncode == 0, ended.stdout


def test_dbt_keeps_versions_and_adds_one_for_a_deleted_row(dbt_history: tuple[Warehouse, list[datetime]]) -> None:
    warehouse, starts = dbt_history

    found = warehouse.query(
        'SELECT "employees_9R49LO", "yearly_salary_ZPYUTT", dbt_is_deleted, dbt_valid_from, dbt_valid_to '
        "FROM dbt_history.employees_history"
    )

    assert by_day(found, starts) == Counter(
        {
            ("Ada", Decimal("100.5"), "False", 1, 2): 1,
            ("Ada", Decimal("110.5"), "False", 2, 3): 1,
            ("Ada", Decimal("100.5"), "False", 3, None): 1,
            ("Ben", Decimal("200.5"), "False", 1, None): 1,
            ("Cem", Decimal("300.5"), "False", 1, 2): 1,
            ("Cem", Decimal("300.5"), "True", 2, 3): 1,
            ("Cem", Decimal("300.5"), "False", 3, None): 1,
            ("Eve", Decimal("500.5"), "False", 2, 3): 1,
            ("Eve", Decimal("500.5"), "True", 3, None): 1,
        }
    )


def test_dbt_ends_the_version_of_a_deleted_row(dbt_history: tuple[Warehouse, list[datetime]]) -> None:
    warehouse, starts = dbt_history

    found = warehouse.query(
        'SELECT "account_TU4DPY", "amount_PCWGI8", occurrence, dbt_valid_from, dbt_valid_to '
        "FROM dbt_history.gl_transactions_history"
    )

    assert by_day(found, starts) == LEDGER_VERSIONS


def test_target_postgres_merges_despite_append_only(
    dbt_history: tuple[Warehouse, list[datetime]], whole_streams: list[bytes], tmp_path: Path
) -> None:
    warehouse, _ = dbt_history  # Which loaded all days into this schema.
    config = {"default_target_schema": "pigment", "load_method": "append-only"}

    load(whole_streams[0], warehouse, config, tmp_path)

    found = warehouse.query('SELECT "employees_9R49LO" FROM pigment.employees')
    assert sorted(found) == [("Ada",), ("Ben",), ("Cem",), ("Eve",)]


# Changes


@pytest.fixture(scope="module")
def changes(pigment: Pigment, warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """Return the warehouse after the recipe; the last run lost its state, and therefore sends all rows."""
    folder = tmp_path_factory.mktemp("changes")
    plugins = configs("Changes", folder)
    for messages in tap_runs(pigment, folder, plugins["tap-pigment"], DAYS, loses_state_on=DAYS[-1]):
        load(messages, warehouse, plugins["target-postgres"], folder)
    for sql in code_blocks(section(PAGE, "Changes"), "sql"):
        warehouse.query(sql)
    return warehouse


def test_changes_are_appended_and_deleted_rows_are_marked(changes: Warehouse) -> None:
    starts = load_times(changes, "pigment_changes", "employees")

    found = changes.query(
        'SELECT "employees_9R49LO", "yearly_salary_ZPYUTT", _sdc_deleted_at IS NOT NULL, _sdc_extracted_at '
        "FROM pigment_changes.employees"
    )

    assert by_day(found, starts, times=1) == Counter(
        {
            ("Ada", Decimal("100.5"), False, 1): 1,
            ("Ben", Decimal("200.5"), False, 1): 1,
            ("Cem", Decimal("300.5"), False, 1): 1,
            ("Ada", Decimal("110.5"), False, 2): 1,
            ("Cem", None, True, 2): 1,
            ("Eve", Decimal("500.5"), False, 2): 1,
            ("Ada", Decimal("100.5"), False, 3): 1,
            ("Ben", Decimal("200.5"), False, 3): 1,
            ("Cem", Decimal("300.5"), False, 3): 1,
            ("Eve", None, True, 3): 1,
        }
    )


def test_changes_make_a_version_for_each_edit_and_return(changes: Warehouse) -> None:
    starts = load_times(changes, "pigment_changes", "employees")

    found = changes.query("SELECT * FROM pigment_changes.employees_history")

    assert by_day(found, starts) == STAFF_VERSIONS


def test_changes_of_a_stream_without_a_key_make_versions(changes: Warehouse) -> None:
    starts = load_times(changes, "pigment_changes", "gl_transactions")

    found = changes.query("SELECT * FROM pigment_changes.gl_transactions_history")

    assert by_day(found, starts) == LEDGER_VERSIONS

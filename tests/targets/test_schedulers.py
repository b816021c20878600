"""The recipes of the page on schedulers, run by the real packages against a sandbox."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import yaml

from tap_pigment.sandbox.server import serving
from tap_pigment.settings import SETTINGS
from tests.support.doc_pages import PAGES, blocks_of, code_blocks, section
from tests.support.object_store import BUCKET, S3Store, s3_store
from tests.support.pigment import API_KEY, APPLICATION_ID, Pigment
from tests.targets import environments
from tests.targets.demo import DEMO
from tests.targets.meltano_project import COMMANDS, MeltanoProject
from tests.targets.pipeline import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.targets.served_sandbox import ServedSandbox

PAGE = PAGES["docs/schedulers.md"]
FILES = {
    block.file_name: block.text
    for name in ("docs/first-load.md", "docs/schedulers.md")
    for block in blocks_of(name, PAGES[name])
    if block.file_name
}
HOME = "/srv/pigment"
QUOTA_FILE = "/var/lib/tap-pigment/quota.db"
LEDGER = "gl_transactions"
GROUPS: dict[str, dict[str, Any]] = {
    "ledger": json.loads(code_blocks(section(PAGE, "A folder for each group"), "json")[0]),
    "others": {"exclude": ["GL transactions"]},
}
SECONDS = 120


def shell(title: str) -> str:
    """Return the commands of a section."""
    [block] = code_blocks(section(PAGE, title), "shell")
    return block


def loaded_rows(folder: Path) -> Counter[str]:
    """Return the number of rows of each stream that target-jsonl wrote below a folder: a file if there are any."""
    rows: Counter[str] = Counter()
    for path in folder.rglob("*.jsonl"):
        if path.parent.name == "output":
            rows[path.stem.partition("-")[0]] += len(path.read_text("utf-8").splitlines())
    return rows


@pytest.fixture(scope="module")
def demo_rows(demo: ServedSandbox) -> Counter[str]:
    """Return the number of rows of each stream of the demo."""
    return Counter({stream: len(demo.export(*block).rows) for stream, block in DEMO.items()})


@pytest.fixture(scope="module")
def store() -> Iterator[S3Store]:
    with s3_store() as store:
        yield store


def test_the_page_names_the_tested_versions() -> None:
    pinned = {
        line.split(" ")[0]
        for name in ("airflow", "dagster", "kubernetes-validate")
        for line in (environments.REQUIREMENTS / f"{name}.txt").read_text("utf-8").splitlines()
    }

    named = re.search(r"Airflow ([\d.]+), Dagster ([\d.]+) and DuckDB.*? of version ([\d.]+)\.", PAGE)

    assert named
    for package, version in zip(("apache-airflow-core", "dagster", "kubernetes-validate"), named.groups(), strict=True):
        assert any(pin.startswith(f"{package}=={version}.") for pin in pinned)


# Meltano


def test_meltano_runs_two_groups_at_the_same_time(
    demo: ServedSandbox,
    demo_rows: Counter[str],
    store: S3Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    project = MeltanoProject(tmp_path, demo, {})
    [text] = code_blocks(section(PAGE, "Meltano: a job for each group"), "yaml")
    _add_to_project(tmp_path / "meltano.yml", yaml.safe_load(text.replace(QUOTA_FILE, str(tmp_path / "quota.db"))))
    variables = f"export MELTANO_ENVIRONMENT=prod MELTANO_STATE_BACKEND_URI=s3://{BUCKET}/state\n"

    project.shell(variables + shell("Meltano: a job for each group"))
    schedules = json.loads(project.meltano("schedule", "list", "--format", "json"))

    assert loaded_rows(tmp_path) == demo_rows
    [ledger] = (tmp_path / "output").glob(f"{LEDGER}*.jsonl")
    assert "memo_" not in ledger.read_text("utf-8")
    assert (tmp_path / "quota.db").exists()
    assert {key.split("/")[1] for key in store.object_keys() if key.endswith("state.json")} == {
        "prod:tap-pigment--ledger-to-target-jsonl",
        "prod:tap-pigment--others-to-target-jsonl",
    }
    assert [schedule["job"]["name"] for schedule in schedules["schedules"]["job"]] == ["ledger", "others"]


def _add_to_project(path: Path, recipe: dict[str, Any]) -> None:
    """Add the lines of a recipe to a project whose plugins are defined already."""
    project = yaml.safe_load(path.read_text("utf-8"))
    plugins = {plugin["name"]: plugin for kind in project["plugins"].values() for plugin in kind}
    for kind, added in recipe.pop("plugins").items():
        for plugin in added:
            if known := plugins.get(plugin["name"]):
                known["config"] = {**known.get("config", {}), **plugin.get("config", {})}
            else:
                project["plugins"][kind].append(plugin)
    path.write_text(yaml.safe_dump(project | recipe), encoding="utf-8")


# Airflow and Dagster


@pytest.fixture(scope="module")
def prepared_groups(demo: ServedSandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one for each group, as the page on the first load makes it."""
    home = tmp_path_factory.mktemp("groups")
    for group, settings in GROUPS.items():
        folder = home / group
        (folder / "output").mkdir(parents=True)
        config = {**demo.config, **settings}
        if "quota_file" in config:
            config["quota_file"] = str(home / "quota.db")
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "target.json").write_text(json.dumps({"destination_path": "output"}))
        (folder / "load.sh").write_text(FILES["load.sh"])
        (folder / "load.sh").chmod(0o755)
        discover(folder)
    return home


def discover(folder: Path) -> None:
    """Write the catalog of a folder's config."""
    command = [str(COMMANDS / "tap-pigment"), "--config", "config.json", "--discover"]
    found = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, check=True, timeout=SECONDS)
    (folder / "catalog.json").write_bytes(found.stdout)


@pytest.fixture
def groups(prepared_groups: Path, tmp_path: Path) -> Path:
    """Return a copy of the folders of the groups, in which nothing has run yet."""
    return shutil.copytree(prepared_groups, tmp_path / "groups")


def recipe(name: str, groups: Path) -> str:
    """Return a file of the page for these groups, without retries: they begin after ten minutes."""
    text, replaced = re.subn(r"retries=\d+", "retries=0", FILES[name].replace(HOME, str(groups)))
    assert replaced == 1
    return text


def run_python(command: Path, code: str, *arguments: str, folder: Path, **variables: str) -> str:
    """Run Python of an environment, with the commands of tap and target, and return its stdout."""
    places = [command.parent, COMMANDS, environments.command("target-jsonl").parent, os.environ["PATH"]]
    ended = subprocess.run(
        [command.with_name("python"), "-c", code, *arguments],
        cwd=folder,
        env={**environment(), "HOME": str(folder), "PATH": os.pathsep.join(map(str, places)), **variables},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return ended.stdout


# Runs each line as a command of Airflow. A process for each would load all of Airflow each time.
AIRFLOW = """
import shlex, sys
from airflow.utils.db import initdb
from airflow.cli.cli_parser import get_parser
initdb()
for line in sys.argv[1].splitlines():
    arguments = get_parser().parse_args(shlex.split(line)[1:])
    arguments.func(arguments)
"""


def test_airflow_runs_a_task_for_each_group(groups: Path, demo_rows: Counter[str], tmp_path: Path) -> None:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "pigment_dag.py").write_text(recipe("pigment_dag.py", groups))
    variables = {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }

    run_python(environments.command("airflow"), AIRFLOW, shell("Airflow"), folder=tmp_path, **variables)

    assert loaded_rows(groups) == demo_rows
    assert all((groups / group / "load.ok").exists() for group in GROUPS)
    assert json.loads((groups / "ledger" / "state.json").read_text())["bookmarks"].keys() == {LEDGER}


# Materializes the assets of each file, and prints as a line of JSON whether all went well, and each stream's numbers.
DAGSTER = """
import json, runpy, sys
import dagster as dg
for path in sys.argv[1:]:
    defs = runpy.run_path(path)["defs"]
    dg.Definitions.validate_loadable(defs)
    result = dg.materialize(list(defs.assets), raise_on_error=False)
    events = [event.step_materialization_data.materialization for event in result.get_asset_materialization_events()]
    numbers = {
        event.asset_key.to_user_string(): {name: value.value for name, value in event.metadata.items()}
        for event in events
    }
    print(json.dumps([result.success, numbers]))
"""


def test_dagster_materializes_each_stream_with_its_numbers(
    groups: Path, demo_rows: Counter[str], tmp_path: Path
) -> None:
    assets, assets_of_broken = tmp_path / "assets.py", tmp_path / "assets_of_broken.py"
    assets.write_text(recipe("pigment_assets.py", groups))
    broken = shutil.copytree(groups, tmp_path / "broken")
    (broken / "ledger" / "config.json").write_text("{}")
    assets_of_broken.write_text(recipe("pigment_assets.py", broken))

    printed = run_python(
        environments.command("dagster"), DAGSTER, str(assets), str(assets_of_broken), folder=tmp_path, DAGSTER_HOME=""
    )

    (succeeded, materialized), (succeeded_broken, materialized_broken) = map(json.loads, printed.splitlines())
    assert (succeeded, succeeded_broken) == (True, False)
    assert {stream: numbers["rows"] for stream, numbers in materialized.items()} == demo_rows
    assert materialized["countries"].keys() == {"rows", "deleted", "bytes", "seconds", "tries", "result"}
    assert all(numbers["bytes"] > 0 and numbers["result"] == "complete" for numbers in materialized.values())
    assert loaded_rows(groups) == demo_rows
    assert materialized_broken.keys() == demo_rows.keys() - {LEDGER}


# Kubernetes


def test_the_manifest_is_valid_for_kubernetes(tmp_path: Path) -> None:
    path = tmp_path / "pigment-ledger.yaml"
    path.write_text(FILES["pigment-ledger.yaml"])

    ended = subprocess.run(
        [environments.command("kubernetes-validate"), "--strict", path],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_pod_has_settings_of_the_tap_and_the_disk_that_they_need() -> None:
    cron_job = yaml.safe_load(FILES["pigment-ledger.yaml"])["spec"]
    pod = cron_job["jobTemplate"]["spec"]["template"]["spec"]
    [container], [volume] = pod["containers"], pod["volumes"]
    variables = {variable["name"]: variable.get("value") for variable in container["env"]}
    settings = {
        name.removeprefix("TAP_PIGMENT_").lower(): value for name, value in variables.items() if name.startswith("TAP_")
    }
    [jobs] = [yaml.safe_load(text)["jobs"] for text in code_blocks(PAGE, "yaml") if "jobs:" in text]

    # To the schemas, any text is valid here.
    assert (cron_job["concurrencyPolicy"], pod["restartPolicy"]) == ("Forbid", "Never")
    assert settings.keys() <= SETTINGS["properties"].keys()
    assert settings["spool_dir"] == container["volumeMounts"][0]["mountPath"]
    largest_export_gb, prefetch_gb = 1, int(settings["max_prefetch_mb"]) / 1000
    assert volume["emptyDir"]["sizeLimit"].endswith("Gi")
    assert int(volume["emptyDir"]["sizeLimit"][:-2]) >= 2 * largest_export_gb + prefetch_gb
    assert container["command"][:2] == ["meltano", "run"]
    assert container["command"][2] in {job["name"] for job in jobs}


# Bulk loads

STAFF = "Code;Salary\r\nAda;100.5\r\nBen;200.5\r\nCem;300.5\r\n"
EDITED_STAFF = "Code;Salary\r\nAda;110.5\r\nBen;200.5\r\nEve;500.5\r\n"
BOOKINGS = "Account;Amount\r\nrent;1.5\r\nrent;1.5\r\nwages;7.5\r\n"
EDITED_BOOKINGS = "Account;Amount\r\nrent;1.5\r\nrent;2.5\r\nwages;7.5\r\n"


class BulkLoads:
    """Runs of the tap and the script of the page, in one folder."""

    def __init__(self, folder: Path, store: S3Store) -> None:
        self._folder = folder
        self._environment = {
            **environment(),
            **store.environment,
            "PATH": os.pathsep.join([str(COMMANDS), os.environ["PATH"]]),
        }
        (folder / "bulk_load.py").write_text(FILES["bulk_load.py"])

    def run(self) -> int:
        """Run the commands of the page, and return their exit code."""
        script = shell("BATCH files and the warehouse's bulk load").replace("my-bucket", BUCKET)
        return subprocess.run(
            ["/bin/bash", "-c", script], cwd=self._folder, env=self._environment, timeout=SECONDS, check=False
        ).returncode

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with duckdb.connect(self._folder / "warehouse.duckdb", read_only=True) as warehouse:
            return warehouse.execute(query).fetchall()


def test_a_bulk_load_merges_the_files_of_each_run(store: S3Store, tmp_path: Path) -> None:
    app = Pigment()
    staff, bookings = app.add_list("Staff", STAFF), app.add("Bookings", "TransactionList", BOOKINGS)
    with serving(app) as server:
        config = {"api_url": server.url, "api_key": API_KEY, "application_id": APPLICATION_ID, "max_retries": 0}
        (tmp_path / "config.json").write_text(json.dumps(config))
        discover(tmp_path)
        loads = BulkLoads(tmp_path, store)

        codes = [loads.run()]
        first_rows = loads.rows("SELECT Code, Salary FROM staff ORDER BY Code")
        app.exports |= {staff: EDITED_STAFF.encode(), bookings: EDITED_BOOKINGS.encode()}
        codes.append(loads.run())
        state = (tmp_path / "state.json").read_text()
        app.exports[staff] = b"Code;Salary\r\n"  # The shrink guard fails the run.
        codes.append(loads.run())

    assert codes == [0, 0, 1]
    assert first_rows == [("Ada", 100.5), ("Ben", 200.5), ("Cem", 300.5)]
    assert loads.rows("SELECT Code, Salary FROM staff ORDER BY Code") == [
        ("Ada", 110.5),
        ("Ben", 200.5),
        ("Eve", 500.5),
    ]
    assert loads.rows("SELECT Account, Amount, occurrence FROM bookings ORDER BY ALL") == [
        ("rent", 1.5, 1),
        ("rent", 2.5, 1),
        ("wages", 7.5, 1),
    ]
    assert (tmp_path / "state.json").read_text() == state


# Prints the type of each statement; what sqlglot cannot read is an error, or a Command.
PARSE = """
import sys, sqlglot
from sqlglot import exp
for statement in sqlglot.parse(sys.argv[2], dialect=sys.argv[1]):
    print("Command" if statement.find(exp.Command) else type(statement).__name__)
"""


@pytest.mark.parametrize(
    ("warehouse", "statements"),
    [
        ("Snowflake", ["Create", "Copy", "Transaction", "Merge", "Delete", "Commit"]),
        ("BigQuery", ["LoadData", "Merge"]),
    ],
)
def test_sql_of_a_warehouse_is_parsed_whole(warehouse: str, statements: list[str], tmp_path: Path) -> None:
    [sql] = re.findall(rf"^### {warehouse}\n.*?^```sql\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)

    printed = run_python(environments.command("sqlglot"), PARSE, warehouse.lower(), sql, folder=tmp_path)

    assert printed.split() == statements
    assert PAGE.count("```sql") == 2

"""Every fenced block of README.md and docs/ is run, validated, or covered by a test that is named here.

Shell and Python blocks run in the order of their page, in a folder with `config.json`, `catalog.json` and `state.json`
of the sandbox. A block below a line such as "Write `load.sh`:" is written to that file first. A block of YAML is merged
into `meltano.yml`, or read as settings of the tap.
"""

from __future__ import annotations

import ast
import configparser
import fcntl
import importlib.resources
import json
import os
import re
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema  # type: ignore[import-untyped] # its stubs are a package of their own.
import pytest
import yaml

from tap_pigment.sandbox.api.app import pigment_app
from tap_pigment.sandbox.demo import DEMO_APPLICATION_ID, DEMO_KEY, demo_workspace
from tap_pigment.sandbox.server import serving
from tap_pigment.tap import TapPigment
from tests.benchmarks.__main__ import CASES
from tests.support.doc_pages import ROOT, Block, blocks, blocks_of
from tests.support.pigment import API_KEY, APPLICATION_ID
from tests.targets import environments
from tests.targets.pipeline import environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BLOCKS = blocks()
COMMANDS = Path(sys.executable).parent
SECONDS = 120

FIRST_MINUTES = "tests/targets/test_first_minutes.py"
HISTORY = "tests/targets/test_history.py"
DOCS = "tests/unit/test_docs.py"
FIRST_LOAD = "docs/first-load.md"
SCHEDULERS = "docs/schedulers.md"
RECIPES = "tests/targets/test_schedulers.py"
HERE = "tests/integration/test_docs_commands.py"
# Blocks that another test covers: page, language and the beginning of the block, which is empty for all of a page; and
# that test.
COVERED: Mapping[tuple[str, str, str], str] = {
    ("README.md", "shell", "python3 -m venv .uv && .uv/bin/pip install -q uv && .uv/bin/uv run --no-dev"): (
        f"{FIRST_MINUTES}::test_the_first_command_shows_what_landed_and_leaves_the_clone_clean"
    ),
    ("README.md", "shell", "python3 -m venv .uv && .uv/bin/pip install -q uv && .uv/bin/uv run pytest"): (
        f"{DOCS}::test_the_deciding_script_finds_the_test_command"
    ),
    ("README.md", "shell", ".uv/bin/uv run --no-dev --group demo tap-pigment-sandbox serve"): (
        "tests/integration/sandbox/test_cli.py::test_config_and_commands_of_serve_work_as_printed"
    ),
    ("README.md", "shell", ".uv/bin/uv tool install"): (
        f"{FIRST_MINUTES}::test_tap_and_target_are_installed_and_run_as_the_readme_says"
    ),
    ("docs/change-detection.md", "json", '{"v": 1'): f"{DOCS}::test_the_example_of_a_bookmark_is_read_whole",
    ("docs/history.md", "shell", "dbt snapshot"): f"{HISTORY}::test_dbt_keeps_versions_and_adds_one_for_a_deleted_row",
    ("docs/history.md", "sql", ""): f"{HISTORY}::test_every_block_of_sql_is_in_a_section_that_is_run",
    ("docs/history.md", "yaml", "version: 2"): f"{HISTORY}::test_dbt_ends_the_version_of_a_deleted_row",
    ("docs/installation.md", "shell", ""): (
        "tests/packages/test_installation_page.py::test_every_command_of_the_page_is_in_a_section_that_is_run"
    ),
    ("docs/performance.md", "shell", "uv run --group bench python -m tests.benchmarks"): (
        f"{HERE}::test_the_options_of_the_benchmark_exist"
    ),
    ("docs/reliability.md", "shell", "uv run python -m tests.faults soak"): (
        "tests/faults/test_soak.py::test_runs_in_a_row_have_right_rows_and_leave_nothing_open"
    ),
    ("docs/reliability.md", "shell", "uv run python -m tests.faults"): (
        "tests/faults/test_matrix.py::test_a_passing_fault_is_survived_and_a_lasting_one_is_reported"
    ),
    (SCHEDULERS, "python", "from datetime"): f"{RECIPES}::test_airflow_runs_a_task_for_each_group",
    (
        SCHEDULERS,
        "python",
        "import json\nimport os",
    ): f"{RECIPES}::test_dagster_materializes_each_stream_with_its_numbers",
    (SCHEDULERS, "python", "import json\nimport sys"): f"{RECIPES}::test_a_bulk_load_merges_the_files_of_each_run",
    (SCHEDULERS, "shell", "airflow"): f"{RECIPES}::test_airflow_runs_a_task_for_each_group",
    (SCHEDULERS, "shell", "meltano schedule"): f"{RECIPES}::test_meltano_runs_two_groups_at_the_same_time",
    (SCHEDULERS, "shell", "test -s"): f"{RECIPES}::test_a_bulk_load_merges_the_files_of_each_run",
    (SCHEDULERS, "sql", ""): f"{RECIPES}::test_sql_of_a_warehouse_is_parsed_whole",
    (SCHEDULERS, "yaml", "apiVersion"): f"{RECIPES}::test_the_manifest_is_valid_for_kubernetes",
    ("docs/streams.md", "shell", "meltano invoke"): (
        "tests/targets/test_meltano.py"
        "::test_discovery_with_the_catalog_of_the_project_adds_new_blocks_and_keeps_the_others"
    ),
    ("docs/warehouses.md", "sql", ""): "tests/targets/test_docs_sql.py::test_every_block_of_sql_runs",
    (FIRST_LOAD, "crontab", ""): f"{HERE}::test_the_timers_start_the_script",
    (FIRST_LOAD, "ini", ""): f"{HERE}::test_the_timers_start_the_script",
}
# Output and drawings; what output the tap writes is checked in test_docs.
SHOWN = {"text", "mermaid"}
RUN = {"shell", "python"}
# What installs, starts tests or needs rights is not run here.
NOT_RUN = re.compile(r"\b(docker|git|pip|pipx|podman|pre-commit|pytest|sudo|systemctl|uv|uvx)\b")
MESSAGE_TYPES = {"SCHEMA", "RECORD", "ACTIVATE_VERSION", "STATE", "BATCH"}
REQUIRED = {"api_key": API_KEY, "application_id": APPLICATION_ID}
SETTINGS = frozenset(TapPigment(config=REQUIRED, setup_mapper=False).config_jsonschema["properties"])
PLUGIN_LINES = {
    "config",
    "inherit_from",
    "load_schema",
    "metadata",
    "pip_url",
    "schema",
    "select",
    "use_cached_catalog",
}
HOW_TO_ACCOUNT = (
    "No test runs this block. Shell and Python blocks run as they stand, with the sandbox's config.json, catalog.json "
    "and state.json in the folder, unless they install something, start tests or need rights; JSON is a config of the "
    "tap or Singer messages; YAML is a part of meltano.yml or settings of the tap. Any other block is written to a "
    f"file that the line above it names (`name.json`:), or needs a line in COVERED of {HERE}, with the test that runs "
    "it."
)


def covering_test(block: Block) -> str | None:
    """Return the test elsewhere that covers a block."""
    return next(
        (
            test
            for (page, language, start), test in COVERED.items()
            if (block.page, block.language) == (page, language) and block.text.startswith(start)
        ),
        None,
    )


def read_yaml(block: Block) -> Any:  # noqa: ANN401 - YAML.
    return yaml.safe_load(block.text)


def json_lines(block: Block) -> list[Any]:
    """Return what a block of JSON holds: one value, or one for each line."""
    try:
        return [json.loads(block.text)]
    except json.JSONDecodeError:
        return [json.loads(line) for line in block.text.splitlines()]


def is_run_here(block: Block) -> bool:
    """Return whether this module runs a block."""
    return block.language in RUN and not covering_test(block) and not NOT_RUN.search(block.text)


def is_accounted_for(block: Block) -> bool:
    """Return whether a test runs or validates a block."""
    if covering_test(block) or block.file_name or block.language in SHOWN:
        return True
    if block.language in RUN:
        return is_run_here(block)
    if block.language == "json":
        values = [value for value in json_lines(block) if isinstance(value, dict)]
        # test_docs validates each config.
        return bool(values) and all(value.get("type") in MESSAGE_TYPES or value.keys() <= SETTINGS for value in values)
    return block.language == "yaml" and bool(projects_with(read_yaml(block)))


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_is_run_validated_or_covered_elsewhere(block: Block) -> None:
    assert is_accounted_for(block), f"{block} ({block.language or 'no language'}): {HOW_TO_ACCOUNT}"


@pytest.mark.parametrize("test", sorted(set(COVERED.values())))
def test_a_test_that_covers_a_block_exists(test: str) -> None:
    path, _, name = test.partition("::")

    functions = {node.name for node in ast.parse((ROOT / path).read_text("utf-8")).body if hasattr(node, "name")}

    assert name in functions


@pytest.mark.parametrize("entry", COVERED, ids=" ".join)
def test_a_covered_block_is_in_its_page(entry: tuple[str, str, str]) -> None:
    page, language, start = entry

    assert any((block.page, block.language) == (page, language) and block.text.startswith(start) for block in BLOCKS)


def test_a_new_block_without_a_test_is_not_accounted_for() -> None:
    content = (
        "Write `a.json`:\n\n```json\n[1]\n```\n\nOr:\n\n```json\n[1]\n```\n\n"
        "```toml\n[a]\n```\n\n```yaml\na: 1\n```\n\n```shell\nsudo reboot\n```\n"
    )

    found = [(block.line, is_accounted_for(block)) for block in blocks_of("docs/new.md", content)]

    assert found == [(3, True), (9, False), (13, False), (17, False), (21, False)]


# Shell and Python


class Reader:
    """Somebody who follows a page: writes its files, and runs its commands.

    Args:
        folder: Where everything happens.
        config: The settings that connect the tap to the sandbox.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self.folder = folder
        self._config = config
        commands = [str(COMMANDS), str(environments.command("target-jsonl").parent), os.environ["PATH"]]
        self._environment = environment() | {
            "HOME": str(folder),
            "NO_COLOR": "1",
            "NO_PROXY": "127.0.0.1,localhost",
            "PATH": os.pathsep.join(commands),
        }

    def follow(self, page: str) -> None:
        """Write and run the blocks of a page that no other test covers."""
        for block in BLOCKS:
            if block.page == page and not covering_test(block):
                self._follow_block(block)

    def _follow_block(self, block: Block) -> None:
        if block.file_name:
            self.write(block)
        elif is_run_here(block):
            shell = ("/bin/bash", "-e", "-o", "pipefail", "-c") if block.language == "shell" else (sys.executable, "-c")
            ended = self.run(*shell, block.text)
            assert ended.returncode == 0, f"{block}: {ended.stderr}{ended.stdout}\n{HOW_TO_ACCOUNT}"

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the folder, and return the finished process with its output."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def write(self, block: Block) -> None:
        """Write a block to its file, connected to the sandbox instead of a workspace."""
        text = block.text
        if block.file_name == "config.json":
            text = json.dumps({**json.loads(text), **self._config})
        elif block.file_name == "meltano.yml":
            text = yaml.safe_dump(self._installed(read_yaml(block)))
        elif block.file_name == ".env":
            text = "".join(f"TAP_PIGMENT_{name.upper()}={value}\n" for name, value in self._config.items())
        path = self.folder / block.file_name
        path.write_text(text, encoding="utf-8")
        if text.startswith("#!"):
            path.chmod(0o755)

    def _installed(self, project: dict[str, Any]) -> dict[str, Any]:
        """Return a project whose plugins are the installed ones, and whose tap connects to the sandbox."""
        for plugin in (*project["plugins"]["extractors"], *project["plugins"]["loaders"]):
            del plugin["pip_url"]
            plugin["executable"] = shutil.which(plugin["executable"], path=self._environment["PATH"])
        project["plugins"]["extractors"][0].setdefault("config", {})["api_url"] = self._config["api_url"]
        return project


@pytest.fixture(scope="module")
def sandbox() -> Iterator[dict[str, Any]]:
    """Serve the demo, and return the settings that connect the tap to it."""
    with serving(pigment_app(demo_workspace(1000), quota=1_000_000)) as server:
        yield {"api_url": server.url, "api_key": DEMO_KEY, "application_id": DEMO_APPLICATION_ID}


@pytest.fixture(scope="module")
def prepared(sandbox: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the tap has run with `change_detection: row`."""
    folder = tmp_path_factory.mktemp("prepared")
    config = {**sandbox, "change_detection": "row", "snapshot_uri": "snapshots"}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for options, file in ((["--discover"], "catalog.json"), (["--catalog", "catalog.json"], "messages")):
        with (folder / file).open("w") as stdout:
            command = [str(COMMANDS / "tap-pigment"), "--config", "config.json", *options]
            subprocess.run(command, cwd=folder, env=environment(), stdout=stdout, stderr=subprocess.DEVNULL, check=True)
    state = (folder / "messages").read_text(encoding="utf-8").splitlines()[-1]
    (folder / "state.json").write_text(json.dumps(json.loads(state)["value"]), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "page",
    sorted({block.page for block in BLOCKS if is_run_here(block)} - {FIRST_LOAD}),
)
def test_the_commands_of_a_page_run_in_their_order(
    page: str, prepared: Path, sandbox: Mapping[str, Any], tmp_path: Path
) -> None:
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)

    Reader(tmp_path, sandbox).follow(page)


def test_the_first_load_leaves_rows_a_state_and_a_report(sandbox: Mapping[str, Any], tmp_path: Path) -> None:
    reader = Reader(tmp_path, sandbox)

    reader.follow(FIRST_LOAD)

    files = {stream: sorted((tmp_path / "output").glob(f"{stream}-*.jsonl")) for stream in ("countries", "employees")}
    rows = {stream: [path.read_text("utf-8").splitlines() for path in paths] for stream, paths in files.items()}
    assert sum(map(len, rows["countries"])) == 4 * 9  # By hand, twice by the script, and by Meltano.
    has_email = ["email_" in lines[0] for lines in rows["employees"]]
    assert (has_email[0], has_email[-1]) == (True, False)  # The project of Meltano deselects the column.
    assert "countries" in json.loads((tmp_path / "state.json").read_text("utf-8"))["bookmarks"]
    assert json.loads((tmp_path / "report.json").read_text("utf-8"))["totals"]["complete"] == 12


@pytest.fixture
def nightly(prepared: Path, sandbox: Mapping[str, Any], tmp_path: Path) -> Reader:
    """Return a reader who has written the script of every night, and has the state of an earlier run."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    reader = Reader(tmp_path, sandbox)
    [script] = [block for block in BLOCKS if block.page == FIRST_LOAD and block.file_name == "load.sh"]
    reader.write(script)
    return reader


def test_a_night_that_fails_keeps_the_state_and_does_not_count(nightly: Reader) -> None:
    state = (nightly.folder / "state.json").read_text("utf-8")

    ended = nightly.run("./load.sh")  # The config of the target is missing.

    assert ended.returncode == 1
    assert (nightly.folder / "state.json").read_text("utf-8") == state
    assert not (nightly.folder / "load.ok").exists()


def test_a_night_does_not_begin_before_the_last_one_has_ended(nightly: Reader) -> None:
    with (nightly.folder / "load.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        ended = nightly.run("./load.sh")

    assert ended.returncode == 75
    assert "the last run is not finished" in ended.stderr


def test_the_options_of_the_benchmark_exist() -> None:
    lines = [line for block in BLOCKS for line in block.text.splitlines() if "python -m tests.benchmarks" in line]
    command = [sys.executable, "-m", "tests.benchmarks", "--help"]

    help_text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert lines
    for line in lines:
        arguments = line.partition(" -m tests.benchmarks")[2].split()
        assert all(option in help_text for option in arguments if option.startswith("--"))
        assert set(arguments[:1]) <= {"--plot", *CASES}


def test_the_timers_start_the_script() -> None:
    page = [block for block in BLOCKS if block.page == FIRST_LOAD]
    [crontab] = [block.text for block in page if block.language == "crontab"]
    units = {}
    for block in page:
        if block.language == "ini":
            parser = configparser.ConfigParser(interpolation=None)
            parser.optionxform = str  # type: ignore[method-assign,assignment] # systemd's names have capitals.
            parser.read_string(block.text)
            units[block.file_name] = parser

    service, timer = units["pigment-load.service"], units["pigment-load.timer"]

    script = next(block.file_name for block in page if block.text.startswith("#!") and "tap-pigment" in block.text)
    assert Path(service["Service"]["ExecStart"]).name == script
    assert service["Service"]["Type"] == "oneshot"  # Or systemd would start it twice.
    assert "OnCalendar" in timer["Timer"]
    lines = [line for line in crontab.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(rf"(\S+ ){{5}}/\S+/{re.escape(script)} .+", line) for line in lines)


# YAML

MELTANO_SCHEMA = json.loads(
    (importlib.resources.files("meltano") / "schemas" / "meltano.schema.json").read_text("utf-8")
)


def projects_with(value: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - YAML.
    """Return the projects that a block of YAML makes of `meltano.yml`; empty if it is no part of one."""
    project: dict[str, Any] = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    known = {plugin["name"]: plugin for kind in project["plugins"].values() for plugin in kind}
    if isinstance(value, list) and all(isinstance(entry, dict) and "name" in entry for entry in value):
        value = {"plugins": {"extractors": value}}
    if not isinstance(value, dict) or not value:
        return []
    if value.keys() <= SETTINGS:
        value = {"config": value}
    if value.keys() <= PLUGIN_LINES:
        value = {"plugins": {"extractors": [{"name": "tap-pigment", **value}]}}
    if not value.keys() <= MELTANO_SCHEMA["properties"].keys():
        return []
    given = deepcopy(value)
    for kind in given.get("plugins", {}).values():
        kind[:] = [known.get(plugin["name"], {}) | plugin for plugin in kind]
    return [project | given]


def extractor_configs(project: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the config of each extractor of a project that is this tap, in its environments too."""
    places = [project, *(environment.get("config", {}) for environment in project.get("environments", []))]
    for place in places:
        for plugin in place.get("plugins", {}).get("extractors", []):
            if "tap-pigment" in plugin["name"] or plugin.get("inherit_from") == "tap-pigment":
                yield plugin.get("config", {})


YAML_BLOCKS = [block for block in BLOCKS if block.language == "yaml" and not covering_test(block)]


@pytest.mark.parametrize("block", YAML_BLOCKS, ids=str)
def test_a_block_of_yaml_is_a_valid_part_of_a_project(block: Block) -> None:
    validator = jsonschema.Draft202012Validator(MELTANO_SCHEMA)
    projects = projects_with(read_yaml(block))

    errors = [error.message for project in projects for error in validator.iter_errors(project)]

    assert projects, f"{block}: {HOW_TO_ACCOUNT}"
    assert errors == []
    for project in projects:
        for config in extractor_configs(project):
            # `["*"]` excludes a single application.
            required = {name: value for name, value in REQUIRED.items() if f"{name}s" not in config}
            # Raises an error if a setting is unknown or wrong.
            TapPigment(config={**required, **config}, setup_mapper=False)


def loader_settings(plugin: Mapping[str, Any]) -> set[str]:
    return {setting["name"] for setting in plugin.get("settings", [])}


@pytest.mark.parametrize("block", YAML_BLOCKS, ids=str)
def test_a_loader_has_the_settings_that_a_block_sets(block: Block) -> None:
    for project in projects_with(read_yaml(block)):
        for plugin in project["plugins"].get("loaders", []):
            if names := loader_settings(plugin):
                assert plugin.get("config", {}).keys() <= names


# JSON


@pytest.mark.parametrize("page", sorted({block.page for block in BLOCKS if block.language == "json"}))
def test_records_of_a_page_fit_their_schemas(page: str) -> None:
    values = [
        value for block in BLOCKS if block.page == page and block.language == "json" for value in json_lines(block)
    ]
    messages = [value for value in values if isinstance(value, dict) and value.get("type") in MESSAGE_TYPES]
    schemas = {message["stream"]: message for message in messages if message["type"] == "SCHEMA"}

    for message in messages:
        if message["type"] == "RECORD":
            schema = schemas[message["stream"]]
            jsonschema.validate(message["record"], schema["schema"])
            assert message["record"].keys() >= set(schema["key_properties"])

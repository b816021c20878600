"""The wheel in a clean environment without extras, with the newest and the lowest versions of its dependencies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.support.object_store import BUCKET, google_store, s3_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.packages.conftest import Install, ServeDemo
    from tests.packages.distributions import Distributions
    from tests.packages.environments import Environment
    from tests.support.object_store import ObjectStore
    from tests.targets.served_sandbox import ServedSandbox

    ServeStore = Callable[[], AbstractContextManager[ObjectStore]]

# Rows of three streams of the demo: a list, a table of metrics, and a list of transactions.
ROWS = {"countries": 9, "headcount": 150, "gl_transactions": 100}


class Runs:
    """Runs of the tap in an environment, in a folder outside the sources, each from the state of the one before."""

    def __init__(self, environment: Environment, folder: Path, **settings: object) -> None:
        self._environment = environment
        self._folder = folder
        self._settings = {"include": list(ROWS), **settings}
        self._state = folder / "state.json"
        self._state.write_text("{}")

    def __call__(self, demo: ServedSandbox, **variables: str) -> list[dict[str, Any]]:
        """Run to a successful end and return the messages."""
        (self._folder / "config.json").write_text(json.dumps({**demo.config, **self._settings}))
        options = ("--config", "config.json", "--state", "state.json")
        ended = self._environment.run("tap-pigment", *options, cwd=self._folder, **variables)
        assert ended.returncode == 0, ended.stderr
        assert "Warning" not in ended.stderr
        messages = [json.loads(line) for line in ended.stdout.splitlines()]
        self._state.write_text(json.dumps([line["value"] for line in messages if line["type"] == "STATE"][-1]))
        return messages


def counts(messages: list[dict[str, Any]]) -> dict[str, int]:
    """Return how many records each stream has."""
    streams = [message["stream"] for message in messages if message["type"] == "RECORD"]
    return {stream: streams.count(stream) for stream in streams}


def test_commands_run_the_code_and_version_of_the_wheel(
    installed: Install, distributions: Distributions, tmp_path: Path
) -> None:
    environment = installed()

    where = environment.run("python", "-c", "import tap_pigment; print(tap_pigment.__file__)", cwd=tmp_path)
    version = environment.run("tap-pigment", "--version", cwd=tmp_path)
    about = environment.run("tap-pigment", "--about", "--format", "json", cwd=tmp_path)

    assert where.stdout.startswith(f"{environment.folder}/lib/")
    assert (
        version.stdout == f"tap-pigment v{distributions.metadata().version}, Meltano SDK v{sdk_version(environment)}\n"
    )
    assert json.loads(about.stdout)["version"] == str(distributions.metadata().version)


def sdk_version(environment: Environment) -> str:
    """Return the version of singer-sdk in an environment."""
    [folder] = environment.folder.glob("lib/*/site-packages/singer_sdk-*.dist-info")
    return folder.name.removeprefix("singer_sdk-").removesuffix(".dist-info")


def test_check_succeeds(installed: Install, serve_demo: ServeDemo, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(serve_demo(1).config))

    checked = installed().run("tap-pigment", "--config", "config.json", "--check", cwd=tmp_path)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_records_of_all_kinds_of_blocks_are_emitted(installed: Install, serve_demo: ServeDemo, tmp_path: Path) -> None:
    messages = Runs(installed(), tmp_path)(serve_demo(1))

    assert counts(messages) == ROWS


def test_batch_files_hold_all_rows(installed: Install, serve_demo: ServeDemo, tmp_path: Path) -> None:
    batch_config = {"encoding": {"format": "parquet"}, "storage": {"root": (tmp_path / "batch").as_uri()}}

    messages = Runs(installed(), tmp_path, batch_config=batch_config)(serve_demo(1))

    files = {line["stream"]: line["manifest"] for line in messages if line["type"] == "BATCH"}
    paths = {stream: [uri.removeprefix("file://") for uri in manifest] for stream, manifest in files.items()}
    rows = {stream: duckdb.read_parquet(named).count("*").fetchall() for stream, named in paths.items()}
    assert rows == {stream: [(count,)] for stream, count in ROWS.items()}


def test_only_changed_rows_are_emitted_the_second_time(
    installed: Install, serve_demo: ServeDemo, tmp_path: Path
) -> None:
    run = Runs(installed(), tmp_path, change_detection="row", snapshot_uri=str(tmp_path / "snapshots"))

    emitted = [counts(run(serve_demo(seed))) for seed in (1, 1, 2)]

    assert emitted[:2] == [ROWS, {}]
    assert emitted[2].keys() == {"headcount", "gl_transactions"}


@pytest.mark.parametrize(("extra", "serve_store"), [("s3", s3_store), ("gcs", google_store)])
def test_snapshots_are_kept_in_a_bucket(
    installed: Install, serve_demo: ServeDemo, tmp_path: Path, extra: str, serve_store: ServeStore
) -> None:
    environment = installed(extra)

    with serve_store() as store:
        snapshot_uri = f"{store.scheme}://{BUCKET}/snapshots"
        run = Runs(environment, tmp_path, change_detection="row", snapshot_uri=snapshot_uri)
        emitted = [counts(run(serve_demo(1), **store.environment)) for _ in range(2)]

    assert emitted == [ROWS, {}]


def test_without_extras_nothing_of_the_sandbox_is_installed_or_imported(installed: Install, tmp_path: Path) -> None:
    code = "import sys, tap_pigment.tap; print([name for name in sys.modules if 'sandbox' in name])"

    imported = installed().run("python", "-c", code, cwd=tmp_path)

    assert installed().packages() & {"gcsfs", "hypercorn", "s3fs", "starlette", "trustme"} == set()
    assert imported.stdout == "[]\n"


def test_without_its_extra_the_sandbox_names_it_in_one_line(installed: Install, tmp_path: Path) -> None:
    ended = installed().run("tap-pigment-sandbox", "serve", cwd=tmp_path)

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == (
        "tap-pigment-sandbox: starlette is missing. Install tap-pigment with its extra `sandbox`; in a clone: "
        "pip install '.[sandbox]'\n"
    )


def test_with_its_extra_the_sandbox_shows_rows_in_any_folder(installed: Install, tmp_path: Path) -> None:
    command = ("run", "--rows", "7", "--", "tap-pigment", "--config=ENV")

    # Neither command is on the PATH, as with `pipx run`.
    ended = installed("sandbox").run("tap-pigment-sandbox", *command, cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    records = counts([json.loads(line) for line in ended.stdout.splitlines()])
    assert records["gl_transactions"] == 7
    assert records["countries"] == 9
    assert list(tmp_path.iterdir()) == []

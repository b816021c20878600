"""Snapshots in a bucket of a real S3 server, and of one of Google Cloud Storage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.object_store import BUCKET, ObjectStore, S3Store, google_store, s3_store
from tests.support.tap_runs import CHANGED, COUNTRIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import Message, RunCommand


@pytest.fixture(scope="module", params=["s3", "gs"])
def store(request: pytest.FixtureRequest) -> Iterator[ObjectStore]:
    """A server of either kind."""
    with s3_store() if request.param == "s3" else google_store() as store:
        yield store


class CommandRuns:
    """Runs of the command, each from the state of the one before."""

    def __init__(
        self, pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any], folder: Path, scheme: str
    ) -> None:
        self.block = pigment.add_list("Countries", COUNTRIES)
        self.prefix = folder.name
        self.scheme = scheme
        self.config = {**config, "change_detection": "row", "snapshot_uri": f"{scheme}://{BUCKET}/{self.prefix}/"}
        self._pigment = pigment
        self._run_command = run_command
        self.state = folder / "state.json"
        self.state.write_text("{}")
        self.log = ""

    def run_with(self, body: str, *, exit_code: int = 0, **settings: object) -> list[Message]:
        """Put an export into Pigment, run, and return the messages other than STATE."""
        self._pigment.exports[self.block] = body.encode()
        ended = self._run_command("--state", str(self.state), config={**self.config, **settings})
        self.log = ended.stderr
        assert ended.returncode == exit_code, ended.stderr
        assert "Traceback" not in ended.stderr
        messages = [json.loads(line) for line in ended.stdout.splitlines()]
        states = [message["value"] for message in messages if message["type"] == "STATE"]
        if states:
            self.state.write_text(json.dumps(states[-1]))
        return [message for message in messages if message["type"] != "STATE"]


@pytest.fixture
def runs(  # noqa: PLR0913, PLR0917 - the parts of a run.
    pigment: Pigment,
    run_command: RunCommand,
    config: Mapping[str, Any],
    tmp_path: Path,
    store: ObjectStore,
    monkeypatch: pytest.MonkeyPatch,
) -> CommandRuns:
    """Runs whose snapshots are in the bucket."""
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    return CommandRuns(pigment, run_command, config, tmp_path, store.scheme)


def codes(messages: list[Message]) -> list[str]:
    """Return the code of each record."""
    return [message["record"]["Code"] for message in messages if message["type"] == "RECORD"]


def test_changed_rows_are_emitted_by_a_snapshot_in_a_bucket(runs: CommandRuns, store: ObjectStore) -> None:
    emitted = [codes(runs.run_with(body)) for body in (COUNTRIES, CHANGED, CHANGED)]

    name = json.loads(runs.state.read_text())["bookmarks"]["countries"]["snapshot"]
    assert [sorted(of_run) for of_run in emitted] == [["DE", "FR", "IT"], ["DE", "ES", "IT"], []]
    assert f"{runs.prefix}/countries/{name}.parquet" in store.object_keys()


def test_snapshot_missing_in_the_bucket_causes_a_full_send(runs: CommandRuns, store: ObjectStore) -> None:
    runs.run_with(COUNTRIES)
    for key in store.object_keys():
        store.delete(key)

    messages = runs.run_with(CHANGED)

    assert codes(messages) == ["FR", "DE", "ES"]
    assert "countries: full send, because a snapshot cannot be used: " in runs.log


def test_snapshots_in_a_bucket_are_listed_and_pruned(
    runs: CommandRuns, run_command: RunCommand, store: ObjectStore
) -> None:
    for body in (COUNTRIES, CHANGED, COUNTRIES):
        runs.run_with(body)
    option = ("--state", str(runs.state))

    listed = run_command("--snapshots", "list", *option, config=runs.config)
    pruned = run_command("--snapshots", "prune", *option, config=runs.config)

    lines = listed.stdout.splitlines()
    assert [line.endswith("named by the state") for line in lines] == [False, True]
    assert pruned.stdout == f"{lines[0]}  removed\n"
    assert sum(key.startswith(f"{runs.prefix}/") for key in store.object_keys()) == 1


@pytest.mark.parametrize("is_first", [True, False], ids=["first run", "later run"])
def test_missing_bucket_is_an_error_before_anything_is_emitted(runs: CommandRuns, *, is_first: bool) -> None:
    if not is_first:
        runs.run_with(COUNTRIES)

    messages = runs.run_with(CHANGED, exit_code=1, snapshot_uri=f"{runs.scheme}://nobody-has-made-this/x")

    assert messages == []
    assert "snapshot_uri: cannot use " in runs.log
    assert "it does not exist" in runs.log


@pytest.mark.parametrize("store", ["s3"], indirect=True)
@pytest.mark.parametrize("is_first", [True, False], ids=["first run", "later run"])
def test_refused_credentials_are_an_error_before_any_record(
    runs: CommandRuns, store: S3Store, *, is_first: bool
) -> None:
    if not is_first:
        runs.run_with(COUNTRIES)

    with store.refuse_everybody():
        messages = runs.run_with(CHANGED, exit_code=1)

    assert messages == []
    assert "snapshot_uri: cannot use s3://" in runs.log
    assert sorted(codes(runs.run_with(CHANGED))) == (["DE", "ES", "FR"] if is_first else ["DE", "ES", "IT"])

"""Snapshots in a bucket of a real S3 server, and of one of Google Cloud Storage."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.errors import PigmentError
from tests.support.object_store import BUCKET, ObjectStore, S3Store, google_store, s3_store
from tests.support.tap_runs import CHANGED, COUNTRIES, TapRuns
from tests.support.taps import of_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import MakeTap, Message, RunCommand


@pytest.fixture(scope="module", params=["s3", "gs"])
def store(request: pytest.FixtureRequest) -> Iterator[ObjectStore]:
    """A server of either kind."""
    with s3_store() if request.param == "s3" else google_store() as store:
        yield store


@dataclass(frozen=True)
class Bucket:
    """Snapshots in a bucket, and runs that write them in this process."""

    store: ObjectStore
    settings: Mapping[str, Any]
    runs: TapRuns

    def snapshots(self) -> list[str]:
        """Return the keys of the snapshots."""
        prefix = self.settings["snapshot_uri"].partition(f"{BUCKET}/")[2]
        return [key for key in self.store.object_keys() if key.startswith(prefix)]

    def failing(self, body: str, **settings: object) -> str:
        """Put an export into Pigment, start a run, which must fail before it emits anything, and return the error."""
        self.runs.put(body)
        with pytest.raises(PigmentError) as caught:
            self.runs.tap(**settings)
        return str(caught.value)


@pytest.fixture
def bucket(
    pigment: Pigment, tap: MakeTap, tmp_path: Path, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> Bucket:
    """A folder in the bucket."""
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    settings = {"change_detection": "row", "snapshot_uri": f"{store.scheme}://{BUCKET}/{tmp_path.name}/"}
    return Bucket(store, settings, TapRuns(pigment, tap, settings))


def codes(messages: list[Message]) -> list[str]:
    """Return the code of each record."""
    return [message["record"]["Code"] for message in messages if message["type"] == "RECORD"]


def test_commands_emit_changed_rows_by_a_snapshot_in_a_bucket(
    bucket: Bucket, run_command: RunCommand, config: Mapping[str, Any], tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    state.write_text("{}")
    emitted = []

    for body in (COUNTRIES, CHANGED):
        bucket.runs.put(body)
        ended = run_command("--state", str(state), config={**config, **bucket.settings})
        assert ended.returncode == 0, ended.stderr
        messages = [json.loads(line) for line in ended.stdout.splitlines()]
        state.write_text(json.dumps(of_type(messages, "STATE")[-1]["value"]))
        emitted.append(sorted(codes(messages)))

    name = json.loads(state.read_text())["bookmarks"]["countries"]["snapshot"]
    assert emitted == [["DE", "FR", "IT"], ["DE", "ES", "IT"]]
    assert f"{name}.parquet" in [key.rpartition("/")[2] for key in bucket.snapshots()]


def test_no_row_is_emitted_if_a_snapshot_in_a_bucket_has_it(bucket: Bucket) -> None:
    bucket.runs.run_with(COUNTRIES)

    assert codes(bucket.runs.run_with(COUNTRIES)) == []


def test_snapshot_missing_in_the_bucket_causes_a_full_send(bucket: Bucket, caplog: pytest.LogCaptureFixture) -> None:
    bucket.runs.run_with(COUNTRIES)
    for key in bucket.store.object_keys():
        bucket.store.delete(key)

    messages = bucket.runs.run_with(CHANGED)

    assert codes(messages) == ["FR", "DE", "ES"]
    assert "countries: full send, because a snapshot cannot be used: " in caplog.text


def test_snapshots_in_a_bucket_are_listed_and_pruned(
    bucket: Bucket, run_command: RunCommand, config: Mapping[str, Any], tmp_path: Path
) -> None:
    for body in (COUNTRIES, CHANGED, COUNTRIES):
        bucket.runs.run_with(body)
    state = tmp_path / "state.json"
    state.write_text(json.dumps(bucket.runs.state))
    settings = {**config, **bucket.settings}

    listed = run_command("--snapshots", "list", "--state", str(state), config=settings)
    pruned = run_command("--snapshots", "prune", "--state", str(state), config=settings)

    lines = listed.stdout.splitlines()
    assert [line.endswith("named by the state") for line in lines] == [False, True]
    assert pruned.stdout == f"{lines[0]}  removed\n"
    assert len(bucket.snapshots()) == 1


@pytest.mark.parametrize("is_first", [True, False], ids=["first run", "later run"])
def test_missing_bucket_is_an_error_before_anything_is_emitted(bucket: Bucket, *, is_first: bool) -> None:
    if not is_first:
        bucket.runs.run_with(COUNTRIES)

    error = bucket.failing(CHANGED, snapshot_uri=f"{bucket.store.scheme}://nobody-has-made-this/x")

    assert "snapshot_uri: cannot use " in error
    assert "it does not exist" in error


@pytest.mark.parametrize("store", ["s3"], indirect=True)
@pytest.mark.parametrize("is_first", [True, False], ids=["first run", "later run"])
def test_refused_credentials_are_an_error_before_any_record(bucket: Bucket, store: S3Store, *, is_first: bool) -> None:
    if not is_first:
        bucket.runs.run_with(COUNTRIES)

    with store.refuse_everybody():
        error = bucket.failing(CHANGED)

    assert "snapshot_uri: cannot use s3://" in error
    assert sorted(codes(bucket.runs.run_with(CHANGED))) == (["DE", "ES", "FR"] if is_first else ["DE", "ES", "IT"])

"""Snapshots in a bucket of a real S3 server, and of one of Google Cloud Storage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.nights import CHANGED, COUNTRIES
from tests.object_store import BUCKET, ObjectStore, S3Store, google_store, s3_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.conftest import Message, RunCommand
    from tests.pigment import Pigment


@pytest.fixture(scope="module", params=["s3", "gs"])
def store(request: pytest.FixtureRequest) -> Iterator[ObjectStore]:
    """Run a server, of the one kind or the other."""
    with s3_store() if request.param == "s3" else google_store() as store:
        yield store


class Nights:
    """Runs of the command, each from the state that the one before has left."""

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

    def night(self, body: str, *, exit_code: int = 0, **settings: object) -> list[Message]:
        """Put an export into Pigment, run, and return what was written but states."""
        self._pigment.exports[self.block] = body.encode()
        ended = self._run_command("--state", str(self.state), config={**self.config, **settings})
        self.log = ended.stderr
        assert ended.returncode == exit_code, ended.stderr
        assert "Traceback" not in ended.stderr
        messages = [json.loads(line) for line in ended.stdout.splitlines()]
        states = [message["value"] for message in messages if message["type"] == "STATE"]
        self.state.write_text(json.dumps(states[-1] if states else {}))
        return [message for message in messages if message["type"] != "STATE"]


@pytest.fixture
def nights(  # noqa: PLR0913, PLR0917 - what a run is made of.
    pigment: Pigment,
    run_command: RunCommand,
    config: Mapping[str, Any],
    tmp_path: Path,
    store: ObjectStore,
    monkeypatch: pytest.MonkeyPatch,
) -> Nights:
    """Return nights whose snapshots are in the bucket."""
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    return Nights(pigment, run_command, config, tmp_path, store.scheme)


def codes(messages: list[Message]) -> list[str]:
    """Return the code of each record."""
    return [message["record"]["Code"] for message in messages if message["type"] == "RECORD"]


def test_only_what_has_changed_is_sent_from_a_snapshot_in_a_bucket(nights: Nights, store: ObjectStore) -> None:
    sent = [codes(nights.night(body)) for body in (COUNTRIES, CHANGED, CHANGED)]

    name = json.loads(nights.state.read_text())["bookmarks"]["countries"]["snapshot"]
    assert [sorted(night) for night in sent] == [["DE", "FR", "IT"], ["DE", "ES", "IT"], []]
    assert f"{nights.prefix}/countries/{name}.parquet" in store.object_keys()


def test_a_snapshot_that_is_missing_in_the_bucket_is_a_full_send(nights: Nights, store: ObjectStore) -> None:
    nights.night(COUNTRIES)
    for key in store.object_keys():
        store.delete(key)

    messages = nights.night(CHANGED)

    assert codes(messages) == ["FR", "DE", "ES"]
    assert "All rows are sent" in nights.log


def test_snapshots_in_a_bucket_are_listed_and_pruned(
    nights: Nights, run_command: RunCommand, store: ObjectStore
) -> None:
    for body in (COUNTRIES, CHANGED, COUNTRIES):
        nights.night(body)
    option = ("--state", str(nights.state))

    listed = run_command("--snapshots", "list", *option, config=nights.config)
    pruned = run_command("--snapshots", "prune", *option, config=nights.config)

    lines = listed.stdout.splitlines()
    assert [line.endswith("named by the state") for line in lines] == [False, True]
    assert pruned.stdout == f"removed: {lines[0]}\n"
    assert sum(key.startswith(f"{nights.prefix}/") for key in store.object_keys()) == 1


@pytest.mark.parametrize("is_first", [True, False], ids=["first run", "later run"])
def test_a_bucket_that_does_not_exist_fails_the_stream_before_anything_is_written(
    nights: Nights, *, is_first: bool
) -> None:
    if not is_first:
        nights.night(COUNTRIES)

    messages = nights.night(CHANGED, exit_code=1, snapshot_uri=f"{nights.scheme}://nobody-has-made-this/x")

    assert messages == []
    assert "countries: snapshot_uri: cannot " in nights.log


@pytest.mark.parametrize("store", ["s3"], indirect=True)
@pytest.mark.parametrize("is_first", [True, False], ids=["first run", "later run"])
def test_credentials_that_are_not_accepted_fail_the_stream_before_anything_is_written(
    nights: Nights, store: S3Store, *, is_first: bool
) -> None:
    if not is_first:
        nights.night(COUNTRIES)

    with store.distrust():
        messages = nights.night(CHANGED, exit_code=1)

    assert messages == []
    assert "snapshot_uri: cannot list s3://" in nights.log
    assert sorted(codes(nights.night(CHANGED))) == (["DE", "ES", "FR"] if is_first else ["DE", "ES", "IT"])

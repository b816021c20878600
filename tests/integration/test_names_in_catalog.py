"""Names of streams in a catalog that are paths, or not printable: no file lies outside of its root."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.errors import StreamsFailedError
from tests.support.taps import records, written

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import Discover, MakeTap, RunTap

NAMES = ["../../../esc", "/esc", "..", "a\0b", "two\nlines", "x" * 300]


def renamed(catalog: dict[str, Any], name: str) -> dict[str, Any]:
    """Give the stream of the countries another name."""
    for entry in catalog["streams"]:
        if entry["tap_stream_id"] == "countries":
            entry["stream"] = entry["tap_stream_id"] = name
    return catalog


@pytest.fixture
def catalog(pigment: Pigment, discover: Discover) -> dict[str, Any]:
    """The catalog of countries and cities."""
    pigment.add_list("Countries", "Code;Name\r\nFR;France\r\n")
    pigment.add_list("Cities", "Code;Name\r\nPAR;Paris\r\n")
    return discover()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("writes", ["BATCH files", "snapshots"])
def test_stream_after_which_no_file_can_be_named_fails_alone(
    tap: MakeTap, catalog: dict[str, Any], tmp_path: Path, name: str, writes: str
) -> None:
    root = tmp_path / "a" / "b" / "root"
    settings: dict[str, Any] = {"change_detection": "row", "snapshot_uri": str(root)}
    if writes == "BATCH files":
        encoding = {"format": "jsonl", "compression": "none"}
        settings = {"batch_config": {"encoding": encoding, "storage": {"root": root.as_uri()}}}
    running = tap(catalog=renamed(catalog, name), on_stream_error="continue", **settings)

    with pytest.raises(StreamsFailedError, match="files are named after the stream, and its name cannot be") as caught:
        running.sync_all()

    assert len(str(caught.value).splitlines()) == 2
    assert {message["stream"] for message in written(running) if message["type"] == "SCHEMA"} == {"cities"}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if "cities" not in str(path.relative_to(root))] == []
    assert len(files) == 1


@pytest.mark.parametrize("name", NAMES)
def test_records_may_have_any_stream_name(run_tap: RunTap, catalog: dict[str, Any], name: str) -> None:
    messages = run_tap(catalog=renamed(catalog, name))

    assert records(messages, name) == [{"Code": "FR", "Name": "France"}]

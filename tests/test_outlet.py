"""Both ways out of an export give the same messages."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_pigment.bookmark import Bookmark
from tap_pigment.delivery import Delivery
from tap_pigment.tap import TapPigment
from tests.conftest import Recorder, RecordWriter, deselect, of_type, records, written
from tests.exports import outlet_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.conftest import Discover, MakeTap, Message, RunTap
    from tests.pigment import Pigment

NASTY = (
    'Code;Text;Amount;Open;Since;Wörd "x"\\y\r\n'
    '1;"a;b ""c""\r\nd";1.10;TRUE;2026-01-31;é😀\r\n'
    "2;\x01\x1f\x7f\t\\;-0;FALSE;;\u2028\u2029\r\n"
    "3;;1E-05;;0001-01-01;\r\n"
    "4;007;12345678901234567890;TRUE;9999-12-31;'\r\n"
    "5; lead and trail ;-1.7976931348623157E+308;;;</script>\r\n"
    "6;NULL;4.9E-324;FALSE;;null\r\n"
    '7;"";0.1234567890123456789;;;""\r\n'
)
MESSAGE = ('{"type":"RECORD","stream":"s","record":', "}")
TYPES = {"Amount": "number", "Open": "boolean", "Since": "date"}


def without_times(messages: list[Message]) -> list[str]:
    """Return messages as text, so that 1 and 1.0 and true differ, the times at which they were made left out."""
    return [json.dumps({**message, "time_extracted": "time_extracted" in message}) for message in messages]


def by_both_ways(config: Mapping[str, Any], catalog: Mapping[str, Any]) -> tuple[list[Message], list[Message]]:
    """Return what the tap writes in blocks, and what it writes record by record."""
    blocks, singles = Recorder(), RecordWriter()
    for writer in (blocks, singles):
        TapPigment(config=dict(config), catalog=json.loads(json.dumps(catalog)), message_writer=writer).sync_all()
    return blocks.messages, singles.messages


@pytest.mark.parametrize("key", [["Code"], []])
def test_a_nasty_export_leaves_the_same_by_both_ways(
    pigment: Pigment, config: Mapping[str, Any], discover: Discover, key: list[str]
) -> None:
    pigment.add_list("Nasty", NASTY + ("" if key else "7;;0.1234567890123456789;;;\r\n"))
    overrides = {"nasty": {"key_columns": key, "types": TYPES}}
    catalog = discover(stream_overrides=overrides)

    blocks, singles = by_both_ways({**config, "stream_overrides": overrides}, catalog)

    assert len(of_type(blocks, "RECORD")) == 7 + (not key)
    assert without_times(blocks) == without_times(singles)


def test_a_deselected_column_leaves_by_neither_way(
    pigment: Pigment, config: Mapping[str, Any], discover: Discover
) -> None:
    pigment.add_list("People", "Name;Salary\r\nAda;100000\r\n")
    catalog = discover()
    deselect(catalog, "people", "Salary")

    blocks, singles = by_both_ways(config, catalog)

    assert "100000" not in json.dumps(blocks)
    assert without_times(blocks) == without_times(singles)


@given(
    rows=st.lists(
        st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r")), min_size=2, max_size=2),
        max_size=8,
    )
)
@settings(max_examples=60, deadline=None)
def test_any_text_leaves_the_same_by_both_ways(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:

    with outlet_of(tmp_path_factory.mktemp("law"), ["a", "b"], rows) as outlet:
        singles = list(outlet.records())
        blocks = b"".join(block for block, _ in outlet.record_blocks(*MESSAGE))

    # Not splitlines, for which other characters end a line too.
    assert [json.loads(line)["record"] for line in blocks.decode().split("\n")[:-1]] == singles


def test_a_block_says_version_and_time_where_the_sdk_does(tmp_path: Path) -> None:

    received_at = datetime(2026, 1, 31, tzinfo=UTC)

    with outlet_of(tmp_path, ["a", "b"], [["1", "2"]]) as outlet:
        ((block, rows),) = Delivery(received_at, Bookmark(1), outlet).record_blocks('s"x', version=7)

    message = json.loads(block)
    assert rows == 1
    assert list(message) == ["type", "stream", "record", "version", "time_extracted"]
    assert (message["stream"], message["version"]) == ('s"x', 7)
    assert message["time_extracted"] == "2026-01-31T00:00:00+00:00"


def test_many_rows_leave_in_order_each_once(pigment: Pigment, run_tap: RunTap) -> None:
    body = "".join(f"{number:06};x\r\n" for number in range(30_000))
    pigment.add_list("Numbers", "Code;Text\r\n" + body)

    messages = run_tap()

    assert [row["Code"] for row in records(messages, "numbers")] == [f"{number:06}" for number in range(30_000)]
    assert messages[-1]["value"]["bookmarks"]["numbers"]["rows"] == 30_000


def test_a_row_that_gets_lost_on_the_way_out_ends_the_run(tmp_path: Path) -> None:
    with outlet_of(tmp_path, ["a", "b"], [["1", "2"], ["3", "4"]]) as outlet:
        (tmp_path / "export.csv").write_text('"a";"b"\r\n"1";"2"\r\n')

        with pytest.raises(RuntimeError, match="law: 1 of 2 rows have left"):
            list(outlet.record_blocks(*MESSAGE))
        with pytest.raises(RuntimeError, match="law: 1 of 2 rows have left"):
            list(outlet.records())


def test_a_limit_on_records_is_kept(pigment: Pigment, tap: MakeTap) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\nDE\r\nIT\r\n")
    running = tap()

    running.run_sync_dry_run(dry_run_record_limit=2)

    assert len(of_type(written(running), "RECORD")) == 2

"""Both record paths, in blocks and record by record, write the same messages."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.tap import TapPigment
from tests.support.taps import Recorder, RecordWriter, deselect, of_type, records, written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.pigment import Pigment
    from tests.support.taps import Discover, MakeTap, Message, RunCommand, RunTap

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
TYPES = {"Amount": "number", "Open": "boolean", "Since": "date"}


def without_times(messages: list[Message]) -> list[str]:
    """Return messages as text, so that 1, 1.0 and true differ, without the times and versions of their making."""
    texts = [json.dumps({**message, "time_extracted": "time_extracted" in message}) for message in messages]
    return [re.sub(r'"version": \d+', '"version": 0', text) for text in texts]


def by_both_paths(config: Mapping[str, Any], catalog: Mapping[str, Any]) -> tuple[list[Message], list[Message]]:
    """Return the messages that the tap writes in blocks, and those that it writes record by record."""
    blocks, singles = Recorder(), RecordWriter()
    for writer in (blocks, singles):
        TapPigment(config=dict(config), catalog=json.loads(json.dumps(catalog)), message_writer=writer).sync_all()
    return blocks.messages, singles.messages


@pytest.mark.parametrize("emits_versions", [False, True])
@pytest.mark.parametrize("key", [["Code"], []])
def test_both_record_paths_write_the_same_messages(
    pigment: Pigment,
    config: Mapping[str, Any],
    discover: Discover,
    key: list[str],
    emits_versions: bool,  # noqa: FBT001 - a column of the table.
) -> None:
    pigment.add_list("Nasty", NASTY + ("" if key else "7;;0.1234567890123456789;;;\r\n"))
    overrides = {"nasty": {"key_columns": key, "types": TYPES}}
    settings = {**config, "stream_overrides": overrides, "emit_activate_version_messages": emits_versions}
    catalog = discover(stream_overrides=overrides)

    blocks, singles = by_both_paths(settings, catalog)

    assert len(of_type(blocks, "RECORD")) == 7 + (not key)
    assert without_times(blocks) == without_times(singles)
    assert ("version" in of_type(blocks, "RECORD")[0]) is emits_versions


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"flattening_enabled": True, "flattening_max_depth": 1},
        {"stream_maps": {"nasty": {"Copy": "Amount", "Twice": "Amount and Amount * 2"}}},
        {"stream_maps": {"copies": {"__source__": "nasty"}, "nasty": "__NULL__"}},
    ],
    ids=["blocks", "flattening", "stream maps", "copies"],
)
def test_each_path_writes_the_digits_of_the_export(
    pigment: Pigment, config: Mapping[str, Any], run_command: RunCommand, settings: Mapping[str, Any]
) -> None:
    pigment.add_list("Nasty", NASTY + "8;;12345678901234567.89;;;\r\n")
    overrides = {"nasty": {"types": TYPES}}

    ended = run_command(config={**config, "stream_overrides": overrides, **settings})

    digits = ["1.10", "-0", "1E-05", "12345678901234567890", "-1.7976931348623157E+308", "4.9E-324"]
    digits += ["0.1234567890123456789", "12345678901234567.89"]
    assert re.findall(r'"Amount":(-?\d[^,}]*)', ended.stdout.partition("RECORD")[2]) == digits
    if "Copy" in str(settings):
        assert re.findall(r'"Copy":(-?\d[^,}]*)', ended.stdout.partition("RECORD")[2]) == digits
        assert json.loads(ended.stdout.splitlines()[1])["record"]["Twice"] == 2.2


def test_a_deselected_column_is_written_by_neither_path(
    pigment: Pigment, config: Mapping[str, Any], discover: Discover
) -> None:
    pigment.add_list("People", "Name;Salary\r\nAda;100000\r\n")
    catalog = discover()
    deselect(catalog, "people", "Salary")

    blocks, singles = by_both_paths(config, catalog)

    assert "100000" not in json.dumps(blocks)
    assert without_times(blocks) == without_times(singles)


def test_a_record_in_a_block_has_its_members_in_the_order_of_the_sdk(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\n")

    messages = run_tap(emit_activate_version_messages=True)

    (record,) = of_type(messages, "RECORD")
    (activated,) = of_type(messages, "ACTIVATE_VERSION")
    assert list(record) == ["type", "stream", "record", "version", "time_extracted"]
    assert record["version"] == activated["version"]
    assert datetime.fromisoformat(record["time_extracted"]).utcoffset() is not None


def test_many_rows_are_written_in_order_and_once(pigment: Pigment, run_tap: RunTap) -> None:
    body = "".join(f"{number:06};x\r\n" for number in range(30_000))
    pigment.add_list("Numbers", "Code;Text\r\n" + body)

    messages = run_tap()

    assert [row["Code"] for row in records(messages, "numbers")] == [f"{number:06}" for number in range(30_000)]
    assert messages[-1]["value"]["bookmarks"]["numbers"]["rows"] == 30_000


def test_a_test_run_emits_the_limited_records_and_no_state(pigment: Pigment, tap: MakeTap) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\nDE\r\nIT\r\n")
    running = tap()

    running.run_sync_dry_run(dry_run_record_limit=2)

    assert [message["type"] for message in written(running)] == ["SCHEMA", "RECORD", "RECORD"]

"""JSON from outside: encodings, what is not JSON, and the shapes of states and catalogs."""

from __future__ import annotations

import codecs
import io
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.errors import SettingsError
from tap_pigment.input_files import (
    catalog_problem,
    decoded,
    parse_json,
    read_config,
    read_state,
    read_state_or_wrapped,
    state_problem,
)

if TYPE_CHECKING:
    from pathlib import Path

BOOKMARKS = {"bookmarks": {"countries": {"v": 1, "rows": 2}}}


def entry(**members: object) -> dict[str, Any]:
    """Return an entry of a catalog."""
    return {
        "tap_stream_id": "countries",
        "table_name": "00000001-0000-4000-8000-000000000001",
        "key_properties": ["Code"],
        "schema": {"type": "object", "properties": {"Code": {"type": ["string"]}}},
        "metadata": [{"breadcrumb": [], "metadata": {"selected": True, "table-key-properties": ["Code"]}}],
        **members,
    }


class NamedFile(io.BytesIO):
    """A file in memory, with a name."""

    name = "given.json"


# Text and JSON


@pytest.mark.parametrize(
    "content",
    [
        "Zoë".encode(),
        codecs.BOM_UTF8 + "Zoë".encode(),
        codecs.BOM_UTF16_LE + "Zoë".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "Zoë".encode("utf-16-be"),
    ],
    ids=["UTF-8", "UTF-8 with mark", "UTF-16 LE", "UTF-16 BE"],
)
def test_a_text_is_decoded_by_its_byte_order_mark(content: bytes) -> None:
    assert decoded(content) == "Zoë"


@pytest.mark.parametrize("content", [b"Zo\xeb", codecs.BOM_UTF16_LE + b"\x00", codecs.BOM_UTF8 + b"\xff"])
def test_a_text_of_another_encoding_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^it is neither UTF-8 nor UTF-16 text$"):
        decoded(content)


def test_numbers_keep_their_digits() -> None:
    assert parse_json("[1, 12345678901234567.89]") == [1, Decimal("12345678901234567.89")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("{a}", "it is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ('{"a": NaN}', "it is not JSON: NaN is not a number"),
        ("[-Infinity]", "it is not JSON: -Infinity is not a number"),
        ("[" * 100_000, "it is not JSON: it is nested too deeply"),
        ("1e99999999999999999999", "it is not JSON: the exponent of a number is too large"),
    ],
    ids=["empty", "blank", "braces", "NaN", "Infinity", "nested", "exponent"],
)
def test_what_is_not_json_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^it is") as error:
        parse_json(text)

    assert str(error.value) == problem


# Configs


def test_a_later_config_file_replaces_settings_of_an_earlier_one(tmp_path: Path) -> None:
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    first.write_text('{"max_retries": 1, "include": ["a"]}')
    second.write_text('{"max_retries": 2}')

    assert read_config((str(first), str(second))) == {"max_retries": 2, "include": ["a"]}


@pytest.mark.parametrize("content", ["[1]", "null", '"api_key"', "3"])
def test_a_config_that_is_no_object_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)

    with pytest.raises(SettingsError) as error:
        read_config((str(path),))

    assert str(error.value) == (f'--config {path}: it is not an object. A config is JSON such as {{"api_key": "..."}}.')


def test_a_config_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        read_config((str(tmp_path),))

    remedy = "Correct the path or its permissions."
    assert str(error.value) == f"--config {tmp_path}: cannot read the file: Is a directory. {remedy}"


# States


@pytest.mark.parametrize("content", [{}, BOOKMARKS, {"bookmarks": {}}, {**BOOKMARKS, "currently_syncing": None}])
def test_a_state_is_accepted(content: object) -> None:
    assert state_problem(content) is None


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"singer_state": BOOKMARKS}, "the state stands in singer_state, as `meltano state get` writes it. Pass the "),
        ({"type": "STATE", "value": BOOKMARKS}, "it is a whole STATE message. Pass its value alone."),
        ({"type": "STATE"}, "it is a whole STATE message. Pass its value alone."),
        ({"countries": {"v": 1}}, "it is not an object with bookmarks. Pass the value of the last STATE message."),
        ({"bookmarks": None}, "it is not an object with bookmarks. "),
        ({"bookmarks": []}, "it is not an object with bookmarks. "),
        ({"bookmarks": {"countries": None}}, "each of its bookmarks must be an object. "),
        ([], "it is not an object with bookmarks. "),
        (None, "it is not an object with bookmarks. "),
    ],
)
def test_a_state_of_another_shape_is_named(content: object, problem: str) -> None:
    found = state_problem(content)

    assert found
    assert found.startswith(problem)


@pytest.mark.parametrize(
    "text",
    [
        f"{json.dumps(BOOKMARKS)}\n{json.dumps(BOOKMARKS)}\n",
        f'{{"type": "SCHEMA"}}\r\n{json.dumps({"type": "STATE", "value": BOOKMARKS})}',
        f"{json.dumps(BOOKMARKS)}\n2026-01-31 done\n",
    ],
)
def test_the_output_of_a_target_is_not_a_state(text: str) -> None:
    with pytest.raises(SettingsError) as error:
        read_state(NamedFile(text.encode()))

    assert str(error.value) == (
        "--state given.json: it has several lines of JSON, such as the output of a target. Pass the state of the last "
        "line."
    )


def test_a_state_over_several_lines_is_accepted() -> None:
    text = json.dumps(BOOKMARKS, indent=2)

    assert read_state(NamedFile(text.encode("utf-16"))) == text


@pytest.mark.parametrize("content", [BOOKMARKS, {"singer_state": BOOKMARKS}])
def test_a_state_may_stand_in_singer_state_where_snapshots_are_listed(content: object) -> None:
    assert read_state_or_wrapped(NamedFile(json.dumps(content).encode())) == BOOKMARKS


@pytest.mark.parametrize("content", [[], {"singer_state": []}, {"type": "STATE", "value": BOOKMARKS}])
def test_another_shape_is_refused_where_snapshots_are_listed(content: object) -> None:
    with pytest.raises(SettingsError, match=r"^--state given\.json: it is "):
        read_state_or_wrapped(NamedFile(json.dumps(content).encode()))


# Catalogs


@pytest.mark.parametrize(
    "found",
    [
        entry(),
        entry(stream="countries", database_name=None),
        entry(metadata=[], key_properties=None),
        entry(metadata=[{"breadcrumb": [], "metadata": {"table-key-properties": "Code"}}]),
        entry(schema={"properties": {"Code": {}, "Name": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}),
    ],
)
def test_a_catalog_is_accepted(found: dict[str, Any]) -> None:
    assert catalog_problem({"streams": [found]}) is None


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ([], "it is not an object with streams"),
        ({"streams": {}}, "it is not an object with streams"),
        ({"streams": ["countries"]}, "each of its streams must be an object"),
        ({"streams": [entry(), {"stream": "countries"}]}, "stream 2 has no tap_stream_id"),
        ({"streams": [entry(tap_stream_id="")]}, "stream 1 has no tap_stream_id"),
    ],
)
def test_a_catalog_of_another_shape_is_named(content: object, problem: str) -> None:
    assert catalog_problem(content) == f"{problem}. Make a catalog with --discover."


def test_two_streams_with_one_id_are_refused() -> None:
    content = {"streams": [entry(), entry(stream="Others")]}

    assert catalog_problem(content) == "two streams have the tap_stream_id countries. Remove one of them."


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"stream": 1}, "stream must be text"),
        ({"table_name": ["x"]}, "table_name must be text"),
        ({"table_name": "\ud800"}, "table_name must be text"),
        ({"replication_method": []}, "replication_method must be text"),
        (
            {"metadata": [{"breadcrumb": [], "metadata": {"forced-replication-method": {}}}]},
            "metadata must be a list of objects with breadcrumb and metadata",
        ),
        ({"schema": None}, "it has no schema with properties"),
        ({"schema": {"type": "object"}}, "it has no schema with properties"),
        ({"schema": {"properties": None}}, "schema must be a JSON schema, with an object for each property"),
        ({"key_properties": "Code"}, "key_properties must be a list of column names"),
        ({"key_properties": [1]}, "key_properties must be a list of column names"),
        ({"metadata": [{"breadcrumb": [], "metadata": {"selected": "false"}}]}, "selected must be true or false"),
    ],
)
def test_an_entry_of_another_shape_is_named(members: dict[str, Any], problem: str) -> None:
    assert catalog_problem({"streams": [entry(**members)]}) == (
        f"stream countries: {problem}. Make a catalog with --discover."
    )


@pytest.mark.parametrize("column", ["string", {"type": None}, {"properties": 3}, {"items": 3}, {"anyOf": [3]}])
def test_a_schema_that_the_sdk_cannot_read_is_named(column: object) -> None:
    assert catalog_problem({"streams": [entry(schema={"properties": {"Code": column}})]}) == (
        "stream countries: schema must be a JSON schema, with an object for each property. Make a catalog with "
        "--discover."
    )


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {},
        [3],
        [{"breadcrumb": []}],
        [{"breadcrumb": "properties", "metadata": {}}],
        [{"breadcrumb": [], "metadata": {"table-key-properties": 3}}],
    ],
)
def test_metadata_that_the_sdk_cannot_read_is_named(metadata: object) -> None:
    assert catalog_problem({"streams": [entry(metadata=metadata)]}) == (
        "stream countries: metadata must be a list of objects with breadcrumb and metadata. Make a catalog with "
        "--discover."
    )

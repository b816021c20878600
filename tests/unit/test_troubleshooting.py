"""Every message of the tap has an entry in docs/troubleshooting.md, and every entry is a message of the tap."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

import click
import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_pigment import errors
from tap_pigment.tap import TapPigment
from tests.support.code_texts import GAP, TEXTS, modules, texts, without_start
from tests.support.doc_pages import PAGES, quoted, table_rows
from tests.support.pigment import API_KEY, APPLICATION_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

TROUBLESHOOTING = PAGES["docs/troubleshooting.md"]
REQUIRED = {"api_key": API_KEY, "application_id": APPLICATION_ID}

# Messages of jsonschema that the tap passes on, and a config that leads to each.
LIBRARY_MESSAGES: Mapping[str, Mapping[str, Any]] = {
    "is not of type": {**REQUIRED, "max_retries": "x"},
    "is not one of": {**REQUIRED, "headers": "x"},
    "is less than the minimum of": {**REQUIRED, "max_retries": -1},
    "is greater than the maximum of": {**REQUIRED, "parallel_exports": 65},
    "is a required property": {"application_id": APPLICATION_ID},
    "should be non-empty": {**REQUIRED, "spool_dir": ""},
    "does not match": {**REQUIRED, "stream_overrides": {"countries": {"name": "1 x"}}},
    "is too long": {**REQUIRED, "stream_overrides": {"countries": {"name": 64 * "x"}}},
    "is not valid under any of the given schemas": {**REQUIRED, "stream_maps": {"countries": "x"}},
}
# Messages of click, and arguments that lead to each.
COMMAND_LINE_MESSAGES: Mapping[str, list[str]] = {
    "No such option": ["--chek"],
    "Invalid value for": ["--state", "no-such-file.json"],
    "Got unexpected extra argument": ["more"],
}
# A message of the SDK.
NO_FLATTENING_DEPTH = "flattening_max_depth is required when flattening is enabled"
FOREIGN_MESSAGES = (*LIBRARY_MESSAGES, *COMMAND_LINE_MESSAGES, NO_FLATTENING_DEPTH)
# Shorter texts are parts of others.
MIN_MESSAGE_WORDS = 4
SQL = re.compile(
    r"\b(SELECT|FROM|COPY|CAST|CASE|AS|OR|IN|UNION|SET|JOIN|WHEN|DESCRIBE|CREATE|DROP|COMPRESSION)\b|^\W*\w+\("
)
REMEDY = re.compile(
    r"(Set|Check|Install|Make|Raise|Lower|Run again|Write|Leave|Correct|Replace|Discover again|Please report|Did you) "
)
# The beginnings of texts in the code that docs/troubleshooting.md need not explain, and why.
NEEDS_NO_ENTRY: Mapping[str, tuple[str, ...]] = {
    "It ends another message.": (
        "Nothing of <...> was emitted.",
        "Only its key is set.",
        "None of the application's streams is extracted.",
        "Rows deleted since the last run stay in the target",
        "The export needs <...>, beside those that are downloaded ahead",
        "The stream <...> needs about twice the size of its export.",
        "The stream <...> needs room for all its slices, and for one of them twice.",
        "The stream has no column titles.",
        "The stream is not in the catalog.",
        "Until then, each sync fails this stream.",
        "more than the <...> bytes so far",
        "the system directory for temporary files",
    ),
    "It is the cause within a message that has an entry.": (
        "DuckDB cannot read or write a file",
        "a number has too many digits",
        "a package cannot be imported",
        "is not a number",
        "it does not end with a line end",
        "it ends inside a quoted field",
        "it has <...> in addition",
        "it has the same columns in another order",
        "it ends with the connection, which does not prove that it is complete",
        "it is longer than <...> bytes",
        "it is not a logging configuration",
        "it is not the name of a file",
        "its values are nested too deep",
        "not a date (YYYY-MM-DD)",
        "not a number of rows",
        "not a whole number",
        "not the name of a snapshot",
        "the connection was closed on this side",
        "the package backoff is too old for retries",
        "the response has no valid status",
        "the response took too long",
        "the server ended it with",
        "the server ended the connection",
        "the server reset the stream",
    ),
    "It says what is wrong with a stream of the catalog.": (
        "it has no schema with properties",
        "key_properties must be a list of column names",
        "metadata must be a list of objects",
        "schema must be a JSON schema",
        "selected must be true or false",
    ),
    "It is the reason of a full send.": (
        "columns have other types",
        "other columns are selected",
        "stream maps or flattening are set differently",
        "the key was (<...>) and is",
        "this version of the tap computes contentHash in another way",
    ),
    "It names the place of an error, in front of it.": (
        "--config <...>: <...>. Correct the file.",
        "Listing the blocks of application <...>",
        "Listing the views of <...>",
        "spool_dir, or the variable TMPDIR,",
        "table-key-properties of <...> in the catalog",
    ),
    "It reports that something is in order, or goes on.": (
        "of <...> emitted so far",
        "of <...> read so far",
        "read again or for the first time",
        "Pigment accepts the API key",
        "The API key has the Export scope",
        "requests_per_window allows <...> in 5 minutes",
        "spool_dir: <...> can be used.",
        "waiting for Pigment's response",
    ),
    "It is a cell of pigment_blocks, not a message.": (
        "include or exclude skips it",
        "its export failed at discovery",
        "its stream is not selected",
        "the catalog lacks it",
    ),
    "It is a help text or a description.": (
        "Applications that the API key can see",
        "DimensionList, TransactionList, Metric or Table",
        "Id of the application",
        "Id of the block",
        "Id of the view",
        "List the snapshots at",
        "Use a Singer catalog file.",
        "Lists, metrics and tables of the extracted applications",
        "Name of the application in Pigment",
        "Name of the block",
        "Name of the view in Pigment",
        "Views of the blocks of the extracted applications",
        "Whether the run extracts the block",
        "Why the run does not extract the block",
        "Number of the row among identical rows",
        "SHA-256 of the exported cells",
        "Test API key, scopes, applications and quota",
        "When the row was found to be deleted",
    ),
    "It is worded as jsonschema's message, which has an entry.": (
        "'<...>' is a required property: set it in batch_config.<...>.",
    ),
    "It is a pattern, which messages of a library match.": (
        "'(.*)' is a required property",
        "Additional properties are not allowed",
    ),
}

MESSAGES = [text for text in map(without_start, TEXTS) if " " in text]


def texts_of(error_class: str) -> list[str]:
    """Return the messages with which the code makes an error of a class."""
    found = []
    for module in modules():
        for node in ast.walk(module):
            match node:
                case ast.Call(func=ast.Name(id=name)) if name == error_class:
                    parts: list[ast.AST] = [*node.args]
                case ast.Tuple(elts=[ast.Name(id=name), text]) if name == error_class:
                    parts = [text]
                case ast.ClassDef(name=name) if name == error_class:
                    parts = [*node.body]
                case _:
                    continue
            found += [without_start(text) for part in parts for text in texts(part)]
    # What continues a message is no message.
    return [text for text in found if " " in text and re.match(r"[\w'-]", text)]


def in_code(start: str) -> str:
    """Return the beginning of a text as it stands in the code."""
    return re.sub(r"<[^>]*>", GAP, start)


def phrase_in_code(phrase: str) -> str:
    """Return the beginning of a message as it stands in the code: `<n> rows` has a gap for `<n>`."""
    return without_start(in_code(phrase))


PHRASES = [phrase for row in table_rows(TROUBLESHOOTING) for phrase in quoted(row[0])]
ERROR_CLASSES = [
    name
    for name, error_class in vars(errors).items()
    if isinstance(error_class, type) and issubclass(error_class, Exception) and name != "PigmentError"
]


@pytest.mark.parametrize("phrase", PHRASES)
def test_a_quoted_message_is_one_of_the_code(phrase: str) -> None:
    assert any(text.startswith(phrase_in_code(phrase)) for text in (*MESSAGES, *FOREIGN_MESSAGES))


@pytest.mark.parametrize("message", FOREIGN_MESSAGES)
def test_a_message_of_a_library_has_an_entry(message: str) -> None:
    assert message.startswith(tuple(map(phrase_in_code, PHRASES)))


@pytest.mark.parametrize("phrase", LIBRARY_MESSAGES)
def test_a_message_of_a_library_is_quoted_as_it_is(phrase: str) -> None:
    with pytest.raises(ConfigValidationError) as error:
        TapPigment(config=LIBRARY_MESSAGES[phrase], setup_mapper=False)

    assert phrase in error.value.errors[0]


@pytest.mark.parametrize("phrase", COMMAND_LINE_MESSAGES)
def test_a_wrong_command_line_has_the_message_of_the_page(phrase: str) -> None:
    with pytest.raises(click.UsageError) as error:
        TapPigment.get_singer_command().make_context("tap-pigment", list(COMMAND_LINE_MESSAGES[phrase]))

    assert error.value.format_message().startswith(phrase)


def test_flattening_without_a_depth_has_the_message_of_the_page() -> None:
    with pytest.raises(ConfigValidationError) as error:
        TapPigment(config={**REQUIRED, "flattening_enabled": True}, setup_mapper=True)

    assert error.value.errors == [NO_FLATTENING_DEPTH]


def is_message(text: str) -> bool:
    """Return whether a text of the code may be the beginning of an error or a warning.

    Not SQL, not a sentence with a remedy, and not what continues a text before it.
    """
    start = without_start(text)
    is_start = not text.startswith(" ") and bool(re.match(r"[\w'\"-]", start))
    is_long = sum(any(map(str.isalpha, word)) for word in start.split()) >= MIN_MESSAGE_WORDS
    return is_start and is_long and not SQL.search(start) and not REMEDY.match(start)


def informing_texts() -> set[str]:
    """Return the texts that are logged as information."""
    return {
        text
        for module in modules()
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "info"
        for argument in node.args
        for text in texts(argument)
    }


POSSIBLE_MESSAGES = sorted(
    {without_start(text) for text in TEXTS if is_message(text)} - set(map(without_start, informing_texts()))
)
ENTRIES = tuple(phrase_in_code(phrase) for phrase in PHRASES)


@pytest.mark.parametrize("message", POSSIBLE_MESSAGES)
def test_each_message_has_an_entry_or_needs_none(message: str) -> None:
    reasons = [reason for reason, starts in NEEDS_NO_ENTRY.items() if message.startswith(tuple(map(in_code, starts)))]

    has_entry = message.startswith(ENTRIES)

    # Add a row to docs/troubleshooting.md, or the beginning of the text to NEEDS_NO_ENTRY, below a reason.
    assert has_entry or reasons, message.replace(GAP, "<...>")


@pytest.mark.parametrize("start", [start for starts in NEEDS_NO_ENTRY.values() for start in starts])
def test_a_text_that_needs_no_entry_is_in_the_code_and_has_none(start: str) -> None:
    assert any(message.startswith(in_code(start)) and not message.startswith(ENTRIES) for message in POSSIBLE_MESSAGES)


def test_docstrings_are_not_taken_for_messages() -> None:
    code = (
        '"""Rows share a key."""\ndef fail(name):\n    """Fail for lost rows."""\n    raise Error(f"{name}: lost rows")'
    )

    assert list(texts(ast.parse(code))) == [f"{GAP}: lost rows"]


def test_headings_name_each_error_class_once() -> None:
    headings = re.findall(r"^## .*\((.*)\)$", TROUBLESHOOTING, flags=re.MULTILINE)

    named = [name for heading in headings for name in heading.split(", ")]

    assert sorted(named) == sorted(ERROR_CLASSES)


@pytest.mark.parametrize("error_class", ERROR_CLASSES)
def test_each_error_class_has_a_quoted_message(error_class: str) -> None:
    starts = tuple(map(phrase_in_code, PHRASES))

    messages = texts_of(error_class)

    assert any(message.startswith(starts) for message in messages)

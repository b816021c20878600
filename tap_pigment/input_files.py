"""JSON from outside: the files of `--config`, `--catalog` and `--state`, and JSON in environment variables.

PowerShell's `>` writes UTF-16 with a byte order mark, and some editors write one in front of UTF-8; both are read.
"""

from __future__ import annotations

import codecs
import json
import re
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from tap_pigment.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_HALF_OF_PAIR = re.compile("[\ud800-\udfff]")
_HOW_TO_DISCOVER = "Make a catalog with --discover"


# Text and JSON


def decoded(content: bytes) -> str:
    """Return the text of a file.

    Raises:
        ValueError: If it is neither UTF-8 nor UTF-16 with a byte order mark.
    """
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise ValueError("it is neither UTF-8 nor UTF-16 text") from None


def parse_json(text: str) -> Any:  # noqa: ANN401 - JSON.
    """Return the value of a JSON text; numbers with a fraction keep their digits.

    Raises:
        ValueError: If it is not JSON. The message quotes nothing of it.
    """
    if not text.strip():
        raise ValueError("it is empty")
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("it is not JSON: it is nested too deeply") from None
    except ArithmeticError:
        raise ValueError("it is not JSON: the exponent of a number is too large") from None
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


# Files


def read_config(paths: tuple[str, ...]) -> dict[str, Any]:
    """Return the config of all files; a later file replaces settings of an earlier one.

    Raises:
        SettingsError: If a file cannot be read, or holds no config.
    """
    config: dict[str, Any] = {}
    for path in paths:
        try:
            content = parse_json(decoded(Path(path).read_bytes()))
        except OSError as error:
            raise SettingsError(
                f"--config {path}: cannot read the file: {error.strerror}. Correct the path or its permissions."
            ) from None
        except ValueError as error:
            raise SettingsError(f"--config {path}: {error}. Correct the file.") from None
        if not isinstance(content, dict):
            raise SettingsError(f'--config {path}: it is not an object. A config is JSON such as {{"api_key": "..."}}.')
        config |= content
    return config


def read_state(file: IO[bytes]) -> str:
    """Return the JSON of a state file, after a check that it is a state.

    Raises:
        SettingsError: If it is not.
    """
    return _checked_text(file, "--state", state_problem)


def read_state_or_wrapped(file: IO[bytes]) -> Mapping[str, Any]:
    """Return the state of a file, which may also be the value of `singer_state`, as `meltano state get` writes it.

    Raises:
        SettingsError: If it holds no state.
    """
    _, content = _read(file, "--state")
    state = content.get("singer_state", content) if isinstance(content, dict) else content
    _raise_problem(file, "--state", state_problem(state))
    found: dict[str, Any] = state
    return found


def read_catalog(file: IO[bytes]) -> str:
    """Return the JSON of a catalog file, after a check that it is a catalog.

    Raises:
        SettingsError: If it is not.
    """
    return _checked_text(file, "--catalog", catalog_problem)


def _checked_text(file: IO[bytes], option: str, problem_of: Callable[[object], str | None]) -> str:
    """Return the text of a file, after a check of its JSON."""
    text, content = _read(file, option)
    _raise_problem(file, option, problem_of(content))
    return text


def _read(file: IO[bytes], option: str) -> tuple[str, Any]:
    """Return the text of a file and its JSON."""
    text = ""
    try:
        text = decoded(file.read())
        return text, parse_json(text)
    except OSError as error:
        raise SettingsError(f"{option} {file.name}: cannot read the file: {error.strerror}. Correct it.") from None
    except ValueError as error:
        remedy = f"{_HOW_TO_DISCOVER}." if option == "--catalog" else "Leave the option out for a run without it."
        problem = f"{error}. {remedy}"
        if option == "--state" and _has_json_lines(text):
            problem = "it has several lines of JSON, such as the output of a target. Pass the state of the last line."
        raise SettingsError(f"{option} {file.name}: {problem}") from None


def _raise_problem(file: IO[bytes], option: str, problem: str | None) -> None:
    if problem:
        raise SettingsError(f"{option} {file.name}: {problem}")


def _has_json_lines(text: str) -> bool:
    """Return whether a text has several lines and the first of them is JSON by itself."""
    first, _, others = text.partition("\n")
    try:
        parse_json(first)
    except ValueError:
        return False
    return bool(others.strip())


# Shapes


def state_problem(content: object) -> str | None:
    """Return what is wrong with the content of a state file, or None."""
    if not isinstance(content, dict):
        return "it is not an object with bookmarks. Pass the value of the last STATE message."
    if "singer_state" in content:
        return (
            "the state stands in singer_state, as `meltano state get` writes it. Pass the value of singer_state alone."
        )
    if content.get("type") == "STATE":
        return "it is a whole STATE message. Pass its value alone."
    bookmarks = content.get("bookmarks")
    if content and not isinstance(bookmarks, dict):
        return "it is not an object with bookmarks. Pass the value of the last STATE message."
    if not all(isinstance(bookmark, dict) for bookmark in (bookmarks or {}).values()):
        return "each of its bookmarks must be an object. Pass the value of the last STATE message."
    return None


def catalog_problem(content: object) -> str | None:
    """Return what is wrong with the content of a catalog file, or None."""
    entries = content.get("streams") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        return f"it is not an object with streams. {_HOW_TO_DISCOVER}."
    if not all(isinstance(entry, dict) for entry in entries):
        return f"each of its streams must be an object. {_HOW_TO_DISCOVER}."
    ids: set[str] = set()
    for number, entry in enumerate(entries, start=1):
        stream_id = entry.get("tap_stream_id")
        if not isinstance(stream_id, str) or not stream_id:
            return f"stream {number} has no tap_stream_id. {_HOW_TO_DISCOVER}."
        if stream_id in ids:
            return f"two streams have the tap_stream_id {stream_id}. Remove one of them."
        ids.add(stream_id)
        if problem := _entry_problem(entry):
            return f"stream {stream_id}: {problem}. {_HOW_TO_DISCOVER}."
    return None


def _entry_problem(entry: Mapping[str, Any]) -> str | None:
    for name in ("stream", "table_name", "database_name", "replication_method", "replication_key"):
        if not _is_text_or_null(entry.get(name)):
            return f"{name} must be text"
    schema = entry.get("schema")
    if not isinstance(schema, dict) or "properties" not in schema:
        return "it has no schema with properties"
    if not _is_schema(schema):
        return "schema must be a JSON schema, with an object for each property"
    keys = entry.get("key_properties")
    if not (keys is None or _is_texts(keys)):
        return "key_properties must be a list of column names"
    return _metadata_problem(entry.get("metadata", []))


def _metadata_problem(metadata: object) -> str | None:
    if not (isinstance(metadata, list) and all(map(_is_metadata, metadata))):
        return "metadata must be a list of objects with breadcrumb and metadata"
    if not all(isinstance(item["metadata"].get("selected"), bool | None) for item in metadata):
        return "selected must be true or false"  # A text would count as true.
    return None


def _is_schema(found: object) -> bool:
    """Return whether a value has the shape of a JSON schema, in all members that the SDK reads."""
    if not isinstance(found, dict):
        return False
    types, properties = found.get("type", []), found.get("properties", {})
    if not (isinstance(types, str) or _is_texts(types)) or not isinstance(properties, dict):
        return False
    choices = [found[name] for name in ("anyOf", "oneOf", "allOf") if name in found]
    members = [*properties.values(), *([found["items"]] if "items" in found else [])]
    return all(isinstance(choice, list) for choice in choices) and all(map(_is_schema, chain(members, *choices)))


def _is_metadata(found: object) -> bool:
    """Return whether a value is an item of a catalog's metadata."""
    if not (isinstance(found, dict) and _is_texts(found.get("breadcrumb")) and isinstance(found.get("metadata"), dict)):
        return False
    keys = found["metadata"].get("table-key-properties")
    methods = [found["metadata"].get(name) for name in ("forced-replication-method", "replication-key")]
    return all(map(_is_text_or_null, methods)) and (keys is None or isinstance(keys, str) or _is_texts(keys))


def _is_text_or_null(found: object) -> bool:
    """Return whether a value is null, or text that can be encoded: JSON can hold halves of pairs."""
    return found is None or (isinstance(found, str) and not _HALF_OF_PAIR.search(found))


def _is_texts(found: object) -> bool:
    return isinstance(found, list) and all(isinstance(item, str) for item in found)

"""Rules for the settings that a JSON schema cannot express."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tap_pigment.columns import MAX_NAME_BYTES
from tap_pigment.redaction import redacted
from tap_pigment.settings.model import ALL_APPLICATIONS, application_ids, ignoring_activation
from tap_pigment.settings.schema import METADATA_STREAMS, SETTINGS, ChangeDetection, Headers
from tap_pigment.settings.stream_maps import map_problems

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_API_KEYS = ("api_key", "metadata_api_key")
_KEY_START = "pgmt_"
# How jsonschema and the SDK word errors (jsonschema 4, singer-sdk 0.54).
_IN_CONFIG = re.compile(r" in config(\[.*\])$", re.DOTALL)
_KEY_IN_PATH = re.compile(r"\['?(.*?)'?\]")
_UNEXPECTED = re.compile(r"Additional properties are not allowed \((.*) (?:was|were) unexpected\)", re.DOTALL)
_REQUIRED = re.compile(r"'(.*)' is a required property")
_QUOTED = re.compile(r"'([^']*)'")
_OR_NULL = ", 'null'"
# Texts in quotes match first, so that nothing in them is changed.
_PYTHON_VALUE = re.compile(r"""Decimal\('([^']*)'\)|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\b(?:None|True|False)\b""")
_JSON_CONSTANTS = {"None": "null", "True": "true", "False": "false"}
# Settings of the SDK that refine another one.
_SETTINGS_OF = {
    "stream_maps": ("stream_map_config", "faker_config"),
    "flattening_enabled": ("flattening_max_depth", "flattening_max_key_length", "flattening_separator"),
}
_BATCH_MEMBERS = {"encoding": "format", "storage": "root"}
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_STREAM_OVERRIDE_MEMBERS = SETTINGS["properties"]["stream_overrides"]["additionalProperties"]["properties"]


def config_errors(config: Mapping[str, Any]) -> list[str]:
    """Return a message for each rule that a config breaks, beyond those of its JSON schema."""
    found = _application_problems(config)
    found += [
        f"{name}: it holds a control character, such as a line end or NUL. Remove it."
        for name, texts in _names_of_places(config).items()
        if any(unicodedata.category(character) in {"Cc", "Cs"} for character in "".join(texts))
    ]
    url = config.get("api_url")
    if isinstance(url, str) and (problem := _url_problem(url)):
        found.append(f"api_url: {problem}")
    for name in _API_KEYS:
        key = config.get(name)
        if isinstance(key, str) and not (key.isascii() and key.isprintable() and key == key.strip()):
            found.append(f"{name}: it holds spaces, line breaks or characters that no API key has. Copy it again.")
    batch: Any = config.get("batch_config")
    found += [
        f"'{name}' is a required property: set it in batch_config.{member}."
        for member, name in _BATCH_MEMBERS.items()
        if isinstance(batch, dict) and isinstance(batch.get(member), dict) and name not in batch[member]
    ]
    if config.get("batch_config") and config.get("stream_maps"):
        found.append(
            "batch_config: stream maps change single records, and BATCH files are written without them. Remove "
            "stream_maps, or batch_config."
        )
    shortest = config.get("flattening_max_key_length")
    if config.get("flattening_enabled") and isinstance(shortest, int) and shortest <= MAX_NAME_BYTES:
        found.append(
            f"flattening_max_key_length: {shortest} would rename columns in SCHEMA and records, and not in keys and "
            f"files. Names of columns have up to {MAX_NAME_BYTES} bytes: set it to {MAX_NAME_BYTES + 1} or more, or "
            "remove it."
        )
    if config.get("change_detection") == ChangeDetection.ROW and not config.get("snapshot_uri"):
        found.append(
            "snapshot_uri: change_detection: row compares rows with a snapshot of the last run. Set snapshot_uri to "
            "the path or fsspec URL where snapshots are kept."
        )
    if config.get("change_detection") == ChangeDetection.ROW and config.get("batch_config"):
        found.append(
            "batch_config: change_detection: row emits changed and deleted rows as records. Remove batch_config, or "
            "set change_detection to stream."
        )
    if config.get("change_detection") == ChangeDetection.ROW:
        # The streams of metadata have no deleted rows.
        unaffected = METADATA_STREAMS if config.get("metadata_streams") else ()
        stream_maps = config.get("stream_maps")
        if isinstance(stream_maps, dict):
            found += map_problems({name: each for name, each in stream_maps.items() if name not in unaffected})
    return found


def settings_without_effect(config: Mapping[str, Any]) -> list[str]:
    """Return a warning for each setting that has no effect beside the others.

    Args:
        config: The settings that are set, without defaults; valid.
    """
    mode = config.get("change_detection", ChangeDetection.NONE.value)
    headers = {override.get("headers") for override in (config.get("stream_overrides") or {}).values() if override}
    is_friendly = config.get("headers") == Headers.FRIENDLY and Headers.TECHNICAL not in headers
    reasons = {
        "emit_activate_version_messages": ignoring_activation(config),
        "snapshot_uri": None if mode == ChangeDetection.ROW else f"change_detection: {mode}",
        "column_titles": "headers: friendly" if is_friendly and config.get("column_titles") else None,
    }
    found = [f"{name} has no effect with {reason}" for name, reason in reasons.items() if reason and name in config]
    for needed, names in _SETTINGS_OF.items():
        found += [
            f"{name} has no effect without {needed}" for name in names if name in config and not config.get(needed)
        ]
    return found


def _application_problems(config: Mapping[str, Any]) -> list[str]:
    """Return a message for each rule about applications, and about blocks that need none, that a config breaks."""
    several = config.get("application_ids") or []
    if not isinstance(several, list) or not all(isinstance(each, str) for each in several):
        return []  # The schema reports other types.
    if not isinstance(config.get("application_id") or "", str):
        return []
    found = []
    by_id = _overrides_with_block_type(config)
    if not application_ids(config) and not by_id:
        found.append(
            "'application_id' is a required property: set it (or 'application_ids') to the id of the Pigment "
            "application to extract from."
        )
    found += [
        f"{name}: it holds an API key. Set it to the id in the address of Pigment's screens."
        for name in ("application_id", "application_ids")
        if _KEY_START in str(config.get(name))
    ]
    if config.get("application_id") == ALL_APPLICATIONS:
        found.append('application_id: "*" is not an id. For every application, set application_ids to ["*"] instead.')
    elif ALL_APPLICATIONS in (config.get("application_ids") or ()) and len(application_ids(config)) > 1:
        found.append(
            'application_ids: "*" already means every application that the key sees. Remove the other ids, and '
            "application_id."
        )
    if config.get("metadata_streams") and by_id and not application_ids(config):
        found.append(
            "metadata_streams: no application is set, so there is nothing to list. Set application_id or "
            "application_ids, or remove metadata_streams."
        )
    found += [
        f"stream_overrides.{key}: it has a block_type, so its key must be the id of a block, and {key} is not a UUID. "
        "Set it to the id, or remove block_type."
        for key in by_id
        if not _UUID.fullmatch(key)
    ]
    return found


def _overrides_with_block_type(config: Mapping[str, Any]) -> list[str]:
    """Return the keys of the overrides that name the type of a block; the schema reports malformed ones."""
    overrides = config.get("stream_overrides")
    return [
        key
        for key, override in (overrides.items() if isinstance(overrides, dict) else ())
        if isinstance(override, dict) and override.get("block_type")
    ]


def _names_of_places(config: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the texts that become a part of an address or a path, by setting; the schema reports other types."""
    found = {
        name: config.get(name) for name in ("api_url", "application_id", "spool_dir", "snapshot_uri", "quota_file")
    }
    found["application_ids"] = config.get("application_ids")
    batch = config.get("batch_config")
    storage = batch.get("storage") if isinstance(batch, dict) else None
    if isinstance(storage, dict):
        found |= {f"batch_config.storage.{name}": storage.get(name) for name in ("root", "prefix")}
    return {
        name: [text for text in (place if isinstance(place, list) else [place]) if isinstance(text, str)]
        for name, place in found.items()
    }


def readable_schema_error(error: str) -> str:
    """Return an error that jsonschema found in a config, in the form of all messages: the setting comes first.

    Args:
        error: An error as the SDK words it, such as `'x' is not of type 'integer', 'null' in config['max_retries']`.
    """
    found = _IN_CONFIG.search(error)
    path = ".".join(_KEY_IN_PATH.findall(found[0])) if found else ""
    if path in _API_KEYS:  # The error quotes its value.
        return f"{path}: an API key is a text that is not empty."
    error = redacted(error)  # An API key may stand in another setting.
    problem = _as_json(error[: found.start()] if found else error)
    if unknown := _UNEXPECTED.fullmatch(problem):
        known = _STREAM_OVERRIDE_MEMBERS if path.startswith("stream_overrides.") else SETTINGS["properties"]
        return " ".join(_unknown_setting(name, path, known) for name in _QUOTED.findall(unknown[1]))
    if missing := _REQUIRED.fullmatch(problem):
        return f"{problem}: set it in {path or 'the config'}." if missing[1] != "api_key" else f"{problem}: set it."
    return f"{path}: {problem.replace(_OR_NULL, '')}" if path else problem


def _as_json(problem: str) -> str:
    """Return an error in which values are written as in JSON: jsonschema writes them as Python does."""
    return _PYTHON_VALUE.sub(lambda found: found[1] or _JSON_CONSTANTS.get(found[0], found[0]), problem)


def _unknown_setting(name: str, path: str, known: Collection[str]) -> str:
    similar = get_close_matches(name, known, n=1)
    hint = f" Did you mean {similar[0]}?" if similar else ""
    return f"{path}{path and '.'}{name}: unknown setting ('{name}' was unexpected).{hint}"


def _url_problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # Raises ValueError for an invalid port.
    except ValueError as error:
        return f"not a URL ({error})."
    if parts.scheme not in {"http", "https"} or not host or " " in url:
        return "not a URL of the form https://pigment.app/api."
    if parts.username or parts.password or parts.query or parts.fragment:
        return "only scheme, host, port and path are allowed."
    if parts.scheme == "http" and not is_loopback(host):
        return f"plain http to {host} would send the API key unencrypted. Use https."
    return None


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, so that no network lies between."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

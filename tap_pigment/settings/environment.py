"""Environment variables: settings, unknown variables, level and configuration of the log, and the file of TLS keys."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_pigment.errors import SettingsError
from tap_pigment.input_files import parse_json

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping

_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_DEFAULT_LEVEL = "INFO"
_LOG_CONFIG = "SINGER_SDK_LOG_CONFIG"


# Settings


def read_variables(
    environment: Mapping[str, str], prefix: str, properties: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, Any], list[str]]:
    """Return the settings in the environment, and a message for each variable that cannot be read.

    A variable that is empty does not count as set. Messages quote no value, because it may be secret.

    Args:
        environment: All variables.
        prefix: The beginning of the names of those that are settings.
        properties: The JSON schema of each setting.
    """
    config: dict[str, Any] = {}
    errors = []
    for setting, schema in properties.items():
        variable = variable_name(prefix, setting)
        if text := environment.get(variable):
            try:
                config[setting] = _reader(schema)(text)
            except ValueError as error:
                errors.append(f"{variable}: {error}")
    return config, errors


def variable_name(prefix: str, setting: str) -> str:
    """Return the name of the variable for a setting."""
    return prefix + setting.upper().replace("-", "_")


def _reader(schema: Mapping[str, Any]) -> Callable[[str], Any]:
    """Return the function that reads a value of a JSON schema from text."""
    for name, read in (("integer", _integer), ("boolean", _boolean), ("object", _object)):
        if name in schema["type"]:
            return read
    return _array if "array" in schema["type"] else str


def _integer(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,100}", text.strip()):
        raise ValueError("it is not a whole number. Set it to digits only, such as 3.")
    return int(text)


def _boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text.strip().lower()]
    except KeyError:
        raise ValueError("it is not a boolean. Set it to true or false, 1 or 0, yes or no, on or off.") from None


def _array(text: str) -> list[Any]:
    """Read a JSON list, or texts between commas."""
    if not text.lstrip().startswith("["):
        return [item.strip() for item in text.split(",")]
    try:
        found: list[Any] = parse_json(text)
    except ValueError as error:
        raise ValueError(f'{error}. Write a list as JSON, such as ["a", "b"].') from None
    return found


def _object(text: str) -> dict[str, Any]:
    example = 'Write an object as JSON, such as {"name": "value"}.'
    try:
        found = parse_json(text)
    except ValueError as error:
        raise ValueError(f"{error}. {example}") from None
    if not isinstance(found, dict):
        raise ValueError(f"it is not an object. {example}")  # noqa: TRY004 - the value of a variable, not a type of ours.
    return found


# Unknown variables


def unknown_variables_warning(
    environment: Mapping[str, str], prefix: str, properties: Mapping[str, Mapping[str, Any]]
) -> str | None:
    """Return a warning about variables that look like settings and are not, or None.

    Meltano 4.4 exports to a tap: every setting, members of objects by their path (`BATCH_CONFIG_ENCODING_FORMAT`), its
    own extras behind a second underscore (`_SELECT`), and everything in the project's `.env`. A plugin that inherits
    from another gets all of these again under its own name (`EMEA_API_KEY`).

    Args:
        environment: All variables.
        prefix: The beginning of the names of settings.
        properties: The JSON schema of each setting.
    """
    known = {variable_name("", setting) for setting in properties}
    objects = tuple(f"{variable_name('', name)}_" for name, schema in properties.items() if "object" in schema["type"])
    is_meltano = "MELTANO_PROJECT_ROOT" in environment
    unknown = sorted(
        name.removeprefix(prefix)
        for name, text in environment.items()
        if text and re.fullmatch(rf"{re.escape(prefix)}\w+", name)
    )
    unknown = [
        name
        for name in unknown
        if name not in {*known, "LOGLEVEL"}
        and not name.startswith(("_", *objects))
        and not (is_meltano and _is_of_inheriting_plugin(name, known, objects))
    ]
    if not unknown:
        return None
    named = ", ".join(f"{prefix}{name}{_hint(name, prefix, known)}" for name in unknown)
    return f"Environment variables without a setting have no effect: {named}. Correct or remove them."


def _is_of_inheriting_plugin(name: str, known: Collection[str], objects: tuple[str, ...]) -> bool:
    """Return whether a name is the name of a plugin that inherits, and then that of a setting or an extra."""
    parts = name.split("_")
    endings = ["_".join(parts[start:]) for start in range(1, len(parts))]
    return any(ending in known or ending.startswith(("_", *objects)) for ending in endings)


def _hint(name: str, prefix: str, known: Collection[str]) -> str:
    nearest = get_close_matches(name, known, n=1)
    return f" (did you mean {prefix}{nearest[0]}?)" if nearest else ""


# Variables that are not settings


def use_known_log_level(environment: MutableMapping[str, str], prefix: str) -> str | None:
    """Set a log level that Python does not know to INFO, and return a warning about it, or None; remove an empty one.

    Args:
        environment: All variables.
        prefix: The beginning of the variable that comes before `LOGLEVEL`.
    """
    variables = (f"{prefix}LOGLEVEL", "LOGLEVEL")
    for variable in variables:
        if not environment.get(variable):
            environment.pop(variable, None)  # An empty variable is not set; the SDK would read it as a level.
    name = next((variable for variable in variables if variable in environment), None)
    if name is None or environment[name].upper() in logging.getLevelNamesMapping():
        return None
    environment[name] = _DEFAULT_LEVEL
    return f"{name}: unknown level, so {_DEFAULT_LEVEL} is used. Set it to DEBUG, INFO, WARNING, ERROR or CRITICAL."


@contextmanager
def log_config_errors(environment: MutableMapping[str, str]) -> Iterator[None]:
    """Turn what the file of `SINGER_SDK_LOG_CONFIG` raises while the block configures the log into one error.

    Raises:
        SettingsError: If the file cannot be read, or is not a logging configuration.
    """
    path = environment.get(_LOG_CONFIG)
    if not path:
        environment.pop(_LOG_CONFIG, None)  # The SDK would open it.
        yield
        return
    try:
        Path(path).open("rb").close()  # The SDK would only warn of a missing file.
        yield
    except Exception as error:  # noqa: BLE001 - YAML and log handlers have errors of their own.
        reasons = (text for text in (_reason(error), _reason(error.__cause__)) if text)
        raise SettingsError(
            f"SINGER_SDK_LOG_CONFIG: cannot use {path}: {': '.join(reasons)}. Correct the file, or remove the variable."
        ) from None


def _reason(error: BaseException | None) -> str:
    """Return the message of an error in one line."""
    if isinstance(error, TypeError | AttributeError):
        return "it is not a logging configuration"
    text = (isinstance(error, OSError) and error.strerror) or str(error or "")
    return " ".join(text.split()).rstrip(".")


def check_key_log(environment: Mapping[str, str]) -> None:
    """Check that the file of `SSLKEYLOGFILE`, which Python's TLS opens with every connection, can be written.

    Raises:
        SettingsError: If it cannot.
    """
    path = environment.get("SSLKEYLOGFILE")
    if not path:
        return
    try:
        with open(path, "a", encoding="utf-8"):  # noqa: PTH123 - as Python's `ssl` opens it.
            pass
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise SettingsError(
            f"SSLKEYLOGFILE: cannot write {path}: {reason}. Set the variable to a file that can be written, or remove "
            "it."
        ) from None

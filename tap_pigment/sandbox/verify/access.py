"""Where the workspace is and which keys open it: from the tap's environment variables or its config file."""

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DEFAULT_URL = "https://pigment.app/api"
_VARIABLE_PREFIX = "TAP_PIGMENT_"
_SETTINGS = ("api_key", "metadata_api_key", "application_id", "api_url")


class CannotVerifyError(Exception):
    """The workspace cannot be verified; the text is the whole message, in one line."""


@dataclass(frozen=True)
class Access:
    """Where the workspace is and which keys open it.

    Attributes:
        url: The API's base address, without a final slash.
        export_key: The key with the Export scope.
        metadata_key: The key with the Modeling Metadata scope; may be the same.
        application_id: The application whose blocks are exported.
    """

    url: str
    export_key: str = field(repr=False)
    metadata_key: str = field(repr=False)
    application_id: str

    @property
    def host(self) -> str:
        """The host of the address, in lower case."""
        return urlsplit(self.url).hostname or ""

    @property
    def is_encrypted(self) -> bool:
        """Whether the address begins with https."""
        return urlsplit(self.url).scheme == "https"


def read_access(config_file: Path | None, environment: Mapping[str, str]) -> Access:
    """Return the access that the config file gives, or without one the environment; raise CannotVerifyError."""
    if config_file is None:
        given: Mapping[str, Any] = {
            name: environment.get(f"{_VARIABLE_PREFIX}{name.upper()}", "").strip() for name in _SETTINGS
        }
        prefix = _VARIABLE_PREFIX
    else:
        given, prefix = _read_config(config_file), ""

    def shown(name: str) -> str:
        return f"{prefix}{name.upper()}" if prefix else f"{config_file}: {name}"

    texts = {name: _text(shown(name), given.get(name)) for name in _SETTINGS}
    texts["application_id"] = texts["application_id"] or _first_application(given)
    for name in ("api_key", "application_id"):
        if not texts[name]:
            raise CannotVerifyError(f"{shown(name)}: not set. Set it as for tap-pigment.")
    for name in ("api_key", "metadata_api_key"):
        if not (texts[name].isascii() and texts[name].isprintable()) or " " in texts[name]:
            raise CannotVerifyError(f"{shown(name)}: it holds characters that no API key has. Copy it again.")
    url = texts["api_url"] or DEFAULT_URL
    if not _is_allowed(url):
        raise CannotVerifyError(f"{shown('api_url')}: not an https address. Set it as for tap-pigment, or remove it.")
    return Access(
        url.rstrip("/"), texts["api_key"], texts["metadata_api_key"] or texts["api_key"], _application_id(texts)
    )


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read_config(path: Path) -> Mapping[str, Any]:
    try:
        config = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise CannotVerifyError(f"{path}: {error.strerror}. Give the config file of tap-pigment.") from None
    except ValueError:
        raise CannotVerifyError(f"{path}: not JSON. Give the config file of tap-pigment.") from None
    if not isinstance(config, dict):
        raise CannotVerifyError(f"{path}: not a JSON object. Give the config file of tap-pigment.")
    return config


def _text(shown: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise CannotVerifyError(f"{shown}: not a string. Set it as for tap-pigment.")
    return value


def _first_application(config: Mapping[str, Any]) -> str:
    """Return the first id of `application_ids`; empty if there is none, or only `*`."""
    ids = config.get("application_ids")
    return next((each for each in ids if isinstance(each, str) and each != "*"), "") if isinstance(ids, list) else ""


def _application_id(texts: Mapping[str, str]) -> str:
    application_id = texts["application_id"]
    if application_id.startswith("pgmt_"):
        raise CannotVerifyError("application_id: it holds an API key. Set it to the id in Pigment's address bar.")
    return application_id


def _is_allowed(url: str) -> bool:
    """Return whether keys may be sent to the address: over https, or to this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not url.isprintable() or " " in url or parts.query or parts.fragment or parts.username is not None:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))

"""Texts that are shown: without API keys and passwords, and unable to pass for more than one line."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Collection

_KEY_PATTERN = re.compile(r"pgmt_\w+")
# Up to the last @ of the host. A password may hold a slash that is not escaped; a port is no password.
_USER_INFO = re.compile(r"(?<=://)(?:[^\s/?#]{0,1000}|[^\s/?#:@]{1,1000}:(?!\d+(?:[/?#\s]|$))\S{0,1000})@")
# C0, DEL and C1; separators of lines and paragraphs; marks that change the direction of text; halves of pairs.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_LONG_WORD = re.compile(r"\S{201,}")
_MAX_CHARACTERS = 10_000


def redacted(text: str, keys: Collection[str] = ()) -> str:
    """Return `text` without anything that looks like an API key, and without the user info of URLs.

    Args:
        text: The text.
        keys: API keys that are removed as well, in plain form and as in URLs and JSON.
    """
    for key in keys:
        for form in (key, quote(key, safe=""), json.dumps(key)[1:-1]):
            text = text.replace(form, "***")
    return _USER_INFO.sub("***@", _KEY_PATTERN.sub("pgmt_***", text))


def printable(text: str) -> str:
    """Return `text` redacted and in one line: its control characters are escaped."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), redacted(text))


def shortened(text: str) -> str:
    """Return `text` with only the beginning and the end of very long words, and of a very long text."""
    text = _LONG_WORD.sub(lambda found: f"{found[0][:120]}...{found[0][-60:]}", text)
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:8000]} ... {text[-1000:]}"


class PrintableRecords(logging.Filter):
    """Makes the values in a log line printable. Line breaks of the template stay: the tap wrote them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record, and let it pass."""
        record.name = printable(record.name)
        if not record.args:
            record.msg = printable(str(record.msg))
        elif isinstance(record.args, Mapping):
            record.args = {name: _printable_argument(argument) for name, argument in record.args.items()}
        else:
            record.args = tuple(map(_printable_argument, record.args))
        return True


PRINTABLE_RECORDS = PrintableRecords()
"""The filter, the same for all loggers, so that each has it once."""


def _printable_argument(argument: object) -> object:
    return argument if isinstance(argument, int | float) else printable(str(argument))

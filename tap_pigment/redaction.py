"""API keys, removed from every text that is shown."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Collection

_KEY_PATTERN = re.compile(r"pgmt_\w+")


def redacted(text: str, keys: Collection[str] = ()) -> str:
    """Return `text` without anything that looks like an API key.

    Args:
        text: The text.
        keys: API keys that are removed as well, in plain form and as in URLs and JSON.
    """
    for key in keys:
        for form in (key, quote(key, safe=""), json.dumps(key)[1:-1]):
            text = text.replace(form, "***")
    return _KEY_PATTERN.sub("pgmt_***", text)

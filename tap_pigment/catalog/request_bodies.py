"""The raw request bodies of overrides, checked before anything is sent: first without, then with the block's kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tap_pigment.errors import SettingsError
from tap_pigment.pigment import check_request_body

if TYPE_CHECKING:
    from tap_pigment.catalog.blocks import StreamSource
    from tap_pigment.settings import Settings


def request_errors(config: Mapping[str, Any]) -> list[str]:
    """Return a message for each mistake in the request bodies of a config, whatever the kinds of their blocks.

    Values of the wrong type around them are errors of the config's JSON schema.
    """
    overrides = config.get("stream_overrides")
    return [
        message
        for key, override in (overrides.items() if isinstance(overrides, Mapping) else ())
        if isinstance(override, Mapping) and isinstance(override.get("request"), Mapping)
        for message in check_request_body(override["request"], None, f"stream_overrides.{key}.request")
    ]


def request_failure(source: StreamSource, settings: Settings) -> SettingsError | None:
    """Return the error in a stream's request body, now that the kind of its block is known; None if there is none."""
    if not source.override.request:
        return None
    # The key may be a block's id, or the name that the stream has without its override.
    overrides = settings.stream_overrides.items()
    key = next((key for key, override in overrides if override is source.override), source.name)
    path = f"stream_overrides.{key}.request"
    messages = check_request_body(source.override.request, source.block.type.kind, path)
    return SettingsError(" ".join(messages)) if messages else None

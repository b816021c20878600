"""The raw request bodies of overrides, checked before anything is sent: first without, then with the block's kind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tap_pigment.errors import SettingsError, counted
from tap_pigment.pigment import BlockType, check_request_body

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_pigment.catalog.blocks import StreamSource
    from tap_pigment.settings import Settings

_MAX_NAMED_BODIES = 5


def request_errors(config: Mapping[str, Any]) -> list[str]:
    """Return a message for each mistake in the request bodies of a config; most kinds of blocks are not known yet.

    Values of the wrong type around them are errors of the config's JSON schema.
    """
    overrides = config.get("stream_overrides")
    found = []
    for key, override in overrides.items() if isinstance(overrides, Mapping) else ():
        if not isinstance(override, Mapping):
            continue
        setting = f"stream_overrides.{key}"
        request, slices = override.get("request") or {}, override.get("slices")
        if slices == []:
            path = f"{setting}.slices"
            found.append(f"{path}: it is empty, so nothing is exported. Add request bodies, or remove it.")
        if isinstance(request, Mapping):
            bodies = slices if isinstance(slices, list) else []
            found += _mistakes(request, bodies, _kind(override), setting)
            found += _repeated_slices(request, bodies, setting)
    return found


def _kind(override: Mapping[str, Any]) -> str | None:
    """Return the kind of a block whose override has its type; None for the others."""
    label = override.get("block_type")
    return next((block_type.kind for block_type in BlockType if block_type.label == label), None)


def override_failure(source: StreamSource, settings: Settings) -> SettingsError | None:
    """Return the error in a stream's override, now that its block is known; None if there is none."""
    wanted, listed = source.override.block_type, source.block.type.label
    if wanted and wanted != listed:
        return SettingsError(
            f"stream_overrides.{source.block.id}.block_type: Pigment lists the block as {listed}, and the setting says "
            f"{wanted}. Set it to {listed}, or remove it."
        )
    return request_failure(source, settings)


def request_failure(source: StreamSource, settings: Settings) -> SettingsError | None:
    """Return the error in a stream's request bodies, now that the kind of its block is known; None if there is none."""
    override, block_type = source.override, source.block.type
    # The key may be a block's id, or the name that the stream has without its override.
    overrides = settings.stream_overrides.items()
    key = next((key for key, found in overrides if found is override), source.name)
    setting = f"stream_overrides.{key}"
    messages = _mistakes(override.request, override.slices, block_type.kind, setting)
    return SettingsError(" ".join(messages)) if messages else None


def _mistakes(request: Mapping[str, Any], slices: Sequence[object], kind: str | None, setting: str) -> list[str]:
    """Return a message for each mistake in the bodies of an override; of many bodies with mistakes, the first ones'."""
    path = f"{setting}.slices"
    if kind == BlockType.VIEW.kind and slices:
        refused = f"{path}: a view is exported as it is saved, and takes no slices. Remove them."
        return [*_mistakes(request, (), kind, setting), refused]
    bodies = {"request": request, **{f"slices[{number}]": body for number, body in enumerate(slices)}}
    found = [
        messages
        for name, body in bodies.items()
        if isinstance(body, Mapping) and (messages := check_request_body(body, kind, f"{setting}.{name}"))
    ]
    named = [message for messages in found[:_MAX_NAMED_BODIES] for message in messages]
    more = len(found) - _MAX_NAMED_BODIES
    return named if more <= 0 else [*named, f"{path}: mistakes in {counted(more, 'more slice')}."]


def _repeated_slices(request: Mapping[str, Any], slices: Sequence[object], setting: str) -> list[str]:
    """Return a message for each of the first slices that export the same rows as one before them."""
    found = []
    first_numbers: dict[str, int] = {}
    for number, body in enumerate(slices):
        if not isinstance(body, Mapping):
            continue
        first = first_numbers.setdefault(json.dumps({**request, **body}, sort_keys=True), number)
        if first != number:
            path = f"{setting}.slices[{number}]"
            found.append(
                f"{path}: it exports the same rows as slices[{first}], which would come twice. Remove one of them."
            )
    return found[:_MAX_NAMED_BODIES]

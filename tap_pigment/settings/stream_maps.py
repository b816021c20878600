"""What stream maps may do with `change_detection: row`: a deleted row must reach the target, under its key."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from tap_pigment.columns import DELETED_AT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_WHOLE_RECORD = {"_", "record"}  # The SDK's names for the record in expressions.


def map_problems(stream_maps: Mapping[str, Any]) -> list[str]:
    """Return a message for each stream map that would hide deleted rows from the target."""
    found = []
    for stream, stream_map in stream_maps.items():
        if not isinstance(stream_map, dict):
            continue
        hiding = [name for name in ("__filter__", "__key_properties__") if stream_map.get(name) is not None]
        keeps = "__else__" not in stream_map
        if stream_map.get(DELETED_AT, DELETED_AT if keeps else None) != DELETED_AT:
            hiding.append(DELETED_AT if DELETED_AT in stream_map else "__else__")
        found += [
            f"stream_maps.{stream}.{name}: change_detection: row marks a deleted row by its key and {DELETED_AT}, "
            "which must pass unchanged. Remove it, or set change_detection to stream."
            for name in hiding
        ]
    return found


def key_problem(
    stream: str, stream_map: Mapping[str, Any], key: Collection[str], columns: Collection[str]
) -> str | None:
    """Return what is wrong with a map that makes a key column of other columns, which are null in a deleted row.

    Args:
        stream: The stream's name, or its pattern, in the setting.
        stream_map: The map of the stream.
        key: The names of its key columns.
        columns: The names of all its columns.
    """
    for name in sorted(key):
        expression = stream_map.get(name)
        others = sorted({*columns, *_WHOLE_RECORD}.difference(key) & set(_names_in(expression)))
        if others:
            return (
                f"stream_maps.{stream}.{name}: it makes a key column of {', '.join(others)}. With change_detection: "
                "row, a deleted row has only its key, so it would be emitted under another one. Use key columns only, "
                "or set change_detection to stream."
            )
    return None


def _names_in(expression: object) -> Iterator[str]:
    """Yield the names in an expression; `_["name"]` and `record.get("name")` are names too."""
    if not isinstance(expression, str):
        return
    try:
        nodes = list(ast.walk(ast.parse(expression)))
    except SyntaxError:
        return  # The SDK reports it.
    looked_up = []
    for node in nodes:
        match node:
            case (
                ast.Subscript(value=ast.Name(id="_" | "record") as whole, slice=ast.Constant(value=str() as name))
                | ast.Call(
                    func=ast.Attribute(value=ast.Name(id="_" | "record") as whole, attr="get"),
                    args=[ast.Constant(value=str() as name), *_],
                )
            ):
                looked_up.append(whole)
                yield name
    for node in nodes:
        if isinstance(node, ast.Name) and node not in looked_up:
            yield node.id

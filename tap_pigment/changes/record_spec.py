"""How records are made of rows: exports can be compared only where that is the same. No I/O."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_pigment.columns import Column, RowKey

HASH_VERSION = 1
"""Rises with every change to how `contentHash` is computed."""

# The settings by which the SDK changes records on their way out.
_MAP_SETTINGS = (
    "stream_maps",
    "stream_map_config",
    "faker_config",
    "flattening_enabled",
    "flattening_max_depth",
    "flattening_max_key_length",
    "flattening_separator",
)


@dataclass(frozen=True)
class RecordSpec:
    """Everything that decides how a row of an export becomes a record.

    Attributes:
        columns: Name, type and nullability of each selected column, sorted by name.
        key: The Singer primary key, sorted.
        maps: A digest of the settings by which the SDK changes records.
        hash_version: How `contentHash` is computed.
    """

    columns: tuple[tuple[str, str, bool], ...]
    key: tuple[str, ...]
    maps: str
    hash_version: int = HASH_VERSION

    @classmethod
    def of(cls, columns: Iterable[Column], key: RowKey, config: Mapping[str, Any]) -> RecordSpec:
        """Return the spec of a stream's records under some settings."""
        described = sorted((column.name, column.type.value, column.nullable) for column in columns)
        maps = {name: config[name] for name in _MAP_SETTINGS if config.get(name)}
        return cls(tuple(described), tuple(sorted(key.primary_key)), digest_of(maps))

    @classmethod
    def from_json(cls, described: Mapping[str, Any]) -> RecordSpec:
        """Return the spec that `to_json` described.

        Raises:
            KeyError: If the description has another form; ValueError and TypeError too.
        """
        columns = tuple((str(name), str(kind), bool(nullable)) for name, kind, nullable in described["columns"])
        key = tuple(str(name) for name in described["key"])
        return cls(columns, key, str(described["maps"]), int(described["hash_version"]))

    def to_json(self) -> dict[str, Any]:
        """Return the spec as JSON."""
        return asdict(self)

    @property
    def key_types(self) -> dict[str, str | None]:
        """The type of each key column: while they are the same, a key identifies the same row."""
        types = {name: kind for name, kind, _ in self.columns}
        return {name: types.get(name) for name in self.key}

    @property
    def digest(self) -> str:
        """A digest: equal for equal specs only."""
        return digest_of(self.to_json())

    def difference(self, previous: RecordSpec) -> str | None:
        """Return what changed since the previous spec, or None if nothing did."""
        names, previous_names = ({name for name, _, _ in spec.columns} for spec in (self, previous))
        if self.key != previous.key:
            return f"the key was ({', '.join(previous.key)}) and is ({', '.join(self.key)})"
        if names != previous_names:
            return f"other columns are selected ({', '.join(sorted(names ^ previous_names))})"
        if self.columns != previous.columns:
            changed = sorted({name for name, _, _ in set(self.columns) ^ set(previous.columns)})
            return f"columns have other types ({', '.join(changed)})"
        if self.hash_version != previous.hash_version:
            return "this version of the tap computes contentHash in another way"
        if self.maps != previous.maps:
            return "stream maps or flattening are set differently"
        return None


def digest_of(content: object) -> str:
    """Return the SHA-256 of JSON content, in hexadecimal."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

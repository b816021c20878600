"""What the records of a stream are made of: exports can be compared only where that has stayed the same. No I/O."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_pigment.columns import Column

HASH_VERSION = 1
"""Goes up with every change to how `contentHash` is made."""

# What the SDK does to records on their way out.
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
class Makeup:
    """What decides how a row of an export becomes a record.

    Attributes:
        columns: Name, type and nullability of each selected column, in the order of the names.
        key: Names of the key's columns, sorted.
        maps: A digest of the settings by which the SDK changes records on their way out.
        hash_version: How `contentHash` is made.
    """

    columns: tuple[tuple[str, str, bool], ...]
    key: tuple[str, ...]
    maps: str
    hash_version: int = HASH_VERSION

    @classmethod
    def of(cls, columns: Iterable[Column], key: Sequence[str], config: Mapping[str, Any]) -> Makeup:
        """Return the makeup of a stream with these columns and key, under these settings."""
        described = sorted((column.name, column.type.value, column.nullable) for column in columns)
        maps = {name: config[name] for name in _MAP_SETTINGS if config.get(name)}
        return cls(tuple(described), tuple(sorted(key)), digest_of(maps))

    @classmethod
    def from_json(cls, described: Mapping[str, Any]) -> Makeup:
        """Return the makeup that `to_json` has described.

        Raises:
            KeyError: If the description is of another kind; ValueError and TypeError too.
        """
        columns = tuple((str(name), str(kind), bool(nullable)) for name, kind, nullable in described["columns"])
        key = tuple(str(name) for name in described["key"])
        return cls(columns, key, str(described["maps"]), int(described["hash_version"]))

    def to_json(self) -> dict[str, Any]:
        """Return a description that JSON can hold."""
        return asdict(self)

    @property
    def key_types(self) -> dict[str, str | None]:
        """The type of each column of the key: where it is the same, a key still identifies the same row."""
        types = {name: kind for name, kind, _ in self.columns}
        return {name: types.get(name) for name in self.key}

    @property
    def digest(self) -> str:
        """Return what is the same for the same makeup, and for no other."""
        return digest_of(self.to_json())

    def difference(self, former: Makeup) -> str | None:
        """Return what has changed since `former`, or None if nothing has."""
        names, former_names = ({name for name, _, _ in makeup.columns} for makeup in (self, former))
        if self.key != former.key:
            return f"the key was ({', '.join(former.key)}) and is ({', '.join(self.key)})"
        if names != former_names:
            return f"other columns are selected ({', '.join(sorted(names ^ former_names))})"
        if self.columns != former.columns:
            changed = sorted({name for name, _, _ in set(self.columns) ^ set(former.columns)})
            return f"columns have other types ({', '.join(changed)})"
        if self.hash_version != former.hash_version:
            return "this version of the tap hashes in another way"
        if self.maps != former.maps:
            return "stream maps or flattening are set differently"
        return None


def digest_of(content: object) -> str:
    """Return the SHA-256 of something that JSON can hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

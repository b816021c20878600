"""Names of streams and columns, unique and stable."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NewType

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

StreamName = NewType("StreamName", str)
"""A name that `stream_names` or `snake_case` made: `[a-z0-9_]`, 1 to 63 characters, no digit in front."""

MAX_NAME_BYTES = 63  # PostgreSQL cuts longer identifiers.
ID_CHARACTERS = 8
_MAX_FILE_NAME_BYTES = 150  # Most filesystems take 255, and files have more in their names than the stream.

CONTENT_HASH = "contentHash"
OCCURRENCE = "occurrence"
DELETED_AT = "_sdc_deleted_at"
ADDED_COLUMNS = (CONTENT_HASH, OCCURRENCE, DELETED_AT)

_TECHNICAL_SUFFIX = re.compile(r"_[A-Z0-9]{6}$")
# Characters that have a meaning in Meltano's selection patterns and settings, and NUL, which PostgreSQL refuses.
_REPLACED_CHARACTERS = re.compile(r"[.\[\]*?\0]")


@dataclass(frozen=True)
class NamedBlock:
    """The parts of a stream's name.

    Attributes:
        id: The block's id, its identity.
        name: The name on Pigment's screens; any characters, not unique.
        kind: `list`, `metric`, `table` or `view`: used where the name has no letter or digit.
        prefix: The application's name in snake_case, where several applications are extracted.
    """

    id: str
    name: str
    kind: str
    prefix: str = ""


def snake_case(text: str) -> str:
    """Return `text` in ASCII snake_case, or "" if it has no letter or digit."""
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "_", folded.lower()).strip("_")
    return f"_{words}" if words[:1].isdigit() else words


def file_name_problem(name: str) -> str | None:
    """Return why a stream of a catalog, which may have any name, cannot have files named after it; None if it can."""
    if name in {"", ".", ".."} or not name.isprintable() or "/" in name or "\\" in name:
        return "it is not the name of a file"
    if len(name.encode()) > _MAX_FILE_NAME_BYTES:
        return f"it is longer than {_MAX_FILE_NAME_BYTES} bytes"
    return None


def slug(text: str) -> str:
    """Return `text` as in Pigment's technical names: lower case, and every other character a `_`."""
    return re.sub(r"[^a-z0-9]", "_", text.lower())


def without_technical_suffix(header: str) -> str:
    """Return a technical header without its `_` and six upper-case letters or digits."""
    return _TECHNICAL_SUFFIX.sub("", header)


def stream_names(blocks: Iterable[NamedBlock], reserved: Collection[str] = ()) -> dict[str, StreamName]:
    """Return the stream name of each block, by block id.

    Names are unique and do not depend on the order of the blocks. Where several blocks have the same name, each of them
    gets `_` and the first characters of its id: eight, or more if eight do not suffice. So does a block with a
    reserved name.
    """
    by_id = {block.id: block for block in blocks}
    names = {block_id: _plain_name(block) for block_id, block in by_id.items()}
    characters = dict.fromkeys(by_id, 0)
    while shared := {name for name, count in Counter(names.values()).items() if count > 1 or name in reserved}:
        for block_id in [block_id for block_id, name in names.items() if name in shared]:
            characters[block_id] += ID_CHARACTERS
            names[block_id] = _name_with_id(by_id[block_id], characters[block_id])
    return {block_id: StreamName(name) for block_id, name in names.items()}


def _plain_name(block: NamedBlock) -> str:
    words = snake_case(block.name)
    if not words:
        return _name_with_id(block, ID_CHARACTERS)
    return _prefixed(block, words)[:MAX_NAME_BYTES].rstrip("_")


def _name_with_id(block: NamedBlock, characters: int) -> str:
    """Return a name of at most 63 characters that ends with the first `characters` of the id, never cut."""
    if characters <= len(block.id):
        suffix = re.sub(r"[^a-z0-9]", "_", block.id[:characters].lower())
    else:
        suffix = hashlib.sha256(block.id.encode()).hexdigest()[:characters]
    words = _prefixed(block, snake_case(block.name) or block.kind)
    return f"{words[: MAX_NAME_BYTES - 1 - len(suffix)].rstrip('_')}_{suffix}"


def _prefixed(block: NamedBlock, words: str) -> str:
    return f"{block.prefix}_{words.lstrip('_')}" if block.prefix else words


def column_names(headers: Sequence[str], *, friendly: bool, known: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the emitted name of each column of an export, in the order of its header.

    A technical header stays as it is, but for the characters that are replaced by `_`. A name that repeats another one,
    or a column that the tap adds, gets `_2`, `_3`, ...; the case of letters makes no difference, because it makes none
    in most databases and in DuckDB's files. No name has more than 63 bytes.

    Args:
        headers: The header of the export.
        friendly: Whether it holds display names.
        known: The names that columns had in earlier runs, by header; no other column gets one of them.
    """
    present = set(headers)
    kept: dict[str, str] = {}
    if known and len(present) == len(headers):
        kept = {header: name for header, name in known.items() if is_name_of(name, header, friendly=friendly)}
    uncut = [_column_name(header, position, friendly=friendly) for position, header in enumerate(headers, 1)]
    wanted = [_fitted(name) for name in uncut]
    wishes = Counter(name.casefold() for name in wanted)
    # A column whose header has changed only in case or punctuation takes its own name again.
    reserved = [name for header, name in kept.items() if header in present or wishes[name.casefold()] != 1]
    used = {name.casefold() for name in (*ADDED_COLUMNS, *reserved)}
    existing = used | wishes.keys()
    names = []
    for header, name, long_name in zip(headers, wanted, uncut, strict=True):
        unique = name if name.casefold() not in used else _numbered(long_name, existing | used)
        names.append(kept.get(header, unique))
        used.add(names[-1].casefold())
    return tuple(names)


def is_name_of(name: str, header: str, *, friendly: bool) -> bool:
    """Return whether a column with a header may have a name: the one that is made of it, or that with a number."""
    own = _column_name(header, 1, friendly=friendly)
    if own != _column_name(header, 2, friendly=friendly):  # It is made of the column's position.
        return re.fullmatch(r"column_[0-9]+(_[0-9]+)?", name) is not None
    number = re.search(r"_[0-9]+$", name)
    return name == _fitted(own) or (number is not None and name == _fitted(own, number.group()))


def _column_name(header: str, position: int, *, friendly: bool) -> str:
    name = snake_case(header) if friendly else _REPLACED_CHARACTERS.sub("_", header)
    return name or f"column_{position}"


def _numbered(name: str, taken: Collection[str]) -> str:
    number = 2
    while _fitted(name, f"_{number}").casefold() in taken:
        number += 1
    return _fitted(name, f"_{number}")


def _fitted(name: str, number: str = "") -> str:
    """Return `name` and `number` in at most 63 bytes.

    A long name is cut between two characters. It keeps its technical suffix, which is unique; a name without one gets
    a hash of the whole name, so that names with the same beginning stay different.
    """
    if len((name + number).encode()) <= MAX_NAME_BYTES:
        return name + number
    suffix = _TECHNICAL_SUFFIX.search(name)
    words = name[: suffix.start()] if suffix else name
    end = (suffix.group() if suffix else f"_{hashlib.sha256(name.encode()).hexdigest()[:ID_CHARACTERS]}") + number
    cut = words.encode()[: MAX_NAME_BYTES - len(end)].decode(errors="ignore")
    return f"{cut.rstrip('_')}{end}"

"""The requests to a workspace, as data: which blocks are exported, and in which ways."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from types import MappingProxyType
from typing import Any, Final

# Of each type, how many blocks are exported. Two dimension lists, because one may be empty.
EXPORTED_BLOCKS: Final[Mapping[str, int]] = MappingProxyType(
    {"DimensionList": 2, "TransactionList": 1, "Metric": 1, "Table": 1}
)
BLOCK_TYPES: Final = tuple(EXPORTED_BLOCKS)
MAX_BLOCKS: Final = sum(EXPORTED_BLOCKS.values())
# How many properties of a list are requested by name.
PROPERTIES: Final = 2

MAX_LISTING_BYTES = 1 << 24
MAX_HEADER_BYTES = 1 << 16
_ENDPOINTS: Final = {"DimensionList": "list", "TransactionList": "list", "Metric": "metric", "Table": "table"}
# What tap-pigment requests of every export.
_EXPLICIT: Final = MappingProxyType(
    {
        "fieldDelimiter": "Semicolon",
        "decimalSeparator": "Dot",
        "dateFormat": "Iso8601",
        "encoding": "Utf8WithoutBom",
        "friendlyHeaders": False,
    }
)
UNKNOWN_MEMBER: Final = "memberThatPigmentDoesNotKnow"


class Purpose(Enum):
    """What a request is for."""

    APPLICATIONS = auto()
    BLOCKS = auto()
    EXPORT = auto()
    DEFAULTS = auto()
    FRIENDLY = auto()
    PROPERTIES = auto()
    UNKNOWN_MEMBER = auto()
    COMPRESSION = auto()
    SCENARIO = auto()
    FOREIGN_BLOCK = auto()
    MISSING_SCOPE = auto()


class Key(StrEnum):
    """Which of the two keys a request carries."""

    EXPORT = "export"
    METADATA = "metadata"


@dataclass(frozen=True)
class Block:
    """A block of the application; its name is compared with headers, and never shown."""

    id: str
    name: str = field(repr=False)
    type: str


@dataclass(frozen=True)
class Probe:
    """One request.

    Attributes:
        purpose: What it is for.
        path: The path below the base address.
        body: The JSON body of a POST; None for a GET.
        key: Which key it carries.
        max_bytes: How much of the response's body is read.
        block: The block that it exports.
        query: The parameters of its query.
        accept_encoding: The compressions that it accepts.
    """

    purpose: Purpose
    path: str
    body: Mapping[str, Any] | None = None
    key: Key = Key.EXPORT
    max_bytes: int = MAX_HEADER_BYTES
    block: Block | None = None
    query: Mapping[str, str] | None = None
    accept_encoding: str = "gzip, deflate"


def max_requests(exports: int, *, has_two_keys: bool, has_scenario: bool) -> int:
    """Return how many requests are sent at most: the listings, the exports, five for later purposes, and the others."""
    return 2 + exports + 5 + 1 + has_two_keys + has_scenario


def applications_probe() -> Probe:
    """Return the request for the listing of applications."""
    return Probe(Purpose.APPLICATIONS, "/v1/applications", key=Key.METADATA, max_bytes=MAX_LISTING_BYTES)


def blocks_probe(application_id: str) -> Probe:
    """Return the request for the listing of an application's blocks."""
    query = {"applicationId": application_id}
    return Probe(Purpose.BLOCKS, "/v1/blocks", key=Key.METADATA, max_bytes=MAX_LISTING_BYTES, query=query)


def missing_scope_probe() -> Probe:
    """Return a request for metadata with the key for exports."""
    return Probe(Purpose.MISSING_SCOPE, "/v1/applications", key=Key.EXPORT)


def foreign_block_probe(block_id: uuid.UUID) -> Probe:
    """Return the request for the export of a list that does not exist."""
    return Probe(Purpose.FOREIGN_BLOCK, f"/v1/export/list/{block_id}", {**_EXPLICIT})


def is_id(text: object) -> bool:
    """Return whether a text has the form of a block's id, and so may be part of a path."""
    try:
        return isinstance(text, str) and str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def chosen_blocks(blocks: Iterable[Block]) -> list[Block]:
    """Return the first blocks of each type."""
    left = dict(EXPORTED_BLOCKS)
    chosen = []
    for block in blocks:
        if left.get(block.type):
            left[block.type] -= 1
            chosen.append(block)
    return sorted(chosen, key=lambda block: BLOCK_TYPES.index(block.type))


def export_probe(block: Block, max_bytes: int) -> Probe:
    """Return the request for a block's export, as tap-pigment sends it."""
    return _probe(Purpose.EXPORT, block, {**_EXPLICIT}, max_bytes=max_bytes)


def later_probes(block: Block, properties: Sequence[str], max_bytes: int) -> Iterator[Probe]:
    """Yield the requests for the same block in other ways.

    Args:
        block: The block; a small one.
        properties: The headers of its properties, if it is a list; else empty.
        max_bytes: How much of an export is read where its rows count.
    """
    header_bytes = min(MAX_HEADER_BYTES, max_bytes)
    yield _probe(Purpose.DEFAULTS, block, {}, max_bytes=max_bytes)
    yield _probe(Purpose.FRIENDLY, block, {**_EXPLICIT, "friendlyHeaders": True}, max_bytes=header_bytes)
    if len(properties) >= PROPERTIES:
        body = {**_EXPLICIT, "propertyTechnicalNames": [*reversed(properties[:PROPERTIES])]}
        yield _probe(Purpose.PROPERTIES, block, body, max_bytes=header_bytes)
    yield _probe(Purpose.UNKNOWN_MEMBER, block, {**_EXPLICIT, UNKNOWN_MEMBER: True}, max_bytes=0)
    yield _probe(Purpose.COMPRESSION, block, {**_EXPLICIT}, max_bytes=0, accept_encoding="gzip, br")


def scenario_probe(block: Block, scenario_id: str, max_bytes: int) -> Probe:
    """Return the request for a metric's export with a scenario."""
    body = {**_EXPLICIT, "scenarios": [scenario_id]}
    return _probe(Purpose.SCENARIO, block, body, max_bytes=min(MAX_HEADER_BYTES, max_bytes))


def _probe(
    purpose: Purpose,
    block: Block,
    body: Mapping[str, Any],
    *,
    max_bytes: int,
    accept_encoding: str = "gzip, deflate",
) -> Probe:
    path = f"/v1/export/{_ENDPOINTS[block.type]}/{block.id}"
    return Probe(purpose, path, body, max_bytes=max_bytes, block=block, accept_encoding=accept_encoding)

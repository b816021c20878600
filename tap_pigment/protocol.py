"""Pigment's API as data: what to send, and what its metadata tells. No I/O.

The facts are from Pigment's description of its API, v1, and its documentation for integrators.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tap_pigment.errors import PigmentExportError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Whatever a request body asks for, these are what the tap reads.
_FORMAT = {
    "fieldDelimiter": "Semicolon",
    "decimalSeparator": "Dot",
    "dateFormat": "Iso8601",
    "encoding": "Utf8WithoutBom",
}


class Right(StrEnum):
    """A right that a key may have, under the name it has in Pigment."""

    EXPORT = "Export"
    MODELING_METADATA = "Modeling Metadata"


class BlockType(Enum):
    """A kind of block: its name in Pigment's metadata, and in the address of its export."""

    DIMENSION_LIST = ("DimensionList", "list")
    TRANSACTION_LIST = ("TransactionList", "list")
    METRIC = ("Metric", "metric")
    TABLE = ("Table", "table")
    VIEW = ("View", "view")

    def __init__(self, label: str, kind: str) -> None:
        self.label = label
        self.kind = kind


_TYPES_BY_LABEL = {block_type.label: block_type for block_type in BlockType}


@dataclass(frozen=True)
class ColumnMetadata:
    """A column as a block's metadata may describe it: Pigment's name of its type, and whether it is part of the key."""

    name: str
    type: str | None
    is_key: bool


@dataclass(frozen=True)
class Block:
    """A block or view of an application."""

    id: str
    name: str
    type: BlockType
    application_id: str
    columns: tuple[ColumnMetadata, ...] = ()


@dataclass(frozen=True)
class Application:
    """An application: its id and its name."""

    id: str
    name: str


@dataclass(frozen=True)
class Call:
    """A request to Pigment, without its host and key.

    Attributes:
        right: The right that the key must have.
        method: GET or POST.
        path: From the API's base, with a leading slash.
        purpose: What the call is for, to begin a message with.
        params: Query parameters.
        body: JSON body, None for none.
    """

    right: Right
    method: str
    path: str
    purpose: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None


def list_applications() -> Call:
    """Return the call that lists all applications the key can see."""
    return Call(Right.MODELING_METADATA, "GET", "/v1/applications", "listing the applications")


def list_blocks(application_id: str) -> Call:
    """Return the call that lists the lists, metrics and tables of an application."""
    return Call(
        Right.MODELING_METADATA,
        "GET",
        "/v1/blocks",
        f"listing the blocks of application {application_id}",
        params={"applicationId": application_id},
    )


def list_views(application_id: str, block_id: str | None = None) -> Call:
    """Return the call that lists the views of an application, or of one of its blocks."""
    return Call(
        Right.MODELING_METADATA,
        "GET",
        "/v1/views",
        f"listing the views of {f'block {block_id}' if block_id else f'application {application_id}'}",
        params={"applicationId": application_id} | ({"blockId": block_id} if block_id else {}),
    )


def export(block: Block, purpose: str, *, friendly: bool, request: Mapping[str, Any]) -> Call:
    """Return the call that exports a block; `request` is a raw body, in which the format is ours."""
    path = f"/v1/export/{block.type.kind}/{quote(block.id, safe='')}"
    if block.type is BlockType.VIEW:
        params = {"fieldDelimiter": _FORMAT["fieldDelimiter"]}
        return Call(Right.EXPORT, "GET", path, purpose, params=params)
    body = {**request, **_FORMAT, "friendlyHeaders": friendly}
    return Call(Right.EXPORT, "POST", path, purpose, body=body)


def read_applications(answer: object) -> tuple[Application, ...]:
    """Return the applications of an answer.

    Raises:
        PigmentExportError: If the answer is not a list of applications.
    """
    call = list_applications()
    return tuple(
        Application(_text(item, "id", call), _text(item, "name", call)) for item in _items(answer, "applications", call)
    )


def read_blocks(answer: object, application_id: str) -> tuple[Block, ...]:
    """Return the blocks of an answer; a type that is not known here is left out, for it has no export.

    Raises:
        PigmentExportError: If the answer is not a list of blocks.
    """
    call = list_blocks(application_id)
    return tuple(
        Block(
            _text(item, "id", call),
            _text(item, "name", call),
            block_type,
            application_id,
            _read_columns(item),
        )
        for item in _items(answer, "blocks", call)
        if (block_type := _TYPES_BY_LABEL.get(str(item.get("type"))))
    )


def read_views(answer: object, application_id: str) -> tuple[Block, ...]:
    """Return the views of an answer, as blocks.

    Raises:
        PigmentExportError: If the answer is not a list of views.
    """
    call = list_views(application_id)
    return tuple(
        Block(_text(item, "id", call), _text(item, "name", call), BlockType.VIEW, application_id)
        for item in _items(answer, "views", call)
    )


def _items(answer: object, what: str, call: Call) -> Sequence[Mapping[str, Any]]:
    if isinstance(answer, list) and all(isinstance(item, dict) for item in answer):
        return answer
    raise PigmentExportError(
        f"While {call.purpose}: Pigment's answer is not a list of {what}. Check api_url: it is the address of the API, "
        "not of the screens."
    )


def _text(item: Mapping[str, Any], name: str, call: Call) -> str:
    if isinstance(text := item.get(name), str):
        return text
    raise PigmentExportError(
        f"While {call.purpose}: Pigment's answer holds an item without {name}. Check api_url, and whether the tap is "
        "up to date."
    )


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _read_columns(item: Mapping[str, Any]) -> tuple[ColumnMetadata, ...]:
    columns = item.get("columns")
    if not isinstance(columns, list):
        return ()
    return tuple(
        ColumnMetadata(column["name"], _text_or_none(column.get("type")), column.get("isKey") is True)
        for column in columns
        if isinstance(column, dict) and isinstance(column.get("name"), str)
    )

"""Pigment's REST API, v1, as data: requests to send, and metadata responses to read. No I/O.

Source: Pigment's OpenAPI description and its documentation for integrators.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tap_pigment.errors import PigmentExportError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Pigment's quota for each IP address.
WINDOW_REQUESTS = 500
WINDOW_SECONDS = 300

# The one format that the tap reads, whatever a raw request body asks for.
EXPORT_FORMAT = {
    "fieldDelimiter": "Semicolon",
    "decimalSeparator": "Dot",
    "dateFormat": "Iso8601",
    "encoding": "Utf8WithoutBom",
}


class Scope(StrEnum):
    """A scope of an API key, under Pigment's name for it."""

    EXPORT = "Export"
    MODELING_METADATA = "Modeling Metadata"


class BlockType(Enum):
    """A kind of block: its name in Pigment's metadata (`label`), and in the path of its export (`kind`)."""

    DIMENSION_LIST = ("DimensionList", "list")
    TRANSACTION_LIST = ("TransactionList", "list")
    METRIC = ("Metric", "metric")
    TABLE = ("Table", "table")
    VIEW = ("View", "view")

    def __init__(self, label: str, kind: str) -> None:
        self.label = label
        self.kind = kind

    @classmethod
    def of_label(cls, label: str) -> BlockType:
        """Return the type with one of Pigment's names, such as `DimensionList`."""
        return _TYPES_BY_LABEL[label]


_TYPES_BY_LABEL = {block_type.label: block_type for block_type in BlockType}


@dataclass(frozen=True)
class ColumnMetadata:
    """A column as a block's metadata may describe it: Pigment's type, and whether it belongs to the key."""

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
class View:
    """A view, as its block's listing describes it; `type` says who sees it in Pigment: `Public` or `Personal`."""

    id: str
    name: str
    type: str
    block_id: str
    application_id: str


@dataclass(frozen=True)
class Application:
    """An application: its id and its name."""

    id: str
    name: str


@dataclass(frozen=True)
class ApiRequest:
    """A request to Pigment, without host and API key.

    Attributes:
        scope: The scope that the API key needs.
        method: GET or POST.
        path: Path below the API's base, with a leading slash.
        subject: What messages about the request start with: the stream's name, or what is listed.
        params: Query parameters.
        body: JSON body, or None.
    """

    scope: Scope
    method: str
    path: str
    subject: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None


def list_applications() -> ApiRequest:
    """Return the request that lists all applications that the key can see."""
    return ApiRequest(Scope.MODELING_METADATA, "GET", "/v1/applications", "Listing the applications")


def list_blocks(application_id: str) -> ApiRequest:
    """Return the request that lists the lists, metrics and tables of an application."""
    return ApiRequest(
        Scope.MODELING_METADATA,
        "GET",
        "/v1/blocks",
        f"Listing the blocks of application {application_id}",
        params={"applicationId": application_id},
    )


def list_views(application_id: str, block_id: str | None = None) -> ApiRequest:
    """Return the request that lists the views of an application, or of one of its blocks."""
    return ApiRequest(
        Scope.MODELING_METADATA,
        "GET",
        "/v1/views",
        f"Listing the views of {f'block {block_id}' if block_id else f'application {application_id}'}",
        params={"applicationId": application_id} | ({"blockId": block_id} if block_id else {}),
    )


def export_block(block: Block, subject: str, *, friendly: bool, request: Mapping[str, Any]) -> ApiRequest:
    """Return the request that exports a block.

    Args:
        block: The block or view.
        subject: See `ApiRequest`.
        friendly: Whether the header holds display names.
        request: A raw body, merged below the format that the tap reads.
    """
    path = f"/v1/export/{block.type.kind}/{quote(block.id, safe='')}"
    if block.type is BlockType.VIEW:
        params = {"fieldDelimiter": EXPORT_FORMAT["fieldDelimiter"]}
        return ApiRequest(Scope.EXPORT, "GET", path, subject, params=params)
    body = {**request, **EXPORT_FORMAT, "friendlyHeaders": friendly}
    return ApiRequest(Scope.EXPORT, "POST", path, subject, body=body)


def read_applications(response: object) -> tuple[Application, ...]:
    """Return the applications of a response.

    Raises:
        PigmentExportError: If the response is not a list of applications.
    """
    request = list_applications()
    return tuple(
        Application(_text(item, "id", request), _text(item, "name", request))
        for item in _items(response, "applications", request)
    )


def read_blocks(response: object, application_id: str) -> tuple[Block, ...]:
    """Return the blocks of a response; blocks of an unknown type have no export and are skipped.

    Raises:
        PigmentExportError: If the response is not a list of blocks.
    """
    request = list_blocks(application_id)
    return tuple(
        Block(
            _text(item, "id", request),
            _text(item, "name", request),
            block_type,
            application_id,
            _read_columns(item),
        )
        for item in _items(response, "blocks", request)
        if (block_type := _TYPES_BY_LABEL.get(_text_or_none(item.get("type")) or ""))
    )


def read_views(response: object, application_id: str) -> tuple[Block, ...]:
    """Return the views of a response, as blocks.

    Raises:
        PigmentExportError: If the response is not a list of views.
    """
    request = list_views(application_id)
    return tuple(
        Block(_text(item, "id", request), _text(item, "name", request), BlockType.VIEW, application_id)
        for item in _items(response, "views", request)
    )


def read_views_of_block(response: object, block: Block) -> tuple[View, ...]:
    """Return the views of a response that lists those of one block.

    Raises:
        PigmentExportError: If the response is not a list of views.
    """
    request = list_views(block.application_id, block.id)
    return tuple(
        View(
            _text(item, "id", request),
            _text(item, "name", request),
            _text(item, "type", request),
            block.id,
            block.application_id,
        )
        for item in _items(response, "views", request)
    )


def _items(response: object, what: str, request: ApiRequest) -> Sequence[Mapping[str, Any]]:
    if isinstance(response, list) and all(isinstance(item, dict) for item in response):
        return response
    raise PigmentExportError(
        f"{request.subject}: the response is not a list of {what}. Set api_url to the address of the API, not "
        "of Pigment's screens."
    )


def _text(item: Mapping[str, Any], name: str, request: ApiRequest) -> str:
    if isinstance(text := item.get(name), str):
        if _is_unicode(text):
            return text
        raise PigmentExportError(
            f"{request.subject}: an item of the response has the {name} {text}, which is not valid Unicode. Check it "
            "in Pigment."
        )
    raise PigmentExportError(
        f"{request.subject}: an item of the response has no {name}. Check api_url, and update the tap."
    )


def _is_unicode(text: str) -> bool:
    """Return whether a text has only whole characters; JSON can hold halves of them."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _read_columns(item: Mapping[str, Any]) -> tuple[ColumnMetadata, ...]:
    columns = item.get("columns")
    if not isinstance(columns, list):
        return ()
    return tuple(
        ColumnMetadata(column["name"], _text_or_none(column.get("type")), column.get("isKey") is True)
        for column in columns
        if isinstance(column, dict) and isinstance(column.get("name"), str) and _is_unicode(column["name"])
    )

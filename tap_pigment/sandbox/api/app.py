"""Pigment's REST API as an ASGI app, under `/api/v1`."""

import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http import HTTPStatus
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from tap_pigment.sandbox.api.bodies import Delimiter, Dialect, list_request, metric_request, table_request
from tap_pigment.sandbox.api.checks import BadRequestError, as_uuid, one_of
from tap_pigment.sandbox.api.csv_export import csv_chunks
from tap_pigment.sandbox.api.extract import Extract, list_extract, metric_extract, table_extract, view_extract
from tap_pigment.sandbox.api.model import (
    Application,
    Block,
    DimensionList,
    Metric,
    Row,
    Scope,
    Table,
    TransactionList,
    View,
    Workspace,
)
from tap_pigment.sandbox.api.quota import Quota

B = TypeVar("B", bound=Block)


def pigment_app(
    workspace: Workspace,
    *,
    quota: int = 500,
    quota_window_seconds: float = 300,
    clock: Callable[[], float] = time.monotonic,
) -> ASGIApp:
    """Return an ASGI app that serves the workspace; each client address may send `quota` requests per window."""
    api = _Api(workspace, Quota(quota, quota_window_seconds, clock))
    return Starlette(
        routes=[
            Route("/api/v1/applications", api.applications, methods=["GET"]),
            Route("/api/v1/blocks", api.blocks, methods=["GET"]),
            Route("/api/v1/views", api.views, methods=["GET"]),
            Route("/api/v1/export/view/{id}", api.export_view, methods=["GET"]),
            Route("/api/v1/export/list/{id}", api.export_list, methods=["POST"]),
            Route("/api/v1/export/metric/{id}", api.export_metric, methods=["POST"]),
            Route("/api/v1/export/table/{id}", api.export_table, methods=["POST"]),
        ],
        exception_handlers={BadRequestError: _bad_request, HTTPException: _problem_response},
    )


class _Api:
    """The API's endpoints."""

    def __init__(self, workspace: Workspace, quota: Quota) -> None:
        self._workspace = workspace
        self._quota = quota

    async def applications(self, request: Request) -> Response:
        self._authorize(request, Scope.MODELING_METADATA)
        return JSONResponse([{"id": each.id, "name": each.name} for each in self._workspace.applications])

    async def blocks(self, request: Request) -> Response:
        self._authorize(request, Scope.MODELING_METADATA)
        return JSONResponse([_block_metadata(block) for block in self._application(request).blocks])

    async def views(self, request: Request) -> Response:
        self._authorize(request, Scope.MODELING_METADATA)
        application = self._application(request)
        views = application.views
        if "blockId" in request.query_params:
            block_id = as_uuid("blockId", request.query_params["blockId"])
            if block_id not in [block.id for block in application.blocks]:
                raise HTTPException(HTTPStatus.NOT_FOUND, f"No block {block_id} in {application.name!r}.")
            views = [view for view in views if view.block_id == block_id]
        return JSONResponse([{"id": view.id, "name": view.name, "type": view.type} for view in views])

    async def export_list(self, request: Request) -> Response:
        self._authorize(request, Scope.EXPORT)
        block: DimensionList | TransactionList
        block, _ = self._block(request, "list", (DimensionList, TransactionList))
        body = list_request(await _json(request))
        return _csv_response(list_extract(block, body), body.dialect)

    async def export_metric(self, request: Request) -> Response:
        self._authorize(request, Scope.EXPORT)
        block, application = self._block(request, "metric", (Metric,))
        body = metric_request(await _json(request))
        return _csv_response(metric_extract(block, body, application.scenarios), body.dialect)

    async def export_table(self, request: Request) -> Response:
        self._authorize(request, Scope.EXPORT)
        block, application = self._block(request, "table", (Table,))
        body = table_request(await _json(request))
        return _csv_response(table_extract(block, body, application.scenarios), body.dialect)

    async def export_view(self, request: Request) -> Response:
        self._authorize(request, Scope.EXPORT)
        delimiter = one_of(Delimiter)("fieldDelimiter", request.query_params.get("fieldDelimiter", Delimiter.SEMICOLON))
        view, block = self._view(request)
        row_count = sum(1 for _ in itertools.islice(_exported_rows(view_extract(view, block)), view.row_limit + 1))
        if row_count > view.row_limit:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"View {view.id} is too large to export. Use the export of its block instead.",
            )
        if row_count == 0:
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"View {view.id} has no data to export.")
        return _csv_response(view_extract(view, block), Dialect(delimiter=delimiter))

    def _authorize(self, request: Request, scope: Scope) -> None:
        """Check the quota, the API key and its scope; raise HTTPException (429, 401 or 403)."""
        client = request.client.host if request.client else ""
        if not self._quota.try_acquire(client):
            raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests from this IP address.")
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        scopes = next((key.scopes for key in self._workspace.keys if key.secret == secret), None)
        if scheme.lower() != "bearer" or scopes is None:
            raise HTTPException(
                HTTPStatus.UNAUTHORIZED, "The API key is missing or unknown.", headers={"WWW-Authenticate": "Bearer"}
            )
        if scope not in scopes:
            raise HTTPException(HTTPStatus.FORBIDDEN, f"The API key lacks the scope {scope.value!r}.")

    def _application(self, request: Request) -> Application:
        if "applicationId" not in request.query_params:
            raise BadRequestError("applicationId: must be set.")
        application_id = as_uuid("applicationId", request.query_params["applicationId"])
        for application in self._workspace.applications:
            if application.id == application_id:
                return application
        raise HTTPException(HTTPStatus.NOT_FOUND, f"No application {application_id}.")

    def _block(self, request: Request, kind: str, types: tuple[type[B], ...]) -> tuple[B, Application]:
        """Return the block, which must be of one of the types, and the first application that contains it."""
        block_id = as_uuid(f"{kind}Id", request.path_params["id"])
        for application in self._workspace.applications:
            for block in application.blocks:
                if block.id == block_id and isinstance(block, types):
                    return block, application
        raise HTTPException(HTTPStatus.NOT_FOUND, f"No {kind} {block_id}.")

    def _view(self, request: Request) -> tuple[View, Block]:
        view_id = as_uuid("viewId", request.path_params["id"])
        for application in self._workspace.applications:
            for view in application.views:
                if view.id == view_id:
                    blocks = {block.id: block for block in application.blocks}
                    return view, blocks[view.block_id]
        raise HTTPException(HTTPStatus.NOT_FOUND, f"No view {view_id}.")


async def _problem_response(_request: Request, error: Exception) -> Response:
    """Return the error as problem details (RFC 9457)."""
    assert isinstance(error, HTTPException)  # noqa: S101  # Starlette declares every handler for Exception.
    status = HTTPStatus(error.status_code)
    body = {"title": status.phrase, "status": status, "detail": error.detail}
    return JSONResponse(body, status, headers=error.headers, media_type="application/problem+json")


async def _bad_request(request: Request, error: Exception) -> Response:
    return await _problem_response(request, HTTPException(HTTPStatus.BAD_REQUEST, str(error)))


def _block_metadata(block: Block) -> dict[str, Any]:
    metadata: dict[str, Any] = {"id": block.id, "name": block.name, "type": type(block).__name__}
    if block.declared_columns is not None:
        metadata["columns"] = [
            {"name": column.name, "type": column.type, "isKey": column.is_key} for column in block.declared_columns
        ]
    return metadata


async def _json(request: Request) -> object:
    """Return the request's body as JSON; an empty body means an empty object."""
    body = await request.body()
    if not body.strip():
        return {}
    try:
        value: object = json.loads(body)
    except ValueError as error:
        raise BadRequestError(f"body: not JSON: {error}.") from None
    return value


def _exported_rows(extract: Extract) -> Iterator[Row]:
    selected = (extract.select(row) for row in extract.rows)
    return (cells for cells in selected if cells is not None)


def _csv_response(extract: Extract, dialect: Dialect) -> Response:
    return StreamingResponse(_as_async(csv_chunks(extract, dialect)), media_type="text/csv")


async def _as_async(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the chunks; Starlette would run a plain iterator in other threads."""
    for chunk in chunks:
        yield chunk

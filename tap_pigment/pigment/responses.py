"""What Pigment's responses mean: which error, whether to retry, whether a body is complete. No I/O of its own."""

from __future__ import annotations

import json
import re
import zlib
from http import HTTPStatus
from typing import TYPE_CHECKING

from singer_sdk.exceptions import RetriableAPIError

from tap_pigment.errors import (
    ApiKeyError,
    NotFoundError,
    PigmentError,
    PigmentExportError,
    RequestRefusedError,
    ScopeMissingError,
)
from tap_pigment.pigment.api import WINDOW_REQUESTS, Scope
from tap_pigment.pigment.http2_adapter import HTTP_2
from tap_pigment.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from requests import Response

    from tap_pigment.pigment.api import ApiRequest

_MAX_QUOTED_CHARACTERS = 300
_ZLIB_OR_GZIP = zlib.MAX_WBITS | 32  # Whichever the header of the compressed data names.

_MEANINGS: Mapping[tuple[Scope, int], tuple[type[PigmentError], str]] = {
    (Scope.MODELING_METADATA, HTTPStatus.UNAUTHORIZED): (
        ApiKeyError,
        (
            "Pigment does not accept the API key (401). Set metadata_api_key, or api_key where that is not set, to a "
            "key that is valid and not revoked."
        ),
    ),
    (Scope.EXPORT, HTTPStatus.UNAUTHORIZED): (
        ApiKeyError,
        "Pigment does not accept the API key (401). Set api_key to a key that is valid and not revoked.",
    ),
    (Scope.MODELING_METADATA, HTTPStatus.FORBIDDEN): (
        ScopeMissingError,
        (
            "the API key lacks the Modeling Metadata scope (403). Have it granted in Pigment, or set metadata_api_key "
            "to a key that has it."
        ),
    ),
    (Scope.EXPORT, HTTPStatus.FORBIDDEN): (
        ScopeMissingError,
        (
            "the API key lacks the Export scope, or its owner may not see this block (403). Have it granted in "
            "Pigment, or set api_key to a key that has it."
        ),
    ),
    (Scope.MODELING_METADATA, HTTPStatus.NOT_FOUND): (
        NotFoundError,
        "not found (404). Check application_id, and that api_url is the API's address.",
    ),
    (Scope.EXPORT, HTTPStatus.NOT_FOUND): (
        NotFoundError,
        (
            "the block no longer exists in Pigment (404). Discover again to refresh the catalog (Meltano: add "
            "--refresh-catalog)."
        ),
    ),
    (Scope.EXPORT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE): (
        RequestRefusedError,
        "the view is too big to be exported (413). Extract the block that it shows, or narrow the view in Pigment.",
    ),
    (Scope.EXPORT, HTTPStatus.UNPROCESSABLE_ENTITY): (
        RequestRefusedError,
        "Pigment cannot export the view (422): its block has no data to export. Exclude the view.",
    ),
}
_QUOTA_USED_UP = (
    f"Pigment's quota is used up (429): {WINDOW_REQUESTS} requests per 5 minutes and IP address, shared by everything "
    "that runs there. Wait 5 minutes; run the jobs that share the address at different times, or give each its share "
    "(requests_per_window)."
)


class RetriableResponseError(RetriableAPIError):
    """A response after which another try may succeed.

    Attributes:
        final: The error to raise if no try succeeds.
        headers: The response's headers, for `Retry-After`.
        is_over_quota: The response was a 429.
        is_over_quota_without_date: It was, and without `Retry-After`.
    """

    def __init__(self, final: PigmentError, response: Response) -> None:
        super().__init__(str(final), response)
        self.final = final
        self.headers: Mapping[str, str] = response.headers
        self.is_over_quota = is_over_quota(response.status_code)
        self.is_over_quota_without_date = self.is_over_quota and "Retry-After" not in response.headers


def is_success(status: int) -> bool:
    """Return whether a response brings what was requested."""
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def is_retriable(status: int) -> bool:
    """Return whether sending the same request again may succeed."""
    return is_over_quota(status) or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def is_over_quota(status: int) -> bool:
    """Return whether the quota is used up."""
    return status == HTTPStatus.TOO_MANY_REQUESTS


def response_error(
    request: ApiRequest, status: int, text: str, location: str = "", *, keys: Collection[str] = ()
) -> PigmentError:
    """Return the error for a response that is not a success.

    Args:
        request: The request.
        status: The HTTP status.
        text: The beginning of the response's body.
        location: The target of a redirect.
        keys: API keys, which the message never shows, whatever the response holds.
    """
    error_class: type[PigmentError] = PigmentExportError
    if is_over_quota(status):
        meaning = _QUOTA_USED_UP
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        meaning = f"Pigment failed ({status}). Run again later."
    elif status < HTTPStatus.BAD_REQUEST:
        error_class = RequestRefusedError
        meaning = (
            f"Pigment redirects ({status}) to {redacted(location, keys) or 'nowhere'}. The tap does not follow "
            "redirects, so that the API key reaches no other server. Check api_url."
        )
    else:
        refused = (
            f"Pigment refuses the request ({status}). Check application_id, and stream_overrides.<stream>.request if "
            "it is set."
        )
        error_class, meaning = _MEANINGS.get((request.scope, status), (RequestRefusedError, refused))
    return error_class(f"{request.subject}: {meaning}{_quoted(text, keys)}")


def _quoted(text: str, keys: Collection[str]) -> str:
    """Return the text of an error response, as the end of a message: its problem details, or plain text."""
    try:
        content = json.loads(text)
    except ValueError:
        answer = "" if text.lstrip().startswith("<") else text
    else:
        details = content if isinstance(content, dict) else {}
        answer = ": ".join(str(details[name]) for name in ("title", "detail", "message") if details.get(name))
        if errors := details.get("errors"):
            answer = f"{answer} {json.dumps(errors)}"
    answer = " ".join(redacted(answer, keys).split())[:_MAX_QUOTED_CHARACTERS]
    return f" Pigment's answer: {answer}" if answer else ""


def not_csv(content_type: str, start: bytes) -> str | None:
    """Return why a body that begins with `start` is not an export at all, or None."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()[:512].lower()
    if "html" in content_type.lower() or text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "the response is a web page, such as a login page or a proxy's. Check api_url and the proxy"
    if "json" in content_type.lower() or re.match(rb'(\{\s*("|\})|\[\s*(\{|\]))', text):
        return "the response is JSON instead of CSV. Check api_url"
    return None


def decoded_chunks(response: Response, request: ApiRequest, *, chunk_bytes: int) -> Iterator[bytes]:
    """Yield the decompressed body in chunks of at most `chunk_bytes` compressed bytes.

    `requests` accepts a compressed body that lacks its end, so decompression is done here.

    Raises:
        RetriableResponseError: If the body is compressed, and its end is missing or damaged.
    """
    # Without this header `requests` yields the chunks as they were sent.
    encoding = response.raw.headers.pop("Content-Encoding", "identity").lower()
    if encoding in {"identity", ""}:
        yield from response.iter_content(chunk_bytes)
        return
    decompressor = zlib.decompressobj(_ZLIB_OR_GZIP)
    try:
        for chunk in response.iter_content(chunk_bytes):
            while chunk:
                if decompressor.eof:  # The next compressed member begins where the last one ended.
                    decompressor = zlib.decompressobj(_ZLIB_OR_GZIP)
                yield decompressor.decompress(chunk)
                chunk = decompressor.unused_data  # noqa: PLW2901 - the rest of the chunk.
        yield decompressor.flush()
        problem = "" if decompressor.eof else "the compressed response lacks its end"
    except zlib.error as error:
        problem = f"the compressed response is damaged ({error})"
    if problem:
        raise RetriableResponseError(PigmentExportError(f"{request.subject}: {problem}. Run again later."), response)


def missing_end_proof(response: Response) -> str | None:
    """Return why a body that was read to its end may be truncated, or None if the transport proves its end."""
    is_http_2 = response.raw.version == HTTP_2
    # The last chunk proves the end, whatever Content-Length says beside it.
    if not is_http_2 and "chunked" in response.headers.get("Transfer-Encoding", "").lower():
        return None
    announced = response.headers.get("Content-Length")
    if announced is not None:
        arrived = response.raw.tell()
        if str(arrived) != announced.strip():
            return f"{arrived:,} of {announced} bytes arrived"
        return None
    if is_http_2:  # A reset of the stream would have raised an error.
        return None
    return "it ends with the connection, which does not prove that it is complete"

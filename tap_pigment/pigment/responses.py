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
    from collections.abc import Collection, Generator, Iterable, Iterator, Mapping

    from requests import Response

    from tap_pigment.pigment.api import ApiRequest

# What `decoded_chunks` decodes, and nothing else.
ACCEPT_ENCODING = "gzip, deflate"
MAX_LISTING_BYTES = 64_000_000  # About 400,000 blocks.

_MAX_QUOTED_CHARACTERS = 300
_CHUNK_BYTES = 1 << 16
_CODINGS = frozenset({"gzip", "x-gzip", "deflate"})
_ZLIB_OR_GZIP = zlib.MAX_WBITS | 32  # Whichever the header of the compressed data names.
_RAW_DEFLATE = -zlib.MAX_WBITS

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
            "--refresh-catalog), or correct the block's id and block_type if stream_overrides has them."
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
    """Return whether a response brings the whole of what was requested: no other status than 200 promises that."""
    return status == HTTPStatus.OK


def is_retriable(status: int) -> bool:
    """Return whether sending the same request again may succeed: after a part of a response (2xx) it may."""
    is_partial = status < HTTPStatus.MULTIPLE_CHOICES and not is_success(status)
    return is_partial or is_over_quota(status) or status >= HTTPStatus.INTERNAL_SERVER_ERROR


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
        keys: API keys, which are removed from the message.
    """
    error_class: type[PigmentError] = PigmentExportError
    if is_over_quota(status):
        meaning = _QUOTA_USED_UP
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        meaning = f"Pigment failed ({status}). Run again later."
    elif status < HTTPStatus.MULTIPLE_CHOICES:
        meaning = f"only a response with status 200 is whole, and this one has {status}. Run again later."
    elif status < HTTPStatus.BAD_REQUEST:
        error_class = RequestRefusedError
        meaning = (
            f"Pigment redirects ({status}) to {redacted(location, keys) or 'nowhere'}. The tap does not follow "
            "redirects, so that the API key reaches no other server. Check api_url."
        )
    else:
        refused = (
            f"Pigment refuses the request ({status}). Check application_id, and request and block_type in "
            "stream_overrides if they are set."
        )
        error_class, meaning = _MEANINGS.get((request.scope, status), (RequestRefusedError, refused))
    error = error_class(f"{request.subject}: {meaning}{_quoted(text, keys)}")
    if isinstance(error, RequestRefusedError):
        error.is_about_body = status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}
    return error


def _quoted(text: str, keys: Collection[str]) -> str:
    """Return the text of an error response, as the end of a message: its problem details, or plain text."""
    try:
        answer = _details(json.loads(text))
    except (ValueError, RecursionError):
        answer = "" if text.lstrip().startswith("<") else text
    answer = " ".join(redacted(answer, keys).split())[:_MAX_QUOTED_CHARACTERS]
    return f" Pigment's answer: {answer}" if answer else ""


def _details(content: object) -> str:
    """Return what problem details say."""
    details = content if isinstance(content, dict) else {}
    answer = ": ".join(str(details[name]) for name in ("title", "detail", "message") if details.get(name))
    errors = details.get("errors")
    return f"{answer} {json.dumps(errors)}" if errors else answer


def not_csv(content_type: str, start: bytes) -> str | None:
    """Return why a body that begins with `start` is not an export at all, or None."""
    if problem := _web_page(content_type, start):
        return problem
    if "json" in content_type.lower() or re.match(rb'(\{\s*("|\})|\[\s*(\{|\]))', _beginning(start)):
        return "the response is JSON instead of CSV. Check api_url"
    return None


def _web_page(content_type: str, start: bytes) -> str | None:
    if "html" in content_type.lower() or _beginning(start).startswith((b"<!doctype", b"<html", b"<?xml")):
        return "the response is a web page, such as a login page or a proxy's. Check api_url and the proxy"
    return None


def _beginning(start: bytes) -> bytes:
    return start.removeprefix(b"\xef\xbb\xbf").lstrip()[:512].lower()


def decoded_chunks(response: Response, request: ApiRequest, *, chunk_bytes: int) -> Iterator[bytes]:
    """Yield the decompressed body in chunks of at most `chunk_bytes`, however much a few compressed bytes hold.

    `requests` accepts a compressed body that lacks its end, so decompression is done here.

    Raises:
        RetriableResponseError: If the body is compressed, and its end is missing or damaged, or in an unknown way.
    """
    # Without this header `requests` yields the chunks as they were sent.
    encoding = response.raw.headers.pop("Content-Encoding", "")
    codings = [coding for part in encoding.lower().split(",") if (coding := part.strip()) not in {"", "identity"}]
    if not codings:
        yield from _sent_chunks(response, request, chunk_bytes)
        return
    if len(codings) > 1 or codings[0] not in _CODINGS:
        problem = f"the response is compressed as {encoding}. Check the proxy"
        raise RetriableResponseError(PigmentExportError(f"{request.subject}: {problem}."), response)
    try:
        # In small steps, because zlib copies the rest of its input after each output.
        is_complete = yield from _decompressed(_sent_chunks(response, request, _CHUNK_BYTES), codings[0], chunk_bytes)
        problem = "" if is_complete else "the compressed response lacks its end"
    except zlib.error as error:
        problem = f"the compressed response is damaged ({error})"
    if problem:
        raise RetriableResponseError(PigmentExportError(f"{request.subject}: {problem}. Run again later."), response)


def _sent_chunks(response: Response, request: ApiRequest, chunk_bytes: int) -> Iterator[bytes]:
    try:
        yield from response.iter_content(chunk_bytes)
    except ValueError:  # From urllib3, which reads bodies that pass a SOCKS proxy, on a negative number.
        problem = f"{request.subject}: the response was truncated: a chunk has an invalid size. Run again later."
        raise RetriableResponseError(PigmentExportError(problem), response) from None


def _decompressed(chunks: Iterable[bytes], coding: str, step_bytes: int) -> Generator[bytes, None, bool]:
    """Yield the decompressed chunks in steps, and return whether the compressed data has its end."""
    decompressor = None
    for chunk in chunks:
        rest = chunk
        while rest:
            if decompressor is None or decompressor.eof:  # The next compressed member begins where the last one ended.
                decompressor = zlib.decompressobj(_window_bits(coding, rest[0]))
            if step := decompressor.decompress(rest, step_bytes):
                yield step
            rest = decompressor.unconsumed_tail or decompressor.unused_data
    if decompressor is None:
        return False
    if step := decompressor.flush():  # A few bytes at most.
        yield step
    return decompressor.eof


def _window_bits(coding: str, first_byte: int) -> int:
    """Return how zlib reads compressed data: `deflate` means data with zlib's header, or without."""
    is_gzip, is_zlib = first_byte == 0x1F, first_byte & 0x8F == zlib.DEFLATED  # noqa: PLR2004 - see RFC 1950 and 1952.
    return _RAW_DEFLATE if coding == "deflate" and not is_gzip and not is_zlib else _ZLIB_OR_GZIP


def read_json(response: Response, request: ApiRequest, *, max_bytes: int = MAX_LISTING_BYTES) -> object:
    """Return the JSON of a response.

    Raises:
        RetriableResponseError: If it is not JSON.
        PigmentExportError: If it is too long.
    """
    body = bytearray()
    for chunk in decoded_chunks(response, request, chunk_bytes=_CHUNK_BYTES):
        body += chunk
        if len(body) > max_bytes:
            raise PigmentExportError(
                f"{request.subject}: the response has more than {max_bytes / 1e6:,.0f} MB. Check api_url and the proxy."
            )
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        problem = _web_page(response.headers.get("Content-Type", ""), bytes(body[:_CHUNK_BYTES]))
        if isinstance(error, RecursionError):
            problem = "its values are nested too deep. Check api_url"
        elif not isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
            problem = "a number has too many digits. Check api_url"
        details = f": {problem}." if problem else ". Check api_url."
        final = PigmentExportError(f"{request.subject}: the response is not JSON{details}")
        raise RetriableResponseError(final, response) from None


def export_chunks(response: Response, request: ApiRequest, *, chunk_bytes: int) -> Iterator[bytes]:
    """Yield the decompressed body of an export in chunks; see `decoded_chunks`.

    Raises:
        RetriableResponseError: If it is no export at all, or its end is missing or damaged.
    """
    is_start = True
    for chunk in decoded_chunks(response, request, chunk_bytes=chunk_bytes):
        if is_start and (problem := not_csv(response.headers.get("Content-Type", ""), chunk)):
            raise RetriableResponseError(PigmentExportError(f"{request.subject}: {problem}."), response)
        is_start = is_start and not chunk
        yield chunk


def missing_end_proof(response: Response) -> str | None:
    """Return why a body that was read to its end may be truncated, or None if the transport proves its end."""
    is_http_2 = response.raw.version == HTTP_2
    last_coding = response.headers.get("Transfer-Encoding", "").lower().rpartition(",")[2].strip()
    # The last chunk proves the end, also beside a Content-Length that differs.
    if not is_http_2 and last_coding == "chunked":
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

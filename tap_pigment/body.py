"""The body of an answer: as it was before it was compressed, and whether its end is one."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from singer_sdk.exceptions import RetriableAPIError

from tap_pigment.errors import PigmentError, PigmentExportError
from tap_pigment.failures import is_over_quota, leaves_no_quota
from tap_pigment.transport import HTTP_2

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from requests import Response

    from tap_pigment.protocol import Call

_ZLIB_OR_GZIP = zlib.MAX_WBITS | 32  # Whichever the header says.


class TryAgainError(RetriableAPIError):
    """A failure that another try may mend.

    Attributes:
        final: What to say if no try mends it.
        headers: The answer's headers, for `Retry-After`.
        is_over_quota: The quota is used up.
        leaves_no_quota: It is, and Pigment does not say until when.
    """

    def __init__(self, final: PigmentError, response: Response) -> None:
        super().__init__(str(final), response)
        self.final = final
        self.headers: Mapping[str, str] = response.headers
        self.is_over_quota = is_over_quota(response.status_code)
        self.leaves_no_quota = leaves_no_quota(response.status_code, response.headers)


def decoded_pieces(response: Response, call: Call, *, piece_bytes: int) -> Iterator[bytes]:
    """Yield a body as it was before it was compressed, so many bytes at a time as they came.

    `requests` takes a compressed body that lacks its end for whole, so that is undone here.

    Raises:
        TryAgainError: If the body is compressed and its end is missing or damaged.
    """
    # Without this header the pieces come as they were sent.
    encoding = response.raw.headers.pop("Content-Encoding", "identity").lower()
    if encoding in {"identity", ""}:
        yield from response.iter_content(piece_bytes)
        return
    decompressor = zlib.decompressobj(_ZLIB_OR_GZIP)
    try:
        for piece in response.iter_content(piece_bytes):
            while piece:
                if decompressor.eof:  # What follows the end of a compressed part is the next part.
                    decompressor = zlib.decompressobj(_ZLIB_OR_GZIP)
                yield decompressor.decompress(piece)
                piece = decompressor.unused_data  # noqa: PLW2901 - what is left of it.
        yield decompressor.flush()
        problem = "" if decompressor.eof else "the compressed answer lacks its end"
    except zlib.error as error:
        problem = f"the compressed answer is damaged ({error})"
    if problem:
        raise TryAgainError(PigmentExportError(f"While {call.purpose}: {problem}. Run again later."), response)


def unproven_end(response: Response) -> str | None:
    """Return why the end of a body, as it came over the wire, may be a cut, or None if the transport vouches for it."""
    is_http_2 = response.raw.version == HTTP_2
    # A last chunk proves the end, whatever Content-Length says beside it.
    if not is_http_2 and "chunked" in response.headers.get("Transfer-Encoding", "").lower():
        return None
    announced = response.headers.get("Content-Length")
    if announced is not None:
        arrived = response.raw.tell()
        if str(arrived) != announced.strip():
            return f"{arrived:,} of {announced} bytes arrived"
        return None
    # The stream has ended without a reset, or reading it would have raised.
    if is_http_2:
        return None
    return "it ends with the connection, and nothing tells whether that is its end"

"""What an answer that is no success means, and how long to wait before asking again. No I/O."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from tap_pigment.errors import (
    ApiKeyError,
    NotFoundError,
    PigmentError,
    PigmentExportError,
    RequestRefusedError,
    RightMissingError,
)
from tap_pigment.protocol import Right

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from tap_pigment.protocol import Call

WINDOW_SECONDS = 300
WINDOW_REQUESTS = 500
BASE_WAIT_SECONDS = 1
MAX_WAIT_SECONDS = 30

_KEY_PATTERN = re.compile(r"pgmt_\w+")
_MAX_QUOTED_CHARACTERS = 300

_LISTING = Right.MODELING_METADATA
_EXPORTING = Right.EXPORT
_MEANINGS: Mapping[tuple[Right, int], tuple[type[PigmentError], str]] = {
    (_LISTING, HTTPStatus.UNAUTHORIZED): (
        ApiKeyError,
        (
            "Pigment does not accept the API key (401). Set metadata_api_key, or api_key where that is not set, to a "
            "key that is valid and not revoked."
        ),
    ),
    (_EXPORTING, HTTPStatus.UNAUTHORIZED): (
        ApiKeyError,
        "Pigment does not accept the API key (401). Set api_key to a key that is valid and not revoked.",
    ),
    (_LISTING, HTTPStatus.FORBIDDEN): (
        RightMissingError,
        (
            "the key lacks the Modeling Metadata right (403). Have it granted in Pigment, or set metadata_api_key to a "
            "key that has it."
        ),
    ),
    (_EXPORTING, HTTPStatus.FORBIDDEN): (
        RightMissingError,
        (
            "the key lacks the Export right, or its owner may not see this block (403). Have it granted in Pigment, or "
            "set api_key to a key that has it."
        ),
    ),
    (_LISTING, HTTPStatus.NOT_FOUND): (
        NotFoundError,
        "Pigment does not find it (404). Check application_id, and that api_url is the API's address.",
    ),
    (_EXPORTING, HTTPStatus.NOT_FOUND): (
        NotFoundError,
        (
            "the block is gone from Pigment (404). Discover again, so that the catalog has what is there now (Meltano: "
            "add --refresh-catalog)."
        ),
    ),
    (_EXPORTING, HTTPStatus.REQUEST_ENTITY_TOO_LARGE): (
        RequestRefusedError,
        "the view is too big to be exported (413). Extract the block that it shows, or narrow the view.",
    ),
    (_EXPORTING, HTTPStatus.UNPROCESSABLE_ENTITY): (
        RequestRefusedError,
        "Pigment cannot export this (422): the block of the view has no data to export. Exclude the view.",
    ),
}
_QUOTA_USED_UP = (
    f"Pigment's quota is used up (429): it allows {WINDOW_REQUESTS} requests per 5 minutes and IP address, over "
    "everything that runs there. Wait for 5 minutes; spread the runs that share the address, or give each its share "
    "(requests_per_window)."
)


def is_success(status: int) -> bool:
    """Return whether a status brings what was asked for."""
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def is_retriable(status: int) -> bool:
    """Return whether sending the same request again can help."""
    return is_over_quota(status) or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def is_over_quota(status: int) -> bool:
    """Return whether a status says that the quota is used up."""
    return status == HTTPStatus.TOO_MANY_REQUESTS


def leaves_no_quota(status: int, headers: Mapping[str, str]) -> bool:
    """Return whether the quota is used up, and Pigment does not say until when."""
    return is_over_quota(status) and "Retry-After" not in headers


def failure(call: Call, status: int, text: str, location: str = "", *, keys: Collection[str] = ()) -> PigmentError:
    """Return what the status of an answer that is no success means.

    Args:
        call: What was sent.
        status: The HTTP status.
        text: The beginning of the answer's body.
        location: Where a redirect points to.
        keys: What is not to be said, whatever the answer says.
    """
    error_class: type[PigmentError] = PigmentExportError
    if is_over_quota(status):
        meaning = _QUOTA_USED_UP
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        meaning = f"Pigment failed ({status}). Run again later."
    elif status < HTTPStatus.BAD_REQUEST:
        error_class = RequestRefusedError
        meaning = (
            f"Pigment redirects ({status}) to {redacted(location, keys) or 'nowhere'}, which is not followed, so that "
            "the key goes nowhere else. Check api_url."
        )
    else:
        refused = (
            f"Pigment refuses the request ({status}). Check application_id, and the request in stream_overrides if "
            "there is one."
        )
        error_class, meaning = _MEANINGS.get((call.right, status), (RequestRefusedError, refused))
    return error_class(f"While {call.purpose}: {meaning}{_quoted(text, keys)}")


def not_csv(content_type: str, start: bytes) -> str | None:
    """Return why a body that begins with `start` is no export at all, or None."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()[:512].lower()
    if "html" in content_type.lower() or text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page came instead, such as a login page or a proxy's. Check api_url and the proxy"
    if "json" in content_type.lower() or re.match(rb'(\{\s*("|\})|\[\s*(\{|\]))', text):
        return "JSON came instead of CSV. Check api_url"
    return None


def redacted(text: str, keys: Collection[str] = ()) -> str:
    """Return `text` without some keys, as they are or as addresses and JSON write them, and all that looks like one."""
    for key in keys:
        for form in (key, quote(key, safe=""), json.dumps(key)[1:-1]):
            text = text.replace(form, "***")
    return _KEY_PATTERN.sub("pgmt_***", text)


def _quoted(text: str, keys: Collection[str]) -> str:
    """Return what Pigment says of an error, to stand at the end of a message: its problem details, or plain text."""
    try:
        answer = json.loads(text)
    except ValueError:
        said = "" if text.lstrip().startswith("<") else text
    else:
        details = answer if isinstance(answer, dict) else {}
        said = ": ".join(str(details[name]) for name in ("title", "detail", "message") if details.get(name))
        if errors := details.get("errors"):
            said = f"{said} {json.dumps(errors)}"
    said = " ".join(redacted(said, keys).split())[:_MAX_QUOTED_CHARACTERS]
    return f" Pigment says: {said}" if said else ""


def seconds_before_retry(
    attempt: int, headers: Mapping[str, str], *, now: datetime, draw: Callable[[], float]
) -> float:
    """Return how long to wait after the `attempt`th try (from 1) has failed.

    `Retry-After` is honoured in both its forms, up to the quota's window; without it the wait is exponential with full
    jitter.

    Args:
        attempt: How many tries have failed.
        headers: The failed answer's headers.
        now: The time, to which a date in `Retry-After` is compared.
        draw: Draws a number from 0 to 1.
    """
    asked = _retry_after(headers.get("Retry-After", ""), now)
    if asked is not None:
        return min(max(asked, 0.0), WINDOW_SECONDS)
    ceiling: float = min(MAX_WAIT_SECONDS, BASE_WAIT_SECONDS * 2 ** (attempt - 1))
    return draw() * ceiling


def _retry_after(value: str, now: datetime) -> float | None:
    value = value.strip()
    if re.fullmatch(r"[0-9]+", value):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return (until - now).total_seconds()

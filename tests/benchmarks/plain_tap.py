"""The tap one would write in an hour, on singer-sdk alone: `python -m tests.benchmarks.plain_tap --config FILE`."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

from singer_sdk import Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import BearerTokenAuthenticator
from singer_sdk.streams import RESTStream

from tests.benchmarks.columns import COLUMNS, DAY, NUMBER, WHOLE, YES_NO
from tests.benchmarks.server import EXPORT_PATH, STREAM

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import ClassVar

    import requests

CONTENT_HASH = "contentHash"

_TYPES = {NUMBER: th.NumberType, WHOLE: th.IntegerType, YES_NO: th.BooleanType, DAY: th.DateType}


class ExportStream(RESTStream[None]):
    """The export: the whole answer in memory, a dictionary for each row."""

    name = STREAM
    path = EXPORT_PATH
    http_method = "POST"
    primary_keys = COLUMNS[:6]
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(
        *(th.Property(column, _TYPES.get(column, th.StringType)) for column in COLUMNS),
        th.Property(CONTENT_HASH, th.StringType),
    ).to_dict()

    @property
    def url_base(self) -> str:
        """Where the API is."""
        return str(self.config["api_url"])

    @property
    def authenticator(self) -> BearerTokenAuthenticator:
        """What adds the key."""
        return BearerTokenAuthenticator(token=self.config["api_key"])

    def get_new_paginator(self) -> None:
        """Return no paginator: an export is one answer."""

    def parse_response(self, response: requests.Response) -> Iterator[dict[str, Any]]:
        """Yield the records."""
        response.encoding = "utf-8-sig"
        for row in csv.DictReader(io.StringIO(response.text), delimiter=";"):
            record = {column: _value(column, cell) for column, cell in row.items()}
            record[CONTENT_HASH] = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
            yield record


def _value(column: str, cell: str) -> str | float | bool | None:
    if not cell:
        return None
    if column == NUMBER:
        return float(cell)
    if column == WHOLE:
        return int(cell)
    return cell == "TRUE" if column == YES_NO else cell


class PlainTap(Tap):
    """A tap of one stream."""

    name = "tap-plain"
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("api_url", th.StringType, required=True),
        th.Property("api_key", th.StringType, required=True, secret=True),
    ).to_dict()

    def discover_streams(self) -> Sequence[ExportStream]:
        """Return the one stream."""
        return [ExportStream(self)]


if __name__ == "__main__":
    PlainTap.cli()

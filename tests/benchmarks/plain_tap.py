"""The tap that one writes in an hour, on singer-sdk alone: `python -m tests.benchmarks.plain_tap --config FILE`."""

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
from tests.benchmarks.small_lists import CODE, IS_OPEN, LIST_COLUMNS, RATE, list_id, list_stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import ClassVar

    import requests

CONTENT_HASH = "contentHash"

_TYPES = {
    **dict.fromkeys((NUMBER, RATE), th.NumberType),
    **dict.fromkeys((YES_NO, IS_OPEN), th.BooleanType),
    WHOLE: th.IntegerType,
    DAY: th.DateType,
}


class ExportStream(RESTStream[None]):
    """An export: the whole response in memory, and a dictionary for each row."""

    http_method = "POST"

    def __init__(self, tap: Tap, name: str, path: str, columns: Sequence[str], key: Sequence[str]) -> None:
        schema = th.PropertiesList(
            *(th.Property(column, _TYPES.get(column, th.StringType)) for column in columns),
            th.Property(CONTENT_HASH, th.StringType),
        ).to_dict()
        super().__init__(tap, name, schema, path)
        self.primary_keys = key

    @property
    def url_base(self) -> str:
        """The address of the API."""
        return str(self.config["api_url"])

    @property
    def authenticator(self) -> BearerTokenAuthenticator:
        """The authenticator, which adds the API key."""
        return BearerTokenAuthenticator(token=self.config["api_key"])

    def get_new_paginator(self) -> None:
        """Return no paginator: an export is one response."""

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
    kind = _TYPES.get(column)
    if kind is th.NumberType:
        return float(cell)
    if kind is th.IntegerType:
        return int(cell)
    return cell == "TRUE" if kind is th.BooleanType else cell


class PlainTap(Tap):
    """A tap of one table, or of many small lists."""

    name = "tap-plain"
    stream_class: ClassVar[type[ExportStream]] = ExportStream
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("api_url", th.StringType, required=True),
        th.Property("api_key", th.StringType, required=True, secret=True),
        th.Property("lists", th.IntegerType, description="The number of small lists; without it, the table."),
    ).to_dict()

    def discover_streams(self) -> Sequence[ExportStream]:
        """Return the stream of the table, or those of the lists."""
        if lists := self.config.get("lists"):
            return [
                self.stream_class(
                    self, list_stream(number), f"/v1/export/list/{list_id(number)}", LIST_COLUMNS, (CODE,)
                )
                for number in range(lists)
            ]
        return [self.stream_class(self, STREAM, EXPORT_PATH, COLUMNS, COLUMNS[:6])]


if __name__ == "__main__":
    PlainTap.cli()

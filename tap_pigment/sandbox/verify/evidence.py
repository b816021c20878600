"""The exchanges with a workspace: requests and responses, with their listings and exports read."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any

from tap_pigment.sandbox.verify.csv_text import CsvText, read_csv
from tap_pigment.sandbox.verify.probes import PROPERTIES, Block, Probe, Purpose, is_id


@dataclass(frozen=True)
class Exchange:
    """A request and its response.

    Attributes:
        probe: The request.
        status: The response's status.
        headers: Its headers, their names in lower case.
        http_version: The version of its connection, such as `HTTP/2`.
        body: Its body, decompressed, as far as it was read.
        is_whole: Whether that is all of it.
    """

    probe: Probe
    status: int
    headers: Mapping[str, str] = field(repr=False)
    http_version: str
    body: bytes = field(default=b"", repr=False)
    is_whole: bool = True

    @cached_property
    def json(self) -> Any:  # noqa: ANN401  # JSON.
        """The body as JSON; None if it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @cached_property
    def csv(self) -> CsvText | None:
        """The body as CSV; None if it has no row, or the status is not 200."""
        return read_csv(self.body, is_whole=self.is_whole) if self.status == HTTPStatus.OK else None


@dataclass(frozen=True)
class Export:
    """A block's export that arrived, at least in part.

    Attributes:
        block: The block.
        csv: What arrived.
        is_whole: Whether that is all of it.
        size: Its bytes.
    """

    block: Block
    csv: CsvText
    is_whole: bool
    size: int

    @property
    def properties(self) -> tuple[str, ...]:
        """The headers of a list's properties; empty for other blocks."""
        if not self.block.type.endswith("List"):
            return ()
        return self.csv.header[1:] if self.block.type == "DimensionList" else self.csv.header


@dataclass(frozen=True)
class Evidence:
    """All exchanges with a workspace.

    Attributes:
        exchanges: The exchanges, in order.
        is_encrypted: Whether they were over HTTPS, where the server offers an HTTP version.
    """

    exchanges: Sequence[Exchange]
    is_encrypted: bool

    def of(self, *purposes: Purpose) -> list[Exchange]:
        """Return the exchanges for these purposes."""
        return [exchange for exchange in self.exchanges if exchange.probe.purpose in purposes]

    def exports(self, *purposes: Purpose, types: Sequence[str] = ()) -> Iterator[Export]:
        """Yield the exports for these purposes, of blocks of these types; without types, of all."""
        for exchange in self.of(*purposes):
            block, csv = exchange.probe.block, exchange.csv
            if block and csv and (not types or block.type in types):
                yield Export(block, csv, exchange.is_whole, len(exchange.body))

    def usual_header(self, block: Block) -> tuple[str, ...]:
        """Return the header of a block's export as tap-pigment requests it; empty if there is none."""
        return next((each.csv.header for each in self.exports(Purpose.EXPORT) if each.block == block), ())

    def small_export(self) -> Export | None:
        """Return the smallest whole export, to request its block again; if possible, a list with two properties.

        A dimension list is preferred: whether the first column of a transaction list is a property is in question.
        """

        def rank(export: Export) -> tuple[bool, bool, bool, int]:
            has_few_properties = len(export.properties) < PROPERTIES
            return not export.is_whole, has_few_properties, export.block.type != "DimensionList", export.size

        return min(self.exports(Purpose.EXPORT), key=rank, default=None)

    @cached_property
    def blocks(self) -> list[Block]:
        """The blocks that were listed, without those of another form."""
        return [
            Block(str(each["id"]).lower(), each["name"], each["type"])
            for exchange in self.of(Purpose.BLOCKS)
            if isinstance(exchange.json, list)
            for each in exchange.json
            if isinstance(each, dict)
            and is_id(each.get("id"))
            and isinstance(each.get("name"), str)
            and isinstance(each.get("type"), str)
        ]

"""Exports read without the tap, and the rows that a database should hold of them."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

from tap_pigment.sandbox.api.model import Metric, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from tap_pigment.sandbox.api.model import Block


@dataclass(frozen=True)
class ExportedRows:
    """The header and the rows of an export, all text."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def hashes(self) -> list[str]:
        """Return the `contentHash` of each row, computed from its definition."""
        return [content_hash(dict(zip(self.header, row, strict=True))) for row in self.rows]

    def typed_rows(
        self, readers: Mapping[str, Callable[[str], Any]], key: Collection[str] = ()
    ) -> Counter[tuple[Any, ...]]:
        """Return each row's values and `contentHash`, with its count.

        Args:
            readers: For each column, the function from a cell to the value that a database returns.
            key: Columns in which a blank is "", not null.
        """

        def value(name: str, cell: str) -> Any:  # noqa: ANN401 - any type of a database.
            return readers[name](cell) if cell else "" if name in key else None

        return Counter(
            (*(value(name, cell) for name, cell in zip(self.header, row, strict=True)), content)
            for row, content in zip(self.rows, self.hashes(), strict=True)
        )


def fetch(url: str, api_key: str, block: Block) -> ExportedRows:
    """Return a block's export."""
    kind = "table" if isinstance(block, Table) else "metric" if isinstance(block, Metric) else "list"
    answer = requests.post(
        f"{url}/v1/export/{kind}/{block.id}",
        headers={"Authorization": f"Bearer {api_key}"},
        json={"encoding": "Utf8WithoutBom"},
        timeout=30,
    )
    answer.raise_for_status()
    header, *rows = csv.reader(io.StringIO(answer.content.decode(), newline=""), delimiter=";", strict=True)
    return ExportedRows(tuple(header), tuple(map(tuple, rows)))


def content_hash(cells: Mapping[str, str]) -> str:
    """Return the SHA-256 of the netstrings of names and cells, columns in code-point order of their names."""
    parts = [netstring(name) + (netstring(cell) if cell else b"-") for name, cell in sorted(cells.items())]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def netstring(text: str) -> bytes:
    """Return the text's length in bytes, a colon, the bytes, a comma."""
    encoded = text.encode()
    return b"%d:%b," % (len(encoded), encoded)

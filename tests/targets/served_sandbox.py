"""A served sandbox, and its exports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.targets.exported_rows import ExportedRows, fetch

if TYPE_CHECKING:
    from tap_pigment.sandbox.api.model import Block


@dataclass(frozen=True)
class ServedSandbox:
    """A workspace and the address that serves it."""

    url: str
    api_key: str
    application_id: str
    blocks: tuple[Block, ...]

    @property
    def config(self) -> dict[str, Any]:
        """The settings that the tap needs."""
        return {"api_url": self.url, "api_key": self.api_key, "application_id": self.application_id}

    def block(self, name: str, id_start: str = "") -> Block:
        """Return the one block with this name and this start of its id."""
        [block] = [block for block in self.blocks if block.name == name and block.id.startswith(id_start)]
        return block

    def export(self, name: str, id_start: str = "") -> ExportedRows:
        """Return a block's export, fetched without the tap."""
        return fetch(self.url, self.api_key, self.block(name, id_start))

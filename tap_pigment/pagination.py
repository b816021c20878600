"""The paginator over the parts of an export."""

from __future__ import annotations

from typing import TYPE_CHECKING

from singer_sdk.pagination import BaseAPIPaginator

if TYPE_CHECKING:
    from requests import Response


class ExportPartsPaginator(BaseAPIPaginator[int]):
    """Walks the parts of an export by their number, from 0.

    Pigment's exports have no pages: a response is a whole export, or a whole part if there are slices.

    Args:
        parts: The number of parts.
    """

    def __init__(self, parts: int) -> None:
        super().__init__(0)
        self._parts = parts

    def has_more(self, response: Response) -> bool:  # noqa: ARG002 - the SDK's signature; no response names the next.
        """Return whether a part is left."""
        return self.current_value + 1 < self._parts

    def get_next(self, response: Response) -> int | None:  # noqa: ARG002 - see `has_more`.
        """Return the number of the next part."""
        return self.current_value + 1

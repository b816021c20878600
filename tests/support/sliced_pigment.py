"""A Pigment on localhost whose lists are exported in slices."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from tests.support.pigment import CSV, Answer, Pigment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.pigment import SentRequest


class SlicedPigment(Pigment):
    """A Pigment that responds to each slice of a list with rows of its own.

    Attributes:
        bodies: The body of each slice's export, by the item that its `listFilter` names.
        next_answers: The responses to send instead to the next requests for a slice, by that item.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bodies: dict[str, bytes] = {}
        self.next_answers: dict[str, deque[Answer]] = {}

    def add_slices(self, name: str, block_type: str, bodies: Sequence[str]) -> list[dict[str, Any]]:
        """Add a list that is exported in slices, and return the setting `slices`."""
        self.add(name, block_type, bodies[0])
        found = []
        for body in bodies:
            item = f"f0000000-0000-4000-8000-{len(self.bodies):012x}"
            self.bodies[item] = body.encode()
            found.append({"listFilter": [item]})
        return found

    def put(self, part: dict[str, Any], body: str) -> None:
        """Replace the rows of a slice."""
        self.bodies[part["listFilter"][0]] = body.encode()

    def answer_next(self, part: dict[str, Any], *answers: Answer) -> None:
        """Send these responses to the next requests for a slice, one each."""
        self.next_answers[part["listFilter"][0]] = deque(answers)

    def slices_requested(self) -> list[str]:
        """Return the item of each slice that was requested, in the order of the requests."""
        return [request.body["listFilter"][0] for request in self.requests if _item(request) in self.bodies]

    def answer(self, request: SentRequest) -> Answer:
        """Return the response to a request."""
        item = _item(request)
        if item not in self.bodies:
            return super().answer(request)
        answers = self.next_answers.get(item)
        return answers.popleft() if answers else Answer(body=self.bodies[item], headers=CSV)


def _item(request: SentRequest) -> str:
    """Return the item that a request for a slice names, or "" for another request."""
    return next(iter((request.body or {}).get("listFilter") or ()), "")

"""The results of the facts, as lines to paste into a public issue, or as JSON."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tap_pigment.sandbox.verify.evidence import Evidence
from tap_pigment.sandbox.verify.facts import FACTS, Fact

_PIGMENT_HOST = "pigment.app"


class Result(StrEnum):
    """Whether a fact holds."""

    AS_EXPECTED = "as expected"
    DIFFERS = "differs"
    NOT_SEEN = "not seen"


@dataclass(frozen=True)
class Finding:
    """The result of one fact."""

    fact: Fact
    observations: Sequence[str]

    @property
    def unexpected(self) -> list[str]:
        """The observations that differ from what is expected."""
        return [each for each in self.observations if each not in self.fact.expected]

    @property
    def result(self) -> Result:
        """Whether the fact holds."""
        if not self.observations:
            return Result.NOT_SEEN
        return Result.DIFFERS if self.unexpected else Result.AS_EXPECTED

    @property
    def line(self) -> str:
        """The result, with what was observed."""
        if not self.observations:
            return self.result
        expected = f" (expected: {' or '.join(self.fact.expected)})" if self.unexpected else ""
        return f"{self.result}: {' and '.join(self.observations)}{expected}"


@dataclass(frozen=True)
class Summary:
    """The run as a whole.

    Attributes:
        version: The version of tap-pigment.
        host: The host of the workspace; only whether it is Pigment's is shown.
        requests: How many requests were sent.
        failed: How many of them had no response.
        is_stopped: Whether the run ended early, at a status 429.
    """

    version: str
    host: str
    requests: int
    failed: int
    is_stopped: bool

    @property
    def shown_host(self) -> str:
        """The host, if it is Pigment's; its subdomains may hold names."""
        return _PIGMENT_HOST if f".{self.host}".endswith(f".{_PIGMENT_HOST}") else "another host"


def findings(evidence: Evidence) -> list[Finding]:
    """Return the result of each fact."""
    return [Finding(fact, fact.observations(evidence)) for fact in FACTS]


def as_text(found: Sequence[Finding], summary: Summary) -> str:
    """Return the report: one line for each fact, and the totals."""
    width = max(len(finding.fact.name) for finding in found) + 2
    counts = Counter(finding.result for finding in found)
    expected, different, unseen = (counts[result] for result in Result)
    totals = f"{expected} as expected, {different} different, {unseen} not seen"
    requests = f"{summary.requests} requests to {summary.shown_host}, {summary.failed} without a response"
    return "\n".join(
        [
            f"tap-pigment {summary.version}: {requests}",
            *(["Stopped early: the quota of requests is used up (429)."] if summary.is_stopped else []),
            "",
            *(f"{finding.fact.name:{width}}{finding.line}" for finding in found),
            "",
            totals,
        ]
    )


def as_json(found: Sequence[Finding], summary: Summary) -> str:
    """Return the report as JSON."""
    return json.dumps(
        {
            "version": summary.version,
            "host": summary.shown_host,
            "requests": summary.requests,
            "failed": summary.failed,
            "stopped": summary.is_stopped,
            "facts": [
                {
                    "name": finding.fact.name,
                    "result": finding.result,
                    "observed": finding.observations,
                    "expected": finding.fact.expected,
                }
                for finding in found
            ],
        },
        indent=2,
    )

"""The report as text and as JSON."""

import json

import pytest

from tap_pigment.sandbox.verify.facts import Fact
from tap_pigment.sandbox.verify.report import Finding, Summary, as_json, as_text

FACT = Fact("line ends", ("CRLF", "LF"), lambda _evidence: iter(()), ("CR",))
SUMMARY = Summary("1.2.3", "pigment.app", requests=13, failed=1, is_stopped=False)


@pytest.mark.parametrize(
    ("observations", "line"),
    [
        ([], "not seen"),
        (["CRLF"], "as expected: CRLF"),
        (["CRLF", "LF"], "as expected: CRLF and LF"),
        (["CRLF", "CR"], "differs: CRLF and CR (expected: CRLF or LF)"),
    ],
)
def test_a_finding_is_one_line(observations: list[str], line: str) -> None:
    assert Finding(FACT, observations).line == line


def test_the_text_has_a_line_for_each_fact_and_the_totals() -> None:
    text = as_text([Finding(FACT, ["CRLF"]), Finding(FACT, ["CR"]), Finding(FACT, [])], SUMMARY)

    assert text.splitlines() == [
        "tap-pigment 1.2.3: 13 requests to pigment.app, 1 without a response",
        "",
        "line ends  as expected: CRLF",
        "line ends  differs: CR (expected: CRLF or LF)",
        "line ends  not seen",
        "",
        "1 as expected, 1 different, 1 not seen",
    ]


def test_the_json_has_what_the_text_has() -> None:
    assert json.loads(as_json([Finding(FACT, ["CR"])], SUMMARY)) == {
        "version": "1.2.3",
        "host": "pigment.app",
        "requests": 13,
        "failed": 1,
        "stopped": False,
        "facts": [{"name": "line ends", "result": "differs", "observed": ["CR"], "expected": ["CRLF", "LF"]}],
    }


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("pigment.app", "pigment.app"),
        ("acme.pigment.app", "pigment.app"),
        ("notpigment.app", "another host"),
        ("pigment.app.test", "another host"),
    ],
)
def test_only_the_host_of_pigment_is_shown(host: str, shown: str) -> None:
    assert Summary("1", host, 1, 0, is_stopped=False).shown_host == shown

"""The table of attacks in docs/reliability.md, compared with the tests."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from fnmatch import fnmatch
from typing import TYPE_CHECKING

import pytest

from tests.support.doc_pages import PAGES, ROOT, section, table_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

ATTACKS = {kind: int(cases) for kind, _, cases, _ in table_rows(section(PAGES["docs/reliability.md"], "Attacks"))}

INTEGRATION, UNIT = "tests/integration", "tests/unit"
RESPONSES, HTTP2_CONNECTION = f"{UNIT}/pigment/test_responses.py", f"{UNIT}/pigment/test_http2_connection.py"
HOSTILE_SERVERS, FORGED_LINES = f"{INTEGRATION}/test_hostile_servers.py", f"{INTEGRATION}/test_forged_lines.py"
WIDE_EXPORTS, SNAPSHOT_STORE = f"{INTEGRATION}/test_wide_exports.py", f"{UNIT}/changes/test_snapshot_store.py"
# The tests of each kind. A test counts for the first kind that has it.
TESTS_OF: Mapping[str, tuple[str, ...]] = {
    "truncated bodies": (
        f"{INTEGRATION}/test_truncation.py::*",
        f"{INTEGRATION}/test_http2.py::*ends_early*",
        f"{UNIT}/exports/test_download.py::*incomplete*",
        f"{RESPONSES}::test_the_transport_proves_the_end*",
    ),
    "trailers": (f"{HOSTILE_SERVERS}::*trailer*", f"{HTTP2_CONNECTION}::*trailer*"),
    "compression": (
        f"{HOSTILE_SERVERS}::*decode",
        f"{HOSTILE_SERVERS}::*decompress*",
        f"{INTEGRATION}/test_bad_input.py::*compressed*",
        f"{RESPONSES}::*compress*",
        f"{RESPONSES}::*coding_that*",
        f"{RESPONSES}::*deflate*",
    ),
    "responses": (
        f"{HOSTILE_SERVERS}::*",
        f"{RESPONSES}::test_only_200_is_a_success*",
        f"{RESPONSES}::test_a_web_page_or_json*",
        f"{RESPONSES}::test_what_is_not_json*",
        f"{HTTP2_CONNECTION}::test_a_status*",
        f"{UNIT}/pigment/test_api.py::*is_an_error*",
        f"{UNIT}/pigment/test_retry.py::*retry_after*",
    ),
    "connections": (f"{INTEGRATION}/test_http2.py::*", f"{INTEGRATION}/test_unreachable.py::*"),
    "malformed exports": (
        f"{INTEGRATION}/test_bad_input.py::*",
        f"{UNIT}/exports/test_csv_counter.py::*",
        f"{UNIT}/exports/test_csv_fallback.py::*",
        f"{UNIT}/exports/test_table.py::test_the_first_malformed_row*",
        f"{UNIT}/exports/test_table.py::test_any_bytes*",
    ),
    "config, catalog and state": (
        f"{INTEGRATION}/test_catalog_entries.py::*",
        f"{INTEGRATION}/test_environment.py::*",
        f"{INTEGRATION}/test_input_files.py::*",
        f"{INTEGRATION}/test_names_in_catalog.py::*",
        f"{UNIT}/changes/test_bookmark.py::*",
        f"{UNIT}/settings/test_validation.py::*control_character*",
        f"{UNIT}/test_input_files.py::*",
    ),
    "planted snapshots": (
        f"{INTEGRATION}/test_planted_snapshots.py::*",
        f"{UNIT}/changes/test_snapshot_file.py::*",
        f"{SNAPSHOT_STORE}::*no_file*",
        f"{SNAPSHOT_STORE}::*circles*",
        f"{SNAPSHOT_STORE}::*looks_like*",
        f"{SNAPSHOT_STORE}::*refused*",
    ),
    "forged lines": (
        f"{FORGED_LINES}::*forge*",
        f"{FORGED_LINES}::*shortened*",
        f"{UNIT}/test_redaction.py::*printable*",
        f"{UNIT}/test_redaction.py::*control*",
        f"{UNIT}/test_redaction.py::*line*",
    ),
    "keys and passwords": (
        "tests/faults/test_leaks.py::*",
        f"{FORGED_LINES}::*password*",
        f"{INTEGRATION}/test_cli.py::*api_key*",
        f"{RESPONSES}::*key*",
        f"{UNIT}/settings/test_validation.py::*not_shown*",
        f"{UNIT}/test_redaction.py::*redacted*",
    ),
    "disks": (
        f"{INTEGRATION}/test_spool_directory.py::*",
        f"{INTEGRATION}/test_stdout.py::*",
        f"{WIDE_EXPORTS}::*disk*",
        f"{WIDE_EXPORTS}::*size_of_files*",
        f"{UNIT}/exports/test_duckdb_session.py::*is_named*",
        f"{UNIT}/exports/test_spool_directory.py::*",
    ),
    "signals and kills": (
        f"{INTEGRATION}/test_cli.py::*stop*",
        f"{INTEGRATION}/test_kills.py::*",
        f"{INTEGRATION}/test_signals.py::*",
        "tests/targets/test_killed_target.py::*",
    ),
    "lost and overlapping runs": (
        f"{INTEGRATION}/test_other_runs.py::*",
        f"{INTEGRATION}/test_row_changes_state_machine.py::*",
    ),
    "large exports": (f"{WIDE_EXPORTS}::*",),
}


@pytest.fixture(scope="module")
def collected() -> list[str]:
    """The tests in the files of all kinds, once for each case."""
    files = {pattern.partition("::")[0] for patterns in TESTS_OF.values() for pattern in patterns}
    command = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", "-p", "no:cacheprovider", "-p", "no:cov"]
    listed = subprocess.run(
        [*command, "--override-ini=addopts=", *sorted(files)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", "PYTHONPATH": str(ROOT)},
    )
    return [line.partition("[")[0] for line in listed.stdout.splitlines() if "::" in line]


def test_the_page_has_a_row_for_each_kind() -> None:
    assert list(ATTACKS) == list(TESTS_OF)


def test_each_pattern_has_a_test(collected: list[str]) -> None:
    names = set(collected)

    unused = [pattern for patterns in TESTS_OF.values() for pattern in patterns if not _fitting(names, pattern)]

    assert unused == []


def test_each_kind_has_as_many_cases_as_the_page_says(collected: list[str]) -> None:
    counts = Counter(_kind_of(name) for name in collected)

    outdated = {kind: counts[kind] for kind, least in ATTACKS.items() if not least <= counts[kind] < 1.25 * least}

    assert outdated == {}, "docs/reliability.md: set the least number of cases of these kinds to about the given one."


def _kind_of(name: str) -> str:
    return next((kind for kind, patterns in TESTS_OF.items() if any(_fitting([name], each) for each in patterns)), "")


def _fitting(names: list[str] | set[str], pattern: str) -> bool:
    return any(fnmatch(name, pattern) for name in names)

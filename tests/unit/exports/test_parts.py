"""Parts of an export, joined below one header: the file, its counts and its hash are those of one export."""

from __future__ import annotations

import csv
import hashlib
import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_pigment.errors import RunStoppedError, SettingsError, SpoolError
from tap_pigment.exports import ExportFile, JoinedParts
from tap_pigment.exports.csv_counter import CsvCounter, count_file
from tap_pigment.exports.parts import header_difference
from tap_pigment.pigment import ApiRequest, PigmentClient, Scope
from tap_pigment.settings import Settings
from tests.support.export_files import RECEIVED_AT, csv_bytes, export_file
from tests.unit.exports.bodies import BOM
from tests.unit.exports.disk import largest_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

REQUEST = ApiRequest(Scope.EXPORT, "POST", "/v1/export/table/id-1", "plan: slices[1]")
CELLS = st.sampled_from(["", "a", 'say "b"', "c;d", "e\nf", "é😀"])


@pytest.fixture(scope="module")
def client() -> Iterator[PigmentClient]:
    """A client that sends nothing."""
    made = PigmentClient(
        Settings.from_config({"api_key": "k", "application_id": "app-1"}), logging.getLogger("test-parts")
    )
    yield made
    made.close()


def part(folder: Path, number: int, content: bytes) -> ExportFile:
    """Write a body to disk as a part that arrived in a minute of its own."""
    (folder / f"{number}").mkdir()
    file = export_file(folder / f"{number}", content)
    return replace(file, received_at=RECEIVED_AT + timedelta(minutes=number), digest=hashlib.sha256(content))


def joined(client: PigmentClient, folder: Path, bodies: Sequence[bytes]) -> ExportFile:
    """Return the export of some parts."""
    with JoinedParts("plan", client) as export:
        for number, content in enumerate(bodies):
            export.add(part(folder, number, content), f"slices[{number}]", REQUEST)
        return export.file()


def count_values(counts: CsvCounter) -> dict[str, object]:
    """Return the public counts, without the one that depends on the size of chunks."""
    return {
        name: value for name, value in vars(counts).items() if not name.startswith("_") and name != "longest_line_bytes"
    }


def test_a_joined_export_is_that_of_one_request(
    tmp_path_factory: pytest.TempPathFactory, client: PigmentClient
) -> None:
    @given(
        parts=st.lists(st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=3), min_size=1, max_size=4),
        marks=st.lists(st.booleans(), min_size=4, max_size=4),
        unended=st.lists(st.booleans(), min_size=4, max_size=4),
        line_end=st.sampled_from(["\n", "\r\n"]),
        quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    )
    @settings(max_examples=100, deadline=None)
    def law(parts: list[list[list[str]]], marks: list[bool], unended: list[bool], line_end: str, quoting: int) -> None:
        folder = tmp_path_factory.mktemp("parts")
        header = ["Code", "A\nname"]
        bodies = []
        for rows, has_mark, is_unended in zip(parts, marks, unended, strict=False):
            body = csv_bytes([header, *rows], quoting=quoting, line_end=line_end, mark=BOM if has_mark else b"")
            bodies.append(body.removesuffix(line_end.encode()) if is_unended else body)
        whole = csv_bytes(
            [header, *(row for rows in parts for row in rows)],
            quoting=quoting,
            line_end=line_end,
            mark=BOM if marks[0] else b"",
        )

        file = joined(client, folder, bodies)

        content = file.path.read_bytes()
        assert content in {whole, whole.removesuffix(line_end.encode())}
        assert count_values(file.counts) == count_values(count_file(file.path))
        assert file.sha256 == hashlib.sha256(content).hexdigest()
        assert [each.rows for each in file.parts] == ([len(rows) for rows in parts] if len(parts) > 1 else [])
        assert [path for path in folder.rglob("*") if path.is_file()] == [file.path]

    law()


def test_header_and_time_are_those_of_the_first_part(client: PigmentClient, tmp_path: Path) -> None:
    file = joined(client, tmp_path, [b"a;b\n1;2\n", b"a;b\n3;4\n"])

    assert (file.header, file.received_at) == (("a", "b"), RECEIVED_AT)


def test_a_single_part_stays_as_it_is(client: PigmentClient, tmp_path: Path) -> None:
    only = part(tmp_path, 0, b"a\n1")

    with JoinedParts("plan", client) as export:
        export.add(only, "", REQUEST)
        file = export.file()

    assert file is only
    assert (file.path.read_bytes(), file.place_of(1)) == (b"a\n1", "row 1")


@pytest.mark.parametrize(
    ("row", "place"),
    [
        (1, "row 1 of slices[0]"),
        (2, "row 2 of slices[0]"),
        (3, "row 1 of slices[2]"),
        (1_236, "row 1,234 of slices[2]"),
    ],
)
def test_a_row_is_named_by_its_place_in_its_part(client: PigmentClient, tmp_path: Path, row: int, place: str) -> None:
    file = joined(client, tmp_path, [b"a\n1\n2\n", b"a\n", b"a\n" + b"3\n" * 2_000])

    assert file.place_of(row) == place


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        ("a;b", None),
        ("a", "it lacks b"),
        ("a;b;c", "it has c in addition"),
        ("c;b", "it lacks a and it has c in addition"),
        ("b;a", "it has the same columns in another order, or some of them twice"),
        ("a;b;b", "it has the same columns in another order, or some of them twice"),
        ("a;b;" + ";".join("cdefghijklmn"), "it has c, d, e, f, g, h, i, j, k, l and 2 more in addition"),
    ],
)
def test_the_difference_of_two_headers_is_named(other: str, difference: str | None) -> None:
    assert header_difference(["a", "b"], other.split(";")) == difference


def test_a_part_with_another_header_leaves_no_file(client: PigmentClient, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^plan: the header of slices\[1\] is not that of slices\[0\]: it lacks b"):
        joined(client, tmp_path, [b"a;b\n1;2\n", b"a\n1\n"])

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_error_between_two_parts_leaves_no_file(client: PigmentClient, tmp_path: Path) -> None:
    def interrupted() -> None:
        with JoinedParts("plan", client) as export:
            export.add(part(tmp_path, 0, b"a\n1\n"), "slices[0]", REQUEST)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_disk_that_does_not_take_a_part_is_named_and_no_file_stays(client: PigmentClient, tmp_path: Path) -> None:
    parts = [part(tmp_path, number, b"a\n" + b"1\n" * 400_000) for number in range(2)]

    def join() -> None:
        with JoinedParts("plan", client) as export:
            for number, file in enumerate(parts):
                export.add(file, f"slices[{number}]", REQUEST)

    with (
        pytest.raises(SpoolError, match=r"^spool_dir: .*: File too large\. The stream plan needs room"),
        largest_file(1_000_000),
    ):
        join()

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_stopped_run_joins_no_more_parts(tmp_path: Path) -> None:
    client = PigmentClient(
        Settings.from_config({"api_key": "k", "application_id": "app-1"}), logging.getLogger("test-parts")
    )
    client.cancel()

    with pytest.raises(RunStoppedError, match=r"plan: slices\[1\]: the run was stopped"):
        joined(client, tmp_path, [b"a\n1\n", b"a\n2\n"])

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

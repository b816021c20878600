"""Plans of whole streams: everything, or nothing if the rows are those of the last run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_pigment.changes import Bookmark
from tap_pigment.columns import RowKey
from tap_pigment.errors import ShrunkExportError
from tests.support.export_files import duckdb_session
from tests.support.planned_runs import PlannedRuns, Rows, planned_runs

if TYPE_CHECKING:
    from pathlib import Path

KEYLESS = RowKey()
ACTIVATING = {"emit_activate_version_messages": True}
ROWS = st.lists(st.sampled_from([["", ""], ["a", ""], ["", "a"], ['x"y', "a\nb"]]), max_size=4)


def test_digest_is_equal_for_the_same_rows_only(tmp_path_factory: pytest.TempPathFactory) -> None:
    @given(data=st.data(), first=ROWS, second=ROWS)
    @settings(max_examples=25, deadline=None)
    def law(data: st.DataObject, first: Rows, second: Rows) -> None:
        _, of_first = runs.run(first)
        _, of_permuted = runs.run(data.draw(st.permutations(first)))
        _, of_second = runs.run(second)

        assert of_permuted.digest == of_first.digest
        assert (of_second.digest == of_first.digest) is (sorted(first) == sorted(second))

    folder = tmp_path_factory.mktemp("law")
    with duckdb_session(folder) as session:
        runs = PlannedRuns(folder / "runs", KEYLESS, session, change_detection="stream")
        law()


def test_pairs_of_identical_rows_do_not_cancel_each_other_out(tmp_path: Path) -> None:
    x, y, z = ["x", ""], ["y", ""], ["z", ""]
    with planned_runs(tmp_path, KEYLESS, change_detection="stream") as runs:
        digests = {runs.run(rows)[1].digest for rows in ([x, x, y], [y, z, z], [x, y, y], [y, y, y], [y])}

    assert len(digests) == 5


def test_same_rows_in_another_order_are_unchanged(tmp_path: Path) -> None:
    with planned_runs(tmp_path, KEYLESS, change_detection="stream") as runs:
        _, first = runs.run([["a", "b"], ["c", "d"]])

        with runs.planned([["c", "d"], ["a", "b"]], first) as plan:
            assert plan.is_unchanged
            assert plan.bookmark.digest == first.digest
            assert plan.bookmark.body != first.body  # So that the next export is recognised by its bytes.


def test_changed_rows_cause_a_full_send(tmp_path: Path) -> None:
    with planned_runs(tmp_path, KEYLESS, change_detection="stream") as runs:
        _, first = runs.run([["a", "b"], ["c", "d"]])

        records, second = runs.run([["a", "b"], ["c", "D"]], first)

    assert [record["b"] for record in records] == ["b", "D"]
    assert second.digest != first.digest
    assert second.rows == 2


def test_without_change_detection_only_the_row_count_is_kept(tmp_path: Path) -> None:
    with planned_runs(tmp_path, KEYLESS, change_detection="none") as runs:
        _, first = runs.run([["a", "b"]])

        records, second = runs.run([["a", "b"]], first)

    assert len(records) == 1
    assert first == second == Bookmark(1)


@pytest.mark.parametrize(
    ("rows", "previous", "max_percent", "activates"),
    [
        pytest.param([["a", "b"]], None, 50, True, id="first run"),
        pytest.param([["a", "b"]], Bookmark(2), 50, True, id="half lost"),
        pytest.param([], None, 50, False, id="empty first run"),
        pytest.param([], Bookmark(0), 50, False, id="empty before"),
        pytest.param([], Bookmark(2), 100, True, id="emptied without a guard"),
    ],
)
def test_version_is_activated_unless_an_export_is_empty(
    tmp_path: Path, rows: Rows, previous: Bookmark | None, max_percent: int, *, activates: bool
) -> None:
    with (
        planned_runs(
            tmp_path, KEYLESS, change_detection="stream", **ACTIVATING, max_shrink_percent=max_percent
        ) as runs,
        runs.planned(rows, previous) as plan,
    ):
        assert plan.activates is activates
        # Without it, the next run must not find the stream unchanged.
        assert (plan.bookmark.digest is not None) is activates


def test_shrunk_export_is_an_error_if_a_version_would_be_activated(tmp_path: Path) -> None:
    with (
        planned_runs(tmp_path, KEYLESS, change_detection="none", **ACTIVATING, max_shrink_percent=50) as runs,
        pytest.raises(ShrunkExportError, match="plan: the export lost 2 of the 3 rows"),
    ):
        runs.run([["a", "b"]], Bookmark(3))

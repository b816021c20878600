"""The guard against exports that would delete too many rows downstream."""

import pytest

from tap_pigment.changes.shrink_guard import check_shrinkage, may_activate
from tap_pigment.errors import ShrunkExportError


@pytest.mark.parametrize(
    ("rows", "previous_rows", "max_percent"),
    [
        pytest.param(100, 100, 0, id="as many"),
        pytest.param(105, 100, 0, id="more"),
        pytest.param(50, 100, 50, id="the greatest share"),
        pytest.param(0, 100, 100, id="guard turned off"),
        pytest.param(7, None, 0, id="unknown number before"),
        pytest.param(0, 0, 0, id="empty before"),
        pytest.param(199, 200, 1, id="half of the greatest share"),
    ],
)
def test_export_that_lost_few_rows_passes(rows: int, previous_rows: int | None, max_percent: int) -> None:
    check_shrinkage("gl", rows=rows, previous_rows=previous_rows, max_percent=max_percent)


@pytest.mark.parametrize(
    ("rows", "previous_rows", "max_percent"),
    [(99, 100, 0), (49, 100, 50), (0, 100, 99), (499, 1000, 50), (197, 200, 1)],
)
def test_export_that_lost_too_many_rows_fails(rows: int, previous_rows: int, max_percent: int) -> None:
    with pytest.raises(ShrunkExportError):
        check_shrinkage("gl", rows=rows, previous_rows=previous_rows, max_percent=max_percent)


def test_message_has_the_numbers_and_the_setting() -> None:
    with pytest.raises(ShrunkExportError) as raised:
        check_shrinkage("gl", rows=810, previous_rows=4810, max_percent=50)

    assert str(raised.value) == (
        "gl: the export lost 4,000 of the 4,810 rows of the last run, more than max_shrink_percent (50) allows. "
        "Nothing was emitted. A lost access right looks like deleted rows: check the block in Pigment as the API key's "
        "owner. If the rows were really deleted, run once with max_shrink_percent: 100."
    )


@pytest.mark.parametrize(
    ("rows", "max_percent", "expected"), [(1, 50, True), (1, 0, True), (0, 50, False), (0, 99, False), (0, 100, True)]
)
def test_empty_export_activates_only_with_the_guard_turned_off(rows: int, max_percent: int, *, expected: bool) -> None:
    assert may_activate(rows=rows, max_percent=max_percent) is expected

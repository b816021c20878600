"""Whether an export may delete rows downstream."""

import pytest

from tap_pigment.errors import ShrunkExportError
from tap_pigment.guard import check_shrinkage, may_activate


@pytest.mark.parametrize(
    ("gone", "before", "max_percent"),
    [
        (0, 100, 0),
        (-5, 100, 0),
        (50, 100, 50),
        (100, 100, 100),
        (7, None, 0),
        (0, 0, 0),
        (1, 200, 1),
    ],
)
def test_what_may_be_deleted_passes(gone: int, before: int | None, max_percent: int) -> None:
    check_shrinkage("gl", gone=gone, before=before, max_percent=max_percent)


@pytest.mark.parametrize(
    ("gone", "before", "max_percent"), [(1, 100, 0), (51, 100, 50), (100, 100, 99), (501, 1000, 50), (3, 200, 1)]
)
def test_more_than_that_is_refused(gone: int, before: int, max_percent: int) -> None:
    with pytest.raises(ShrunkExportError):
        check_shrinkage("gl", gone=gone, before=before, max_percent=max_percent)


def test_the_refusal_says_how_many_and_which_setting() -> None:
    with pytest.raises(ShrunkExportError) as caught:
        check_shrinkage("gl", gone=4000, before=4810, max_percent=50)

    assert str(caught.value) == (
        "gl: 4,000 of the 4,810 rows of the last run are gone, and would be deleted downstream: more than "
        "max_shrink_percent (50) allows. Nothing was sent. A lost access right looks just like deleted rows: look at "
        "the block in Pigment as the key's owner. If the rows are really gone, run once with max_shrink_percent: 100."
    )


@pytest.mark.parametrize(
    ("rows", "max_percent", "expected"), [(1, 50, True), (1, 0, True), (0, 50, False), (0, 99, False), (0, 100, True)]
)
def test_an_empty_export_deletes_nothing_unless_the_guard_is_off(
    rows: int, max_percent: int, *, expected: bool
) -> None:
    assert may_activate(rows=rows, max_percent=max_percent) is expected

"""DuckDB within limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_pigment.engine import Engine
from tap_pigment.errors import SpoolError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NO_ROOM = "law: no room to work on an export of 1,234 bytes in .* Make room for about twice its size, or set spool_dir"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine("law", tmp_path, memory_bytes=8_000_000, export_bytes=1_234)
    yield engine
    engine.close()


def test_what_memory_cannot_hold_is_an_error_that_says_what_to_do(engine: Engine) -> None:
    with pytest.raises(SpoolError, match=NO_ROOM):
        engine.execute("SELECT list(range) FROM range(10_000_000)")


def test_a_copy_that_the_disk_does_not_take_is_an_error_that_says_what_to_do(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match=NO_ROOM):
        engine.copy(f"COPY (SELECT 1) TO '{tmp_path}/missing/file.csv'")

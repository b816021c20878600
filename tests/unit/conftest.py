"""One session of DuckDB for all tests of a module, as one run has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.export_files import duckdb_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_pigment.exports import DuckDBSession


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBSession]:
    with duckdb_session(tmp_path_factory.mktemp("session")) as session:
        yield session

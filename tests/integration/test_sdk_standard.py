"""The SDK's suite of tests, against the sandbox with its demo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_pigment.sandbox.api.app import pigment_app
from tap_pigment.sandbox.demo.workspace import DEMO_APPLICATION_ID, DEMO_KEY, demo_workspace
from tap_pigment.sandbox.server import serving
from tap_pigment.tap import TapPigment

if TYPE_CHECKING:
    from collections.abc import Iterator

# The suite makes its streams when this module is imported, and so needs the server by then.
_SERVING = serving(pigment_app(demo_workspace()))
_CONFIG: dict[str, Any] = {
    "api_url": _SERVING.__enter__().url,
    "api_key": DEMO_KEY,
    "application_id": DEMO_APPLICATION_ID,
}


@pytest.fixture(scope="module", autouse=True)
def _server() -> Iterator[None]:
    """Stop the server after the last test."""
    yield
    _SERVING.__exit__(None, None, None)


TestTapPigment = get_tap_test_class(
    TapPigment,
    config=_CONFIG,
    suite_config=SuiteConfig(max_records_limit=None, ignore_no_records_for_streams=["projects"]),  # An empty list.
)

"""The taps in a time that passes faster, so that a quota of 5 minutes can be measured in less.

`python -m tests.benchmarks.quick_taps ours OPTION ...` or `python -m tests.benchmarks.quick_taps plain OPTION ...`
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from tap_pigment.tap import TapPigment
from tests.benchmarks.plain_tap import ExportStream, PlainTap
from tests.benchmarks.quota import SPEED

if TYPE_CHECKING:
    from typing import ClassVar

    from singer_sdk import Tap


class QuickTap(TapPigment):
    """The tap. Its clock is the time of day, which processes share."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - the SDK's own, passed on unchanged.
        super().__init__(
            clock=lambda: time.time() * SPEED, sleep=lambda seconds: time.sleep(seconds / SPEED), **options
        )


class QuickExportStream(ExportStream):
    """An export of the plain tap, whose waits before retries are shorter."""

    def backoff_jitter(self, value: float) -> float:
        """Return the seconds to wait."""
        return super().backoff_jitter(value) / SPEED


class QuickPlainTap(PlainTap):
    """The plain tap."""

    stream_class: ClassVar[type[ExportStream]] = QuickExportStream


if __name__ == "__main__":
    taps: dict[str, type[Tap]] = {"ours": QuickTap, "plain": QuickPlainTap}
    taps[sys.argv.pop(1)].cli()

"""Rows that nothing deletes downstream: what discovery and each sync report about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.tap_runs import COUNTRIES, TapRuns

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import MakeTap, RunCommand

KEYLESS: dict[str, Any] = {"stream_overrides": {"countries": {"key_columns": []}}}
SILENT: dict[str, Any] = {"emit_activate_version_messages": False}
FEWER = COUNTRIES.replace("IT;Italia;3.5\r\n", "")
SWITCH_ON = (
    "Set emit_activate_version_messages: true for a target that acts on it, or change_detection: row for any target "
    "that merges by key."
)
NOTICE = (
    "countries: no column identifies a row, so an edited row is emitted as a new one. The target must act on "
    "ACTIVATE_VERSION to delete the old one; if it does not, set change_detection: row."
)
NOTHING_DELETES = (
    "countries: no column identifies a row, so an edited row is emitted as a new one, and nothing deletes the old one "
    f"downstream. {SWITCH_ON}"
)


def reports(caplog: pytest.LogCaptureFixture, level: str) -> list[str]:
    """Return the messages of a level about the countries, and forget them."""
    found = [
        record.getMessage()
        for record in caplog.records
        if record.levelname == level and record.getMessage().startswith("countries:")
    ]
    caplog.clear()
    return found


def test_each_sync_reports_what_a_keyless_stream_needs(
    pigment: Pigment, tap: MakeTap, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    runs = TapRuns(pigment, tap, KEYLESS)

    for _ in range(2):
        runs.run()

        assert NOTICE in reports(caplog, "INFO")


def test_discovery_reports_what_a_keyless_stream_needs(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any]
) -> None:
    pigment.add_list("Countries", COUNTRIES)

    with_key, without = (run_command("--discover", config={**config, **more}).stderr for more in ({}, KEYLESS))

    assert NOTICE not in with_key
    assert NOTICE in without


@pytest.mark.parametrize(
    ("second", "warning"),
    [
        (COUNTRIES, NOTHING_DELETES),
        ("Code;Name;Size\r\n" + "".join(reversed(COUNTRIES.splitlines(keepends=True)[1:])), NOTHING_DELETES),
        (
            COUNTRIES.replace("Italia", "Italy"),
            (
                "countries: rows changed since the last run (3 rows then, 3 now), and no column identifies a row. A "
                "target that merges or appends keeps the old rows beside the new ones, so its sums are wrong. "
                f"{SWITCH_ON}"
            ),
        ),
        (
            FEWER,
            (
                "countries: rows changed since the last run (3 rows then, 2 now), and no column identifies a row. A "
                "target that merges or appends keeps the old rows beside the new ones, so its sums are wrong. "
                f"{SWITCH_ON}"
            ),
        ),
    ],
    ids=["unchanged", "another order", "edited", "deleted"],
)
def test_a_keyless_stream_without_versions_is_warned_of(
    pigment: Pigment, tap: MakeTap, caplog: pytest.LogCaptureFixture, second: str, warning: str
) -> None:
    runs = TapRuns(pigment, tap, {**KEYLESS, **SILENT})

    runs.run()
    first_warnings = reports(caplog, "WARNING")
    runs.run_with(second)

    assert first_warnings == [NOTHING_DELETES]
    assert reports(caplog, "WARNING") == [warning]


@pytest.mark.parametrize(
    "first", [{}, {**SILENT, "change_detection": "stream"}], ids=["with versions", "change_detection: stream"]
)
def test_rows_that_cannot_be_compared_are_not_called_changed(
    pigment: Pigment, tap: MakeTap, caplog: pytest.LogCaptureFixture, first: dict[str, Any]
) -> None:
    runs = TapRuns(pigment, tap, KEYLESS)
    runs.run(**first)
    reports(caplog, "WARNING")

    runs.run(**SILENT)

    assert reports(caplog, "WARNING") == [NOTHING_DELETES]


def test_deleted_rows_without_versions_are_warned_of(
    pigment: Pigment, tap: MakeTap, caplog: pytest.LogCaptureFixture
) -> None:
    runs = TapRuns(pigment, tap, SILENT)

    warnings = []
    for body in (COUNTRIES, COUNTRIES.replace("Italia", "Italy"), FEWER):
        runs.run_with(body)
        warnings.append(reports(caplog, "WARNING"))

    assert warnings == [
        [],
        [],
        [
            (
                "countries: 1 row fewer than in the last run (3 then, 2 now). A target that merges or appends keeps "
                f"deleted rows. {SWITCH_ON}"
            )
        ],
    ]


def test_deleted_rows_of_files_are_warned_of_with_another_remedy(
    pigment: Pigment, tap: MakeTap, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    batch_config = {"encoding": {"format": "jsonl"}, "storage": {"root": str(tmp_path)}}
    runs = TapRuns(pigment, tap, {"batch_config": batch_config})
    runs.run()

    runs.run_with(FEWER)

    [warning] = reports(caplog, "WARNING")
    assert warning.endswith(
        "Replace batch_config by change_detection: row, or load the table from scratch in each run."
    )


@pytest.mark.parametrize(
    "settings",
    [{}, {"change_detection": "stream"}, {"change_detection": "row", "snapshot_uri": "{folder}"}],
    ids=["versions", "stream", "row"],
)
@pytest.mark.parametrize("key", [{}, KEYLESS], ids=["key", "no key"])
def test_nothing_is_warned_of_where_the_target_can_delete_rows(  # noqa: PLR0913, PLR0917 - fixtures and parameters.
    pigment: Pigment,
    tap: MakeTap,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    settings: Mapping[str, str],
    key: Mapping[str, Any],
) -> None:
    settings = {name: setting.format(folder=tmp_path) for name, setting in settings.items()}
    runs = TapRuns(pigment, tap, {**settings, **key})

    runs.run()
    runs.run_with(FEWER)

    assert reports(caplog, "WARNING") == []

"""Exports near the limits of disk and memory: large cells, many columns, many identical rows."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.small_disk import on_small_disk
from tests.support.taps import of_type, records

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import RunTap

MEGABYTE = 1 << 20


def spooling_run(
    pigment: Pigment,
    config: Mapping[str, Any],
    folder: Path,
    command: Sequence[str],
    **options: Any,  # noqa: ANN401 - of `subprocess.run`.
) -> subprocess.CompletedProcess[str]:
    """Run a command that runs the tap on an export of 3 MB, which is spooled to a folder `spool`."""
    pigment.add_list("Numbers", "Code;Text\r\n" + "".join(f"{number};{'x' * 100}\r\n" for number in range(30_000)))
    (folder / "spool").mkdir()
    (folder / "config.json").write_text(json.dumps({**config, "spool_dir": str(folder / "spool")}))
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **options)


def test_a_limit_on_the_size_of_files_fails_with_place_and_size(
    pigment: Pigment, config: Mapping[str, Any], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tap_pigment", "--config", "config.json"]

    result = spooling_run(
        pigment,
        config,
        tmp_path,
        command,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MEGABYTE, MEGABYTE)),
    )

    *_, title, row = result.stderr.splitlines()
    assert result.returncode == 1
    assert result.stdout == ""
    assert title.endswith("1 of 1 stream failed.")
    assert re.fullmatch(
        rf"  numbers  spool_dir: {tmp_path}/spool/tap-pigment-\w+: File too large\. The export needs more than the "
        r"[1-3],[0-9]{3},[0-9]{3} bytes so far, beside those that are downloaded ahead \(max_prefetch_mb\)\. "
        r"Raise the limit on the size of a file \(ulimit -f\)\.",
        row,
    )
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_full_disk_fails_with_place_and_size_and_is_left_empty(
    pigment: Pigment, config: Mapping[str, Any], tmp_path: Path
) -> None:
    script = f"{sys.executable} -m tap_pigment --config config.json; echo $?; ls -A spool"
    command = on_small_disk(script, "spool", megabytes=2)

    result = spooling_run(pigment, config, tmp_path, command)

    *_, title, row = result.stderr.splitlines()
    assert result.stdout.splitlines() == ["1"]
    assert title.endswith("1 of 1 stream failed.")
    assert re.fullmatch(
        rf"  numbers  spool_dir: {tmp_path}/spool/tap-pigment-\w+: the disk is full\. The export needs more than the "
        r"[1-3],[0-9]{3},[0-9]{3} bytes so far, beside those that are downloaded ahead \(max_prefetch_mb\)\. "
        r"Make room, or set spool_dir to a directory with more\.",
        row,
    )


def test_a_cell_of_16_mb_is_emitted_whole(pigment: Pigment, run_tap: RunTap) -> None:
    cell = 'é;"\n' * (16 * MEGABYTE // 5)
    quoted = cell.replace('"', '""')
    pigment.add_list("Texts", f'Code;Text\r\nA;short\r\nB;"{quoted}"\r\nC;\r\n')

    messages = run_tap()

    assert records(messages, "texts") == [
        {"Code": "A", "Text": "short"},
        {"Code": "B", "Text": cell},
        {"Code": "C", "Text": None},
    ]


def test_many_cells_of_1_mb_are_emitted_whole(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Texts", "Code;Text\r\n" + "".join(f"{number};{'x' * MEGABYTE}\r\n" for number in range(40)))

    messages = run_tap()

    assert [len(message["record"]["Text"]) for message in of_type(messages, "RECORD")] == [MEGABYTE] * 40


@pytest.mark.parametrize(
    ("columns", "rows", "repeats"), [(400, 3_000, 1), (150, 15_000, 2), (60, 50_000, 2), (3, 200_000, 100_000)]
)
def test_wide_and_identical_rows_are_numbered_within_the_memory_limit(
    pigment: Pigment, run_tap: RunTap, columns: int, rows: int, repeats: int
) -> None:
    header = ";".join(f"c{number}" for number in range(columns))
    body = "".join(";".join([str(row // repeats)] + ["label"] * (columns - 1)) + "\r\n" for row in range(rows))
    pigment.add("Wide", "TransactionList", f"{header}\r\n{body}")

    messages = of_type(run_tap(), "RECORD")

    keys = {(message["record"]["contentHash"], message["record"]["occurrence"]) for message in messages}
    assert len(messages) == len(keys) == rows
    assert max(occurrence for _, occurrence in keys) == repeats
    assert [message["record"]["c0"] for message in messages] == [str(row // repeats) for row in range(rows)]

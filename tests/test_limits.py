"""What the machine sets limits to: memory and disk."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import of_type, records

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.conftest import Discover, RunTap
    from tests.pigment import Pigment

MEGABYTE = 1 << 20


def run_with_largest_file(
    limit_bytes: int, config: Mapping[str, Any], catalog: Mapping[str, Any], folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run the tap in a process that the system lets write no file beyond a size, as a full disk would."""
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "catalog.json").write_text(json.dumps(catalog))
    command = [sys.executable, "-m", "tap_pigment", "--config", "config.json", "--catalog", "catalog.json"]
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes)),
    )


def test_a_disk_that_takes_no_more_fails_with_the_size_and_the_place_and_is_left_clean(
    pigment: Pigment, config: Mapping[str, Any], discover: Discover, tmp_path: Path
) -> None:
    pigment.add_list("Numbers", "Code;Text\r\n" + "".join(f"{number};{'x' * 100}\r\n" for number in range(30_000)))
    catalog = discover()
    spool_dir = tmp_path / "spool"
    spool_dir.mkdir()

    result = run_with_largest_file(MEGABYTE, {**config, "spool_dir": str(spool_dir)}, catalog, tmp_path)

    assert result.returncode == 1
    assert result.stdout == ""
    assert f"spool_dir: {spool_dir}/tap-pigment-" in result.stderr
    assert "does not take the export: File too large. It needs more than the" in result.stderr
    assert list(spool_dir.iterdir()) == []


def test_a_cell_of_16_mb_comes_out_whole_among_others(pigment: Pigment, run_tap: RunTap) -> None:
    cell = 'é;"\n' * (16 * MEGABYTE // 5)
    quoted = cell.replace('"', '""')
    pigment.add_list("Texts", f'Code;Text\r\nA;short\r\nB;"{quoted}"\r\nC;\r\n')

    messages = run_tap()

    assert records(messages, "texts") == [
        {"Code": "A", "Text": "short"},
        {"Code": "B", "Text": cell},
        {"Code": "C", "Text": None},
    ]


def test_many_large_cells_come_out_whole(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Texts", "Code;Text\r\n" + "".join(f"{number};{'x' * MEGABYTE}\r\n" for number in range(40)))

    messages = run_tap()

    assert [len(message["record"]["Text"]) for message in of_type(messages, "RECORD")] == [MEGABYTE] * 40


@pytest.mark.parametrize(
    ("columns", "rows", "repeats"), [(400, 3_000, 1), (150, 15_000, 2), (60, 50_000, 2), (3, 200_000, 100_000)]
)
def test_wide_and_repeated_rows_without_a_key_are_numbered_within_the_memory_there_is(
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

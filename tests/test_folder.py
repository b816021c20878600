"""The spool's directory: private, removed by its run, or by the next one where that was killed."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.errors import SpoolError
from tap_pigment.folder import SpoolFolder, remove_dead

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.conftest import RunCommand
    from tests.pigment import Pigment

LIVE = """
import sys
from pathlib import Path
from tap_pigment.folder import SpoolFolder

folder = SpoolFolder(Path(sys.argv[1]))
print(folder.new_file(), flush=True)
sys.stdin.read()
"""
BOOT = Path("/proc/sys/kernel/random/boot_id")


@pytest.fixture
def spool_dir(tmp_path: Path) -> Path:
    path = tmp_path / "spool"
    path.mkdir()
    return path


def live(spool_dir: Path) -> subprocess.Popen[str]:
    """Start a run that has a file in the spool, and does nothing until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", LIVE, str(spool_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def file_of(run: subprocess.Popen[str]) -> Path:
    """Return the file that a run has in the spool, once it is there."""
    assert run.stdout
    return Path(run.stdout.readline().strip())


@pytest.fixture
def living(spool_dir: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Give a run that lives, and the file that it has in the spool."""
    with live(spool_dir) as run:
        yield run, file_of(run)
        run.kill()


def test_it_and_what_is_in_it_can_be_read_by_the_user_only(spool_dir: Path) -> None:
    folder = SpoolFolder(spool_dir)

    file = folder.new_file()

    assert file.parent.parent == spool_dir
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in file.parent.iterdir()] == [0o600, 0o600]


def test_it_is_gone_with_its_owner(spool_dir: Path) -> None:
    folder = SpoolFolder(spool_dir)
    (folder.new_file().parent / "duckdb_temp").mkdir()

    del folder

    assert list(spool_dir.iterdir()) == []


def test_a_run_that_was_killed_is_cleaned_up_after_by_the_next(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any], spool_dir: Path
) -> None:
    pigment.add_list("Numbers", "Code\r\n" + "".join(f"{number}\r\n" for number in range(200_000)))
    pigment.add_list("Countries", "Code\r\nFR\r\n")
    settings = {**config, "spool_dir": str(spool_dir)}
    (spool_dir.parent / "killed.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "tap_pigment", "--config", str(spool_dir.parent / "killed.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as killed:
        assert killed.stdout
        assert json.loads(killed.stdout.readline())["type"] == "SCHEMA"
        killed.kill()
    left = [path.name for path in spool_dir.glob("*/export-*.csv")]

    result = run_command(config={**settings, "exclude": ["Numbers"]})

    assert left
    assert result.returncode == 0
    assert list(spool_dir.iterdir()) == []


def test_the_directory_of_a_run_that_lives_stays(living: tuple[subprocess.Popen[str], Path], spool_dir: Path) -> None:
    _, file = living

    other = SpoolFolder(spool_dir).new_file()

    assert file.exists()
    assert other.parent != file.parent


def test_two_runs_in_one_process_leave_each_other_alone(spool_dir: Path) -> None:
    one, other = SpoolFolder(spool_dir), SpoolFolder(spool_dir)

    files = [one.new_file(), other.new_file()]

    assert [file.exists() for file in files] == [True, True]


def test_a_run_stays_in_its_directory_while_others_start_and_clean_up(spool_dir: Path) -> None:
    def start(_: int) -> bool:
        folder = SpoolFolder(spool_dir)
        first = folder.new_file()
        remove_dead(spool_dir)
        return first.exists() and folder.new_file().exists() and (first.parent / "run.lock").exists()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(start, range(400)))

    assert found == [True] * 400
    assert list(spool_dir.iterdir()) == []


def test_what_others_have_put_there_is_left_alone(spool_dir: Path, tmp_path: Path) -> None:
    (spool_dir / "tap-pigment-by-hand").mkdir()
    (spool_dir / "tap-pigment-by-hand" / "notes.txt").write_text("mine")
    (spool_dir / "tap-pigment-notes.txt").write_text("mine")
    (spool_dir / "other").mkdir()
    (spool_dir / "other" / "run.lock").write_text(BOOT.read_text("utf-8").strip())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "run.lock").write_text(BOOT.read_text("utf-8").strip())
    (spool_dir / "tap-pigment-link").symlink_to(elsewhere)

    remove_dead(spool_dir)

    assert sorted(path.name for path in spool_dir.iterdir()) == [
        "other",
        "tap-pigment-by-hand",
        "tap-pigment-link",
        "tap-pigment-notes.txt",
    ]
    assert (spool_dir / "tap-pigment-by-hand" / "notes.txt").read_text() == "mine"
    assert (elsewhere / "run.lock").exists()


@pytest.mark.parametrize("name", [b"", b"another machine, which shares the directory over a network", b"\xff"])
def test_a_directory_of_another_machine_is_left_alone(spool_dir: Path, name: bytes) -> None:
    path = spool_dir / "tap-pigment-abcdefgh"
    path.mkdir()
    (path / "run.lock").write_bytes(name)

    remove_dead(spool_dir)

    assert path.exists()


def test_links_in_a_dead_directory_are_not_followed(spool_dir: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("mine")
    dead = spool_dir / "tap-pigment-abcdefgh"
    dead.mkdir()
    (dead / "run.lock").write_bytes(BOOT.read_bytes().strip())
    (dead / "link").symlink_to(kept)

    remove_dead(spool_dir)

    assert list(spool_dir.iterdir()) == []
    assert (kept / "file").read_text() == "mine"


def test_a_directory_that_is_locked_is_of_a_run_that_lives_whatever_its_process(spool_dir: Path) -> None:
    path = spool_dir / "tap-pigment-abcdefgh"
    path.mkdir()
    (path / "run.lock").write_bytes(BOOT.read_bytes().strip())
    lock = os.open(path / "run.lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)

    remove_dead(spool_dir)
    stayed = path.exists()
    os.close(lock)
    remove_dead(spool_dir)

    assert stayed
    assert not path.exists()


def test_a_place_that_is_none_is_named(tmp_path: Path) -> None:
    folder = SpoolFolder(tmp_path / "nowhere")

    with pytest.raises(SpoolError, match=r"cannot make a directory in .*nowhere: No such file or directory"):
        folder.new_file()

"""The spool directory: private, removed by its run, or by the next run if that was killed."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_pigment.errors import SpoolError
from tap_pigment.exports.spool_directory import SpoolDirectory, disk_errors, remove_dead
from tests.support.taps import TIMEOUT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN = """
import sys
from pathlib import Path
from tap_pigment.exports.spool_directory import SpoolDirectory

spool = SpoolDirectory(Path(sys.argv[1]))
print(spool.new_file(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def machine(tmp_path: Path) -> str:
    """Return the name of this machine, as a run writes it into its lock."""
    (tmp_path / "run").mkdir()
    spool = SpoolDirectory(tmp_path / "run")
    name = (spool.path() / "run.lock").read_text("utf-8")
    spool.close()
    return name


@pytest.fixture
def other_run(spool_dir: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Give a run in another process that has a file in its spool directory and waits, and that file."""
    command = [sys.executable, "-c", RUN, str(spool_dir)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        yield run, Path(run.stdout.readline().strip())
        run.kill()


def test_only_the_user_can_read_the_directory_and_its_files(spool_dir: Path) -> None:
    spool = SpoolDirectory(spool_dir)

    file = spool.new_file()

    assert file.parent.parent == spool_dir
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in file.parent.iterdir()] == [0o600, 0o600]


def test_each_new_file_has_a_name_of_its_own(spool_dir: Path) -> None:
    spool = SpoolDirectory(spool_dir)

    with ThreadPoolExecutor(8) as pool:
        files = list(pool.map(lambda _: spool.new_file(), range(200)))

    assert len(set(files)) == 200
    assert {file.parent for file in files} == {spool.path()}


def test_no_directory_is_made_before_it_is_used(spool_dir: Path) -> None:
    spool = SpoolDirectory(spool_dir)

    spool.close()

    assert list(spool_dir.iterdir()) == []


def test_closing_removes_the_directory_with_everything_in_it(spool_dir: Path) -> None:
    spool = SpoolDirectory(spool_dir)
    (spool.new_file().parent / "duckdb_temp").mkdir()
    (spool.path() / "duckdb_temp" / "block").write_bytes(b"x")

    spool.close()

    assert list(spool_dir.iterdir()) == []


def test_a_closed_directory_is_made_again_at_the_next_use(spool_dir: Path) -> None:
    spool = SpoolDirectory(spool_dir)
    first = spool.path()
    spool.close()

    second = spool.new_file().parent
    was_there = second.exists()
    spool.close()

    assert was_there
    assert second != first
    assert list(spool_dir.iterdir()) == []


def test_the_directory_is_removed_with_its_owner(spool_dir: Path) -> None:
    spool = SpoolDirectory(spool_dir)
    (spool.new_file().parent / "duckdb_temp").mkdir()

    del spool

    assert list(spool_dir.iterdir()) == []


def test_the_directory_is_removed_when_the_interpreter_exits(
    other_run: tuple[subprocess.Popen[str], Path], spool_dir: Path
) -> None:
    run, file = other_run
    was_there = file.exists()

    run.communicate(timeout=TIMEOUT_SECONDS)

    assert was_there
    assert run.returncode == 0
    assert list(spool_dir.iterdir()) == []


def test_the_directory_of_a_killed_run_is_removed_by_the_next(
    other_run: tuple[subprocess.Popen[str], Path], spool_dir: Path
) -> None:
    run, file = other_run
    run.kill()
    run.wait(TIMEOUT_SECONDS)
    stayed = file.exists()

    spool = SpoolDirectory(spool_dir)
    path = spool.path()

    assert stayed
    assert not file.exists()
    assert list(spool_dir.iterdir()) == [path]


def test_the_directory_of_a_live_run_stays(other_run: tuple[subprocess.Popen[str], Path], spool_dir: Path) -> None:
    _, file = other_run

    other = SpoolDirectory(spool_dir).new_file()

    assert file.exists()
    assert other.parent != file.parent


def test_two_runs_in_one_process_have_two_directories(spool_dir: Path) -> None:
    one, other = SpoolDirectory(spool_dir), SpoolDirectory(spool_dir)

    files = [one.new_file(), other.new_file()]

    assert [file.exists() for file in files] == [True, True]


def test_a_run_keeps_its_directory_while_others_start(spool_dir: Path) -> None:
    def start(_: int) -> bool:
        spool = SpoolDirectory(spool_dir)
        first = spool.new_file()
        remove_dead(spool_dir)
        return first.exists() and spool.new_file().exists() and (first.parent / "run.lock").exists()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(start, range(400)))

    assert found == [True] * 400
    assert list(spool_dir.iterdir()) == []


def test_files_and_directories_of_others_stay(spool_dir: Path, tmp_path: Path, machine: str) -> None:
    (spool_dir / "tap-pigment-by-hand").mkdir()
    (spool_dir / "tap-pigment-by-hand" / "notes.txt").write_text("mine")
    (spool_dir / "tap-pigment-notes.txt").write_text("mine")
    (spool_dir / "other").mkdir()
    (spool_dir / "other" / "run.lock").write_text(machine)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "run.lock").write_text(machine)
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
def test_the_directory_of_another_machine_stays(spool_dir: Path, name: bytes) -> None:
    path = spool_dir / "tap-pigment-abcdefgh"
    path.mkdir()
    (path / "run.lock").write_bytes(name)

    remove_dead(spool_dir)

    assert path.exists()


def test_links_in_the_directory_of_a_killed_run_are_not_followed(spool_dir: Path, tmp_path: Path, machine: str) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("mine")
    dead = spool_dir / "tap-pigment-abcdefgh"
    dead.mkdir()
    (dead / "run.lock").write_text(machine)
    (dead / "link").symlink_to(kept)

    remove_dead(spool_dir)

    assert list(spool_dir.iterdir()) == []
    assert (kept / "file").read_text() == "mine"


def test_a_locked_directory_stays_until_its_lock_is_released(spool_dir: Path, machine: str) -> None:
    path = spool_dir / "tap-pigment-abcdefgh"
    path.mkdir()
    (path / "run.lock").write_text(machine)
    lock = os.open(path / "run.lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)

    remove_dead(spool_dir)
    stayed = path.exists()
    os.close(lock)
    remove_dead(spool_dir)

    assert stayed
    assert not path.exists()


def test_a_parent_that_does_not_exist_is_named(tmp_path: Path) -> None:
    spool = SpoolDirectory(tmp_path / "nowhere")

    with pytest.raises(SpoolError) as caught:
        spool.new_file()

    assert str(caught.value) == (
        f"spool_dir: cannot make a directory in {tmp_path}/nowhere: No such file or directory. Set spool_dir to a "
        "directory that exists and can be written."
    )


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "the disk is full. It needs 9 bytes. Make room, or set spool_dir to a directory with more."),
        (errno.EDQUOT, "the disk is full. It needs 9 bytes. Make room, or set spool_dir to a directory with more."),
        (errno.EFBIG, "File too large. It needs 9 bytes. Raise the limit on the size of a file (ulimit -f)."),
        (errno.EACCES, "Permission denied. Set spool_dir to a directory that can be written."),
        (errno.EROFS, "Read-only file system. Set spool_dir to a directory that can be written."),
        (
            errno.ENOENT,
            "No such file or directory: something removed the directory or a file in it during the run. Run again.",
        ),
        (errno.EIO, "Input/output error. Check the disk, or set spool_dir to another directory."),
    ],
)
def test_an_error_of_the_disk_names_its_cause_and_remedy(number: int, remedy: str) -> None:
    with pytest.raises(SpoolError) as caught, disk_errors(Path("/spool"), "It needs 9 bytes."):
        raise OSError(number, os.strerror(number))

    assert str(caught.value) == f"spool_dir: /spool: {remedy}"


def test_a_file_removed_during_the_run_is_an_error_of_the_spool(spool_dir: Path) -> None:
    spool = SpoolDirectory(spool_dir)
    shutil.rmtree(spool.path())

    with pytest.raises(SpoolError, match="something removed the directory or a file in it during the run"):
        spool.new_file()


def test_a_named_pipe_as_lock_file_is_not_waited_for(spool_dir: Path) -> None:
    (spool_dir / "tap-pigment-dead").mkdir()
    os.mkfifo(spool_dir / "tap-pigment-dead" / "run.lock")

    spool = SpoolDirectory(spool_dir)

    assert spool.path().is_dir()
    assert (spool_dir / "tap-pigment-dead").is_dir()
    spool.close()


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_a_path_that_no_system_has_is_an_error_of_the_setting(tmp_path: Path, name: str) -> None:
    with pytest.raises(SpoolError, match=r"^spool_dir: cannot make a directory in .*\. Set spool_dir to a directory"):
        SpoolDirectory(tmp_path / name).path()


def test_a_relative_directory_is_named_by_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "~").mkdir()
    monkeypatch.chdir(tmp_path)
    spool = SpoolDirectory(Path("~"))

    assert spool.path().is_relative_to(tmp_path / "~")
    spool.close()

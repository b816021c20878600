"""Failures of one stream: the other streams, the state, and the report of the run."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.errors import PigmentExportError, SpoolError, StreamsFailedError
from tap_pigment.exports import DuckDBSession, SpoolDirectory
from tap_pigment.tap import TapPigment
from tests.support.pigment import Answer
from tests.support.taps import Recorder, of_type, written

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.support.pigment import Pigment
    from tests.support.taps import Discover, MakeTap

    Damage = Callable[[Path], object]


@pytest.fixture
def broken(pigment: Pigment) -> str:
    """The id of the block in the middle of three, whose export always fails."""
    pigment.add_list("First", "Code\r\nA\r\n")
    broken = pigment.add_list("Second", "Code\r\nB\r\n")
    pigment.add_list("Third", "Code\r\nC\r\n")
    return broken


def test_other_streams_finish_before_the_run_fails(
    pigment: Pigment, discover: Discover, tap: MakeTap, broken: str
) -> None:
    catalog = discover()
    pigment.always_answer(broken, Answer(500))
    running = tap(catalog=catalog, on_stream_error="continue", max_retries=0, emit_activate_version_messages=False)

    with pytest.raises(StreamsFailedError) as caught:
        running.sync_all()

    messages = written(running)
    assert [message["stream"] for message in of_type(messages, "RECORD")] == ["first", "third"]
    assert messages[-1]["value"]["bookmarks"] == {"first": {"v": 1, "rows": 1}, "third": {"v": 1, "rows": 1}}
    assert str(caught.value).splitlines() == [
        "1 of 3 streams failed. The others are complete.",
        "  second  Pigment failed (500). Run again later.",
    ]


def test_a_failure_is_logged_when_it_happens_with_the_streams_name(
    pigment: Pigment, discover: Discover, tap: MakeTap, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    catalog = discover()
    pigment.always_answer(broken, Answer(500))

    with pytest.raises(StreamsFailedError):
        tap(catalog=catalog, on_stream_error="continue", max_retries=0).sync_all()

    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        ("second: failed; the other streams go on, and then the run fails. Pigment failed (500). Run again later.")
    ]


def test_the_report_has_a_row_for_each_failed_stream(
    pigment: Pigment, discover: Discover, tap: MakeTap, broken: str
) -> None:
    catalog = discover()
    pigment.always_answer(broken, Answer(500))
    pigment.always_answer("/export/", Answer(body=b"Code\r\nA;B\r\n"))
    running = tap(catalog=catalog, on_stream_error="continue", max_retries=0)

    with pytest.raises(StreamsFailedError) as caught:
        running.sync_all()

    assert str(caught.value).splitlines() == [
        "3 of 3 streams failed.",
        (
            "  first   row 1 (line 2) has 2 fields, the header has 1. Nothing was emitted. Run again; if it persists, "
            "check that row in Pigment."
        ),
        "  second  Pigment failed (500). Run again later.",
        (
            "  third   row 1 (line 2) has 2 fields, the header has 1. Nothing was emitted. Run again; if it persists, "
            "check that row in Pigment."
        ),
    ]
    assert written(running) == []


def test_a_failed_stream_keeps_its_state(pigment: Pigment, discover: Discover, tap: MakeTap, broken: str) -> None:
    catalog = discover()
    pigment.always_answer(broken, Answer(500))
    before = {"bookmarks": {"second": {"v": 1, "rows": 12}}}
    running = tap(catalog=catalog, state=before, on_stream_error="continue", max_retries=0)

    with pytest.raises(StreamsFailedError):
        running.sync_all()

    assert written(running)[-1]["value"]["bookmarks"]["second"] == {"v": 1, "rows": 12}


def test_stop_ends_the_run_at_the_first_failure(
    pigment: Pigment, discover: Discover, tap: MakeTap, broken: str
) -> None:
    catalog = discover()
    pigment.always_answer(broken, Answer(500))
    running = tap(catalog=catalog, on_stream_error="stop", max_retries=0)

    with pytest.raises(PigmentExportError, match=r"^second: Pigment failed \(500\)"):
        running.sync_all()

    assert [message["value"]["bookmarks"].keys() for message in of_type(written(running), "STATE")] == [{"first"}]
    assert [message["stream"] for message in of_type(written(running), "RECORD")] == ["first"]


def test_a_block_that_discovery_cannot_read_is_in_the_report(pigment: Pigment, tap: MakeTap, broken: str) -> None:
    pigment.always_answer(broken, Answer(500))
    running = tap(on_stream_error="continue", max_retries=0)

    with pytest.raises(StreamsFailedError) as caught:
        running.sync_all()

    assert [message["stream"] for message in of_type(written(running), "RECORD")] == ["first", "third"]
    assert str(caught.value).splitlines() == [
        "1 of 3 streams failed. The others are complete.",
        "  second  Pigment failed (500). Run again later.",
    ]


def test_stop_ends_the_run_after_a_failure_in_discovery(pigment: Pigment, tap: MakeTap, broken: str) -> None:
    pigment.always_answer(broken, Answer(500))
    running = tap(on_stream_error="stop", max_retries=0)

    with pytest.raises(PigmentExportError, match=r"^second: Pigment failed \(500\)"):
        running.sync_all()

    assert written(running) == []


@pytest.mark.usefixtures("broken")
def test_a_signal_whose_exit_was_lost_still_ends_the_run(tap: MakeTap) -> None:
    running = tap()
    with pytest.raises(SystemExit):  # Python loses it where the signal arrives while an object is being freed.
        signal.raise_signal(signal.SIGTERM)

    with pytest.raises(SystemExit) as caught:
        running.sync_all()

    assert caught.value.code == 143
    assert written(running) == []


@pytest.mark.usefixtures("broken")
def test_a_failing_stream_map_fails_only_its_stream(tap: MakeTap) -> None:
    maps = {"second": {"Number": "Cod"}}
    running = tap(on_stream_error="continue", stream_maps=maps)

    with pytest.raises(StreamsFailedError, match="1 of 3 streams failed"):
        running.sync_all()

    assert [message["stream"] for message in of_type(written(running), "RECORD")] == ["first", "third"]


# Files that change between the validation of an export and the reading of its rows


class DamagingRecorder(Recorder):
    """Damages the spooled export of a stream at its SCHEMA: it is validated, and none of its rows is emitted yet.

    Args:
        spool_dir: The setting of that name.
        damage: Damages a file.
    """

    def __init__(self, spool_dir: Path, damage: Damage) -> None:
        super().__init__()
        self._spool_dir = spool_dir
        self._damage = damage

    def write_message(self, message: Any) -> None:  # noqa: ANN401 - the SDK's signature.
        """Keep a message; damage the export of the second stream at its SCHEMA."""
        super().write_message(message)
        if (self.messages[-1]["type"], self.messages[-1].get("stream")) == ("SCHEMA", "second"):
            [path] = [path for path in self._spool_dir.rglob("export-*.csv") if b"B0;" in path.read_bytes()]
            self._damage(path)


@pytest.fixture
def three_lists(pigment: Pigment) -> None:
    """Three lists, of which the second has 1,000 rows."""
    pigment.add_list("First", "Code\r\nA\r\n")
    pigment.add_list("Second", "Code;Number\r\n" + "".join(f"B{number};{number}\r\n" for number in range(1_000)))
    pigment.add_list("Third", "Code\r\nC\r\n")


def failed_run(
    config: Mapping[str, Any], spool_dir: Path, damage: Damage, **settings: object
) -> tuple[list[dict[str, Any]], list[str]]:
    """Run the tap while the export of the second stream is damaged; return its messages and the lines of the report."""
    recorder = DamagingRecorder(spool_dir, damage)
    running = TapPigment(
        config={**config, **settings, "spool_dir": str(spool_dir)}, message_writer=recorder, setup_mapper=True
    )
    with pytest.raises(StreamsFailedError) as caught:
        running.sync_all()
    return recorder.messages, str(caught.value).splitlines()


def bookmarks(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the bookmarks of the last STATE."""
    found: dict[str, Any] = of_type(messages, "STATE")[-1]["value"]["bookmarks"]
    return found


@pytest.mark.usefixtures("three_lists")
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="blocks"),
        pytest.param({"flattening_enabled": True, "flattening_max_depth": 2}, id="single records"),
        pytest.param({"batch_config": {"encoding": {"format": "parquet"}}}, id="BATCH Parquet"),
        pytest.param({"batch_config": {"encoding": {"format": "jsonl"}}}, id="BATCH JSON lines"),
        pytest.param({"change_detection": "row"}, id="row changes"),
    ],
)
def test_an_export_deleted_before_its_rows_are_read_fails_its_stream(
    config: Mapping[str, Any], tmp_path: Path, settings: dict[str, Any]
) -> None:
    spool_dir = tmp_path / "spool"
    spool_dir.mkdir()
    if "batch_config" in settings:
        settings = {"batch_config": {**settings["batch_config"], "storage": {"root": str(tmp_path / "batches")}}}
    if "change_detection" in settings:
        settings = {**settings, "snapshot_uri": str(tmp_path / "snapshots")}

    messages, report = failed_run(config, spool_dir, Path.unlink, **settings)

    title, row = report
    assert title == "1 of 3 streams failed. The others are complete."
    assert row.startswith(f"  second  spool_dir: {spool_dir}/tap-pigment-")
    assert row.endswith(
        ": No such file or directory: something removed the directory or a file in it during the run. Run again."
    )
    assert {message["stream"] for message in of_type(messages, "SCHEMA")} == {"first", "second", "third"}
    assert {message["stream"] for message in messages if message["type"] in {"RECORD", "BATCH"}} == {"first", "third"}
    assert bookmarks(messages).keys() == {"first", "third"}
    assert list(spool_dir.iterdir()) == []


def as_a_directory(path: Path) -> None:
    """Put a directory in the place of a file, so that it can neither be read nor deleted."""
    path.unlink()
    path.mkdir()


@pytest.mark.usefixtures("three_lists")
def test_an_export_that_cannot_be_deleted_fails_only_its_stream(config: Mapping[str, Any], tmp_path: Path) -> None:
    messages, report = failed_run(config, tmp_path, as_a_directory)

    title, row = report
    assert title == "1 of 3 streams failed. The others are complete."
    assert row.startswith(f"  second  spool_dir: {tmp_path}/tap-pigment-")
    assert "No such file or directory" in row
    assert bookmarks(messages).keys() == {"first", "third"}
    assert list(tmp_path.iterdir()) == []


def test_a_file_deleted_while_rows_are_fetched_is_a_spool_error(tmp_path: Path) -> None:
    # DuckDB opens the file of an export once, so several files are read here, one after the other.
    paths = [tmp_path / f"{number}.csv" for number in range(12)]
    for path in paths:
        path.write_text(f"1;{'x' * 100}\n" * 20_000)
    spool = SpoolDirectory(tmp_path)
    session = DuckDBSession(spool)
    names = [str(path) for path in paths]
    columns = "header = false, auto_detect = false, columns = {'a': 'VARCHAR', 'b': 'VARCHAR'}"
    blocks: list[int] = []

    def fetch() -> None:
        with session.for_stream("countries", memory_bytes=80 << 20) as database:
            for block in database.blocks(f"FROM read_csv({names}, delim = ';', {columns})", 500):
                blocks.append(len(block))
                for path in paths[1:]:
                    path.unlink(missing_ok=True)

    with pytest.raises(SpoolError, match="No such file or directory: something removed the directory or a file in it"):
        fetch()
    session.close()
    spool.close()

    assert blocks[0] == 500


def without_last_rows(path: Path) -> None:
    """Truncate an export at a line end, so that its rest is valid."""
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"B600;")])


def within_a_row(path: Path) -> None:
    """Truncate an export in the middle of a row, so that it is not valid."""
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"B600;") + 2])


@pytest.mark.usefixtures("three_lists")
@pytest.mark.parametrize(
    ("damage", "contradiction", "settings"),
    [
        (without_last_rows, "600 of 1,000 rows were emitted", {}),
        (without_last_rows, "600 of 1,000 rows were emitted", {"flattening_enabled": True, "flattening_max_depth": 2}),
        (within_a_row, "a statement of the tap fails in DuckDB (InvalidInputException)", {}),
    ],
)
def test_a_contradiction_fails_its_stream_as_a_bug_to_be_reported(
    config: Mapping[str, Any], tmp_path: Path, damage: Damage, contradiction: str, settings: Mapping[str, Any]
) -> None:
    messages, report = failed_run(config, tmp_path, damage, **settings, emit_activate_version_messages=False)

    assert report == [
        "1 of 3 streams failed. The others are complete.",
        f"  second  {contradiction}. Please report this as a bug of tap-pigment.",
    ]
    assert [message["record"]["Code"] for message in of_type(messages, "RECORD") if message["stream"] != "second"] == [
        "A",
        "C",
    ]
    assert bookmarks(messages) == {"first": {"v": 1, "rows": 1}, "third": {"v": 1, "rows": 1}}

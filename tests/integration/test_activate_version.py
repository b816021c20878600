"""ACTIVATE_VERSION: sent after the last record of a complete export, and never before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from singer_sdk.singerlib import StateMessage

import tap_pigment
from tap_pigment.errors import PigmentError, ShrunkExportError, StreamMapError
from tap_pigment.tap import TapPigment
from tests.support.pigment import Answer
from tests.support.tap_runs import TapRuns
from tests.support.taps import Recorder, RecordWriter, of_type, written

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.pigment import Pigment
    from tests.support.taps import Discover, MakeTap, Message, RunTap

FOUR = "Code\r\nA\r\nB\r\nC\r\nD\r\n"


class MakeActivatingTap(Protocol):
    """Makes a tap that activates versions."""

    def __call__(self, writer: RecordWriter, **settings: Any) -> TapPigment:  # noqa: ANN401 - JSON.
        """Return the tap."""


def kinds(messages: list[Message]) -> list[str]:
    """Return the types of the messages."""
    return [message["type"] for message in messages]


def state(rows: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON.
    """Return a state that holds a bookmark of the countries."""
    return {"bookmarks": {"countries": {"v": 1, "rows": rows, **more}}}


def test_sent_after_the_last_record_and_before_the_state(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", FOUR)

    messages = run_tap(emit_activate_version_messages=True)

    version = messages[-2]["version"]
    assert kinds(messages) == ["SCHEMA", *["RECORD"] * 4, "ACTIVATE_VERSION", "STATE"]
    assert {message["version"] for message in of_type(messages, "RECORD")} == {version}
    assert messages[-1]["value"] == state(4, version=version)


def test_sent_after_mapped_records_under_their_stream_name(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", FOUR)

    messages = run_tap(emit_activate_version_messages=True, stream_maps={"countries": {"__alias__": "land"}})

    assert kinds(messages) == ["SCHEMA", *["RECORD"] * 4, "ACTIVATE_VERSION", "STATE"]
    assert messages[-2]["stream"] == "land"


def test_sent_by_default(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", FOUR)

    assert len(of_type(run_tap(), "ACTIVATE_VERSION")) == 1


def test_not_sent_if_that_is_switched_off(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", FOUR)

    messages = run_tap(emit_activate_version_messages=False)

    assert "ACTIVATE_VERSION" not in kinds(messages)
    assert "version" not in of_type(messages, "RECORD")[0]


def test_versions_increase_though_the_clock_goes_back(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", FOUR)
    far_future = 32503680000000

    messages = run_tap(emit_activate_version_messages=True, state=state(4, version=far_future))

    assert of_type(messages, "ACTIVATE_VERSION")[0]["version"] == far_future + 1


def test_last_version_stays_in_the_state_of_runs_without_it(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", FOUR)

    messages = run_tap(emit_activate_version_messages=False, state=state(3, version=7))

    assert messages[-1]["value"] == state(4, version=7)


@pytest.mark.parametrize(("body", "lost"), [("Code\r\nA\r\n", 3), ("Code\r\n", 4)], ids=["shrunk", "empty"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"emit_activate_version_messages": False},
        {"change_detection": "stream"},
        {"change_detection": "row", "snapshot_uri": "{folder}"},
        {"batch_config": {"encoding": {"format": "jsonl"}, "storage": {"root": "{folder}"}}},
    ],
    ids=["default", "without versions", "stream", "row", "BATCH"],
)
def test_shrunk_export_fails_before_anything_is_emitted(  # noqa: PLR0913, PLR0917 - fixtures and parameters.
    pigment: Pigment, tap: MakeTap, tmp_path: Path, settings: Message, body: str, lost: int
) -> None:
    pigment.add_list("Countries", body)
    running = tap(**json.loads(json.dumps(settings).replace("{folder}", str(tmp_path))), state=state(4))

    with pytest.raises(ShrunkExportError, match=f"countries: the export lost {lost} of the 4 rows of the last run"):
        running.sync_all()

    assert written(running) == [{"type": "STATE", "value": state(4)}]  # The given one.


def test_half_of_the_rows_may_be_deleted(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", "Code\r\nA\r\nB\r\n")

    messages = run_tap(emit_activate_version_messages=True, state=state(4))

    assert len(of_type(messages, "ACTIVATE_VERSION")) == 1


def test_all_rows_may_be_deleted_if_the_guard_is_off(pigment: Pigment, run_tap: RunTap) -> None:
    pigment.add_list("Countries", "Code\r\n")

    messages = run_tap(emit_activate_version_messages=True, state=state(4), max_shrink_percent=100)

    assert kinds(messages) == ["STATE", "SCHEMA", "ACTIVATE_VERSION", "STATE"]


def test_empty_first_export_deletes_nothing(
    pigment: Pigment, run_tap: RunTap, caplog: pytest.LogCaptureFixture
) -> None:
    pigment.add_list("Countries", "Code\r\n")

    messages = run_tap(emit_activate_version_messages=True)

    assert kinds(messages) == ["SCHEMA", "STATE"]
    assert "countries: the export is empty, and the number of rows of the last run is unknown." in caplog.text


def test_failed_export_activates_nothing(pigment: Pigment, discover: Discover, tap: MakeTap) -> None:
    block = pigment.add_list("Countries", FOUR)
    catalog = discover()
    pigment.always_answer(block, Answer(500))
    running = tap(catalog=catalog, emit_activate_version_messages=True)

    with pytest.raises(PigmentError, match="Pigment failed"):
        running.sync_all()

    assert written(running) == []


def test_connection_test_activates_nothing(pigment: Pigment, tap: MakeTap) -> None:
    pigment.add_list("Countries", "Code\r\nA\r\n")
    running = tap(emit_activate_version_messages=True)

    running.run_connection_test()

    assert "ACTIVATE_VERSION" not in kinds(written(running))


# No code path sends it before the last record

ROWS = 1_200  # Three blocks.
MANY = "Code\r\n" + "".join(f"{number}\r\n" for number in range(ROWS))


class InterruptedWriter(RecordWriter):
    """Calls a function after each message."""

    def __init__(self) -> None:
        super().__init__()
        self.interrupt: Callable[[], object] = lambda: None
        self._is_interrupted = False

    def write_message(self, message: Any) -> None:  # noqa: ANN401 - the SDK's signature.
        """Keep a message, and call the function."""
        super().write_message(message)
        self._call()

    def _call(self) -> None:
        if not self._is_interrupted:
            self._is_interrupted = True
            try:
                self.interrupt()
            finally:
                self._is_interrupted = False


class InterruptedBlockWriter(InterruptedWriter, Recorder):
    """Calls the function after each block of messages too."""

    def write_block(self, block: bytes) -> None:
        """Keep the messages of a block, and call the function."""
        super().write_block(block)
        self._call()


# Each way to write records: the writer, the settings that lead there, and the records of each row.
WAYS: dict[str, tuple[type[InterruptedWriter], dict[str, Any], int]] = {
    "blocks": (InterruptedBlockWriter, {}, 1),
    "single records": (InterruptedWriter, {}, 1),
    "stream maps": (InterruptedBlockWriter, {"stream_maps": {"countries": {"Twice": "Code * 2"}}}, 1),
    "two stream maps": (InterruptedBlockWriter, {"stream_maps": {"copies": {"__source__": "countries"}}}, 2),
    "flattening": (InterruptedBlockWriter, {"flattening_enabled": True, "flattening_max_depth": 1}, 1),
}


@pytest.fixture
def activating(pigment: Pigment, config: dict[str, Any]) -> MakeActivatingTap:
    """Makes a tap that activates versions, with a writer and settings."""
    pigment.add_list("Countries", MANY)

    def make(writer: RecordWriter, **settings: Any) -> TapPigment:  # noqa: ANN401 - JSON.
        return TapPigment(
            config={**config, "emit_activate_version_messages": True, "on_stream_error": "stop", **settings},
            message_writer=writer,
            setup_mapper=True,
        )

    return make


@pytest.mark.parametrize("way", WAYS)
def test_state_written_in_mid_stream_activates_nothing(activating: MakeActivatingTap, way: str) -> None:
    writer_class, settings, copies = WAYS[way]
    writer = writer_class()
    running = activating(writer, **settings)

    def write_states() -> None:
        stream = running.streams["countries"]
        stream.state_manager.is_flushed = False
        stream._write_state_message()  # noqa: SLF001 - what the SDK calls in mid-stream.
        stream.finalize_state_progress_markers()
        running.write_message(StateMessage({"bookmarks": {}}))

    writer.interrupt = write_states
    running.sync_all()

    names = kinds(writer.messages)
    last_record = max(place for place, name in enumerate(names) if name == "RECORD")
    assert names.count("RECORD") == ROWS * copies
    assert names.count("STATE") > 2  # They were written in mid-stream.
    assert names[: last_record + 1].count("STATE") > 0
    assert names.count("ACTIVATE_VERSION") == copies
    assert "ACTIVATE_VERSION" not in names[:last_record]


@pytest.mark.parametrize("error", [OSError("no space"), SystemExit(143), RuntimeError("a bug")], ids=repr)
@pytest.mark.parametrize("way", WAYS)
def test_run_that_ends_in_mid_stream_activates_nothing(
    activating: MakeActivatingTap, way: str, error: BaseException
) -> None:
    writer_class, settings, _ = WAYS[way]
    writer = writer_class()
    running = activating(writer, **settings)

    def fail_after_a_record() -> None:
        if "RECORD" in kinds(writer.messages):
            raise error

    writer.interrupt = fail_after_a_record
    with pytest.raises(type(error)):
        running.sync_all()

    assert set(kinds(writer.messages)) == {"SCHEMA", "RECORD"}


def test_stream_map_that_fails_on_the_last_row_activates_nothing(activating: MakeActivatingTap) -> None:
    writer = InterruptedBlockWriter()
    running = activating(writer, stream_maps={"countries": {"Rest": f"1 / ({ROWS - 1} - int(Code))"}})

    with pytest.raises(StreamMapError):
        running.sync_all()

    assert kinds(writer.messages) == ["SCHEMA", *["RECORD"] * (ROWS - 1)]


def test_files_are_never_followed_by_it(pigment: Pigment, tap: MakeTap, tmp_path: Path) -> None:
    pigment.add_list("Countries", FOUR)
    batch_config = {"encoding": {"format": "jsonl"}, "storage": {"root": str(tmp_path)}}
    running = tap(batch_config=batch_config)

    running.sync_all()

    assert kinds(written(running)) == ["SCHEMA", "BATCH", "STATE"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            {"batch_config": {"encoding": {"format": "jsonl"}, "storage": {"root": "{folder}"}}},
            "batch_config",
        ),
        ({"change_detection": "row", "snapshot_uri": "{folder}"}, "change_detection: row"),
    ],
)
@pytest.mark.parametrize("is_set", [True, False])
def test_where_it_has_no_effect_a_warning_says_so_if_it_was_set(  # noqa: PLR0913, PLR0917 - fixtures and parameters.
    pigment: Pigment,
    tap: MakeTap,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    settings: Message,
    reason: str,
    *,
    is_set: bool,
) -> None:
    pigment.add_list("Countries", FOUR)
    explicit: dict[str, Any] = {"emit_activate_version_messages": True} if is_set else {}
    running = tap(**json.loads(json.dumps(settings).replace("{folder}", str(tmp_path))), **explicit)

    running.sync_all()

    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "ACTIVATE_VERSION" not in kinds(written(running))
    assert warnings == ([f"emit_activate_version_messages has no effect with {reason}"] if is_set else [])


def test_one_line_of_code_sends_it_and_follows_the_records() -> None:
    lines = [
        (path.name, line.strip())
        for path in sorted(Path(tap_pigment.__file__).parent.rglob("*.py"))
        for line in path.read_text("utf-8").splitlines()
        if "_activate_version_message(" in line
        or "ActivateVersionMessage" in line
        or "self._emit(" in line
        or "self._count_records(" in line
        or "self._write_activation_and_state(" in line
    ]

    assert lines == [
        (
            "metadata_streams.py",
            "self._count_records((self._write_record(row, listed_at) for row in rows), progress)",
        ),
        ("metadata_streams.py", "self._write_activation_and_state(Bookmark(len(rows)), activates=activates)"),
        ("pigment_stream.py", "self._write_activate_version_message(self._stream_version)"),
        ("streams.py", "self._emit(plan, progress)"),
        ("streams.py", "self._write_activation_and_state(plan.bookmark, activates=plan.activates)"),
        ("streams.py", "self._count_records(written, progress)"),
    ]


# With change_detection: stream


@pytest.fixture
def by_stream(pigment: Pigment, tap: MakeTap) -> TapRuns:
    """Runs that compare whole streams."""
    return TapRuns(pigment, tap, {"change_detection": "stream"})


def test_version_that_was_not_activated_is_not_unchanged(by_stream: TapRuns) -> None:
    by_stream.run_with("Code\r\n")

    allowed = by_stream.run(emit_activate_version_messages=True, max_shrink_percent=100)
    again = by_stream.run(emit_activate_version_messages=True, max_shrink_percent=100)

    assert kinds(allowed) == ["SCHEMA", "ACTIVATE_VERSION", "STATE"]
    assert kinds(again) == ["STATE"]


def test_unchanged_stream_is_activated_once_that_is_switched_on(by_stream: TapRuns) -> None:
    by_stream.run_with(FOUR, emit_activate_version_messages=True)
    by_stream.run_with("Code\r\nA\r\nB\r\nC\r\n", emit_activate_version_messages=False)

    switched_on = by_stream.run(emit_activate_version_messages=True)
    again = by_stream.run(emit_activate_version_messages=True)

    assert kinds(switched_on) == ["SCHEMA", *["RECORD"] * 3, "ACTIVATE_VERSION", "STATE"]
    assert kinds(again) == ["STATE"]

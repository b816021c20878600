"""Change detection, run after run: which messages are emitted, and what the state holds."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import fsspec  # type: ignore[import-untyped] # It has no types.
import pytest
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped] # It has no types.

from tap_pigment.errors import PigmentError, SettingsError, ShrunkExportError, StoreError, StreamsFailedError
from tests.support.memory_target import MemoryTarget
from tests.support.pigment import Answer
from tests.support.tap_runs import CHANGED, COUNTRIES, TapRuns, rows, snapshots, written_after
from tests.support.taps import deselect, of_type, written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import Discover, MakeTap, Message


@pytest.fixture(autouse=True)
def _log_of_all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")


@pytest.fixture
def by_stream(pigment: Pigment, tap: MakeTap) -> TapRuns:
    """Runs that compare whole streams."""
    return TapRuns(pigment, tap, {"change_detection": "stream"})


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The store of snapshots."""
    return tmp_path / "snapshots"


@pytest.fixture
def by_row(pigment: Pigment, tap: MakeTap, store: Path) -> TapRuns:
    """Runs that compare row by row."""
    return TapRuns(pigment, tap, {"change_detection": "row", "snapshot_uri": str(store)})


def kinds(messages: list[Message]) -> list[str]:
    """Return the types of the messages."""
    return [message["type"] for message in messages]


def codes(messages: list[Message]) -> tuple[list[str], list[str]]:
    """Return the codes of the live rows, and of the deleted ones."""
    emitted = rows(messages)
    return (
        [row["Code"] for row in emitted if row["_sdc_deleted_at"] is None],
        [row["Code"] for row in emitted if row["_sdc_deleted_at"] is not None],
    )


# Whole streams


def test_unchanged_stream_emits_state_only(by_stream: TapRuns, caplog: pytest.LogCaptureFixture) -> None:
    first = by_stream.run()

    second = by_stream.run()

    assert kinds(first) == ["SCHEMA", "RECORD", "RECORD", "RECORD", "ACTIVATE_VERSION", "STATE"]
    assert kinds(second) == ["STATE"]
    assert second == first[-1:]
    assert by_stream.bookmark.keys() == {"v", "rows", "digest", "body", "version", "types"}
    assert by_stream.bookmark["types"] == {"Size": "number"}
    assert len(json.dumps(by_stream.bookmark)) < 300
    assert "countries: unchanged since the last run, to the byte; no records emitted" in caplog.messages


def test_same_rows_in_another_order_are_unchanged(by_stream: TapRuns, caplog: pytest.LogCaptureFixture) -> None:
    by_stream.run()
    header, *lines = COUNTRIES.splitlines(keepends=True)

    messages = by_stream.run_with(header + "".join(reversed(lines)))

    assert kinds(messages) == ["STATE"]
    assert "countries: 3 rows unchanged since the last run; no records emitted" in caplog.messages


@pytest.mark.parametrize(
    "body",
    [
        COUNTRIES.replace("Italia", "Italy"),
        COUNTRIES + "ES;España;4.5\r\n",
        COUNTRIES.replace("IT;Italia;3.5\r\n", ""),
        "Code;Name;Size\r\n",
    ],
    ids=["edited", "added", "removed", "emptied"],
)
def test_changed_stream_emits_all_rows(by_stream: TapRuns, body: str) -> None:
    by_stream.run()

    messages = by_stream.run_with(body, max_shrink_percent=100)

    assert len(rows(messages)) == body.count("\r\n") - 1
    assert kinds(by_stream.run()) == ["STATE"]


def test_identical_rows_added_in_pairs_are_a_change(pigment: Pigment, tap: MakeTap) -> None:
    runs = TapRuns(pigment, tap, {"change_detection": "stream", "stream_overrides": {"countries": {"key_columns": []}}})
    runs.run_with(COUNTRIES)

    messages = runs.run_with(COUNTRIES + "FR;France;1.5\r\nFR;France;1.5\r\n")

    assert len(rows(messages)) == 5


@pytest.mark.parametrize(
    "settings",
    [
        {"stream_overrides": {"countries": {"types": {"Size": "text"}}}},
        {"stream_overrides": {"countries": {"key_columns": ["Name"]}}},
        {"stream_overrides": {"countries": {"key_columns": []}}},
        {"stream_maps": {"countries": {"Size": "Size * 2"}}},
    ],
    ids=["types", "key", "no key", "maps"],
)
def test_settings_that_change_the_records_cause_a_full_send(by_stream: TapRuns, settings: dict[str, Any]) -> None:
    by_stream.run()

    messages = by_stream.run(**settings)

    assert len(rows(messages)) == 3
    assert kinds(by_stream.run(**settings)) == ["STATE"]


def test_deselected_column_causes_a_full_send(by_stream: TapRuns, discover: Discover) -> None:
    by_stream.catalog = discover()
    by_stream.run()
    deselect(by_stream.catalog, "countries", "Name")

    messages = by_stream.run()

    assert rows(messages)[0] == {"Code": "FR", "Size": 1.5}


def test_unchanged_stream_activates_no_version(by_stream: TapRuns) -> None:
    first = by_stream.run(emit_activate_version_messages=True)
    version = of_type(first, "ACTIVATE_VERSION")[0]["version"]

    second = by_stream.run(emit_activate_version_messages=True)

    assert kinds(second) == ["STATE"]
    assert by_stream.bookmark["version"] == version


def test_unchanged_stream_writes_no_batch_files(by_stream: TapRuns, tmp_path: Path) -> None:
    batch_config = {"encoding": {"format": "jsonl"}, "storage": {"root": str(tmp_path / "batches")}}
    first = by_stream.run(batch_config=batch_config)

    second = by_stream.run(batch_config=batch_config)

    assert kinds(first) == ["SCHEMA", "BATCH", "STATE"]
    assert kinds(second) == ["STATE"]
    assert len(list((tmp_path / "batches").iterdir())) == 1


# Row by row


def test_only_changed_and_deleted_rows_are_emitted(by_row: TapRuns, store: Path) -> None:
    first = by_row.run()
    second = by_row.run_with(CHANGED)

    schema = of_type(second, "SCHEMA")[0]["schema"]["properties"]
    deleted, *live = rows(second)
    assert len(rows(first)) == 3
    assert rows(first)[0] == {"Code": "FR", "Name": "France", "Size": 1.5, "_sdc_deleted_at": None}
    assert sorted(live, key=str) == [
        {"Code": "DE", "Name": "Germany", "Size": 2.5, "_sdc_deleted_at": None},
        {"Code": "ES", "Name": "España", "Size": 4.5, "_sdc_deleted_at": None},
    ]
    deleted_at = of_type(second, "RECORD")[0]["time_extracted"]
    assert deleted == {"Code": "IT", "Name": None, "Size": None, "_sdc_deleted_at": deleted_at}
    assert all(message["record"].keys() == schema.keys() for message in of_type(second, "RECORD"))
    assert of_type(second, "RECORD")[0]["record"]["contentHash"] is None
    assert schema["_sdc_deleted_at"]["format"] == "date-time"
    assert by_row.bookmark["rows"] == 3
    assert by_row.bookmark["snapshot"] in snapshots(store)


def test_changed_row_has_the_content_hash_of_a_full_send(by_row: TapRuns) -> None:
    by_row.run()
    changed = by_row.run_with(CHANGED)

    by_row.state = {}
    all_rows = by_row.run()

    hashes = {m["record"]["Code"]: m["record"]["contentHash"] for m in of_type(all_rows, "RECORD")}
    assert {m["record"]["Code"]: m["record"]["contentHash"] for m in of_type(changed, "RECORD")[1:]} == {
        code: hashes[code] for code in ("DE", "ES")
    }


@pytest.mark.parametrize("stream_map", [{"Code": "Code.strip().upper()"}, {"Code": "Code.upper()", "Name": "Name"}])
def test_a_row_whose_new_key_is_the_old_one_after_a_map_stays_in_the_target(
    by_row: TapRuns, stream_map: dict[str, str]
) -> None:
    target = MemoryTarget()
    settings = {"stream_maps": {"countries": stream_map}}
    target.load(by_row.run_with("Code;Name\r\nfr;France\r\nde;Germany\r\n", **settings))

    target.load(by_row.run_with("Code;Name\r\nFR;France\r\nde;Germany\r\n", **settings))

    assert sorted(row["Code"] for row in target.live("countries")) == ["DE", "FR"]


def test_a_map_that_makes_the_key_of_other_columns_is_refused(by_row: TapRuns) -> None:
    running = by_row.tap(stream_maps={"countries": {"Code": "f'{Code}-{Name}'"}})

    with pytest.raises(
        SettingsError, match=r"^stream_maps\.countries\.Code: it makes a key column of Name\. With change"
    ):
        running.sync_all()

    assert of_type(written(running), "RECORD") == []
    assert by_row.run(change_detection="none", stream_maps={"countries": {"Code": "f'{Code}-{Name}'"}})


@pytest.mark.parametrize(
    "settings", [{}, {"stream_maps": {"countries": {"Size": "Size or 0.0"}}}], ids=["plain", "map"]
)
def test_every_column_but_the_key_may_be_null_where_rows_are_deleted(
    by_row: TapRuns, discover: Discover, settings: dict[str, Any]
) -> None:
    by_row.catalog = discover()
    [entry] = by_row.catalog["streams"]
    for name in ("Name", "Size"):
        entry["schema"]["properties"][name]["type"].remove("null")

    messages = by_row.run(**settings)

    [schema] = of_type(messages, "SCHEMA")
    nullable = {name for name, member in schema["schema"]["properties"].items() if "null" in member["type"]}
    assert nullable == {"Name", "Size", "contentHash", "_sdc_deleted_at"}


def test_unchanged_rows_emit_no_record_and_store_no_snapshot(by_row: TapRuns, store: Path) -> None:
    by_row.run()
    kept = snapshots(store)
    header, *lines = COUNTRIES.splitlines(keepends=True)

    same_bytes = by_row.run()
    other_order = by_row.run_with(header + "".join(reversed(lines)))

    assert kinds(same_bytes) == kinds(other_order) == ["STATE"]
    assert snapshots(store) == kept


def test_identical_rows_without_a_key_are_numbered(pigment: Pigment, tap: MakeTap, store: Path) -> None:
    runs = TapRuns(pigment, tap, {"change_detection": "row", "snapshot_uri": str(store), "max_shrink_percent": 100})
    runs.settings = {**runs.settings, "stream_overrides": {"countries": {"key_columns": []}}}
    runs.run_with("Code\r\nA\r\nA\r\nB\r\n")

    more = runs.run_with("Code\r\nA\r\nA\r\nA\r\nA\r\nB\r\n")
    less = runs.run_with("Code\r\nA\r\nC\r\n")

    assert sorted((row["Code"], row["occurrence"]) for row in rows(more)) == [("A", 3), ("A", 4)]
    numbers = [(row["Code"], row["occurrence"]) for row in rows(less)]
    assert sorted(numbers, key=str) == [("C", 1), (None, 1), (None, 2), (None, 3), (None, 4)]


def test_snapshot_is_deleted_after_the_next_state_came_back(by_row: TapRuns, store: Path) -> None:
    by_row.run()
    first = by_row.bookmark["snapshot"]
    by_row.run_with(CHANGED)
    second = by_row.bookmark["snapshot"]
    assert snapshots(store) == sorted([first, second])

    by_row.run_with(COUNTRIES)

    third = by_row.bookmark["snapshot"]
    assert snapshots(store) == sorted([second, third])


def test_lost_state_causes_the_changes_to_be_emitted_again(by_row: TapRuns) -> None:
    by_row.run()
    lost = by_row.lose(CHANGED)

    again = by_row.run()

    assert sorted(row["Code"] for row in rows(again)) == ["DE", "ES", "IT"]
    assert sorted(row["Code"] for row in rows(lost)) == ["DE", "ES", "IT"]


@pytest.mark.parametrize(
    ("damage", "deleted", "reason"),
    [
        ("missing", [], "full send, because a snapshot cannot be used: .* does not exist"),
        ("empty", [], "full send, because a snapshot cannot be used: .* it is truncated or was replaced"),
        ("truncated", [], "full send, because a snapshot cannot be used: .* it is truncated or was replaced"),
        ("replaced", [], "full send, because a snapshot cannot be used: .* it is truncated or was replaced"),
        # Where the state names no snapshot, the target may have loaded the rows of any in the store.
        ("unknown version", ["IT"], "ignoring a bookmark of unknown format; sending all rows"),
        ("no state", ["IT"], "full send, because the state names no snapshot"),
        ("nonsense", ["IT"], "full send, because the last run left no snapshot"),
    ],
)
def test_all_rows_are_emitted_without_a_usable_snapshot(  # noqa: PLR0913, PLR0917 - three fixtures, three parameters.
    by_row: TapRuns, store: Path, damage: str, deleted: list[str], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    by_row.run()
    (path,) = store.rglob("*.parquet")
    content = path.read_bytes()
    match damage:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "truncated":
            path.write_bytes(content[:-10])
        case "replaced":
            path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
        case "unknown version":
            by_row.bookmark["v"] = 2
        case "no state":
            by_row.state = {}
        case _:
            by_row.bookmark["snapshot"] = "../../../etc/passwd"

    messages = by_row.run_with(CHANGED)

    assert codes(messages) == (["FR", "DE", "ES"], deleted)
    assert re.search(f"countries: {reason}", caplog.text)
    assert "PT" in codes(by_row.run_with(CHANGED + "PT;Portugal;1.0\r\n"))[0]


class UnreliableStore(MemoryFileSystem):  # type: ignore[misc] # fsspec has no types.
    """A store that can be listed and written, and fails while a file is read."""

    error: OSError | None = None

    def get_file(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - fsspec's signature.
        """Read a file, or fail."""
        if self.error:
            raise self.error
        super().get_file(*args, **options)


@pytest.fixture
def unreliable_store() -> Iterator[type[UnreliableStore]]:
    """The store that fsspec reaches by `memory://`."""
    fsspec.register_implementation("memory", UnreliableStore, clobber=True)
    yield UnreliableStore
    fsspec.register_implementation("memory", MemoryFileSystem, clobber=True)
    UnreliableStore.error = None
    UnreliableStore.store.clear()


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (TimeoutError("timed out"), r"the store cannot be reached \(timed out\)"),
        (PermissionError("expired token"), r"permission denied \(expired token\)"),
        (OSError("broken pipe"), "broken pipe"),
    ],
    ids=["timeout", "permission", "other"],
)
def test_deleted_rows_are_emitted_after_a_store_that_failed_once(
    by_row: TapRuns, unreliable_store: type[UnreliableStore], error: OSError, cause: str
) -> None:
    uri = "memory://snapshots"
    by_row.run(snapshot_uri=uri)
    state = by_row.state
    by_row.put(CHANGED)
    unreliable_store.error = error
    failing = by_row.tap(snapshot_uri=uri)

    with pytest.raises(
        StoreError, match=f"^countries: snapshot_uri: cannot read .*: {cause}. Nothing of countries was"
    ):
        failing.sync_all()
    unreliable_store.error = None

    assert of_type(written_after(state, failing), "RECORD") == []
    assert codes(by_row.run(snapshot_uri=uri)) == (["DE", "ES"], ["IT"])


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"stream_overrides": {"countries": {"types": {"Size": "text"}}}}, r"columns have other types \(Size\)"),
        (
            {"stream_maps": {"countries": {"Twice": "Size and Size * 2"}}},
            "stream maps or flattening are set differently",
        ),
    ],
    ids=["types", "maps"],
)
def test_settings_that_change_records_cause_a_full_send_with_a_reason(
    by_row: TapRuns, settings: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    by_row.run()

    messages = by_row.run_with(CHANGED, **settings)

    assert codes(messages) == (["FR", "DE", "ES"], ["IT"])
    assert re.search(rf"countries: full send, because {reason}", caplog.text)
    assert ("rows stay in the target under the former one" in caplog.text) == ("stream_maps" in settings)
    assert kinds(by_row.run(**settings)) == ["STATE"]


def test_another_selection_of_columns_causes_a_full_send(
    by_row: TapRuns, discover: Discover, caplog: pytest.LogCaptureFixture
) -> None:
    by_row.catalog = discover()
    by_row.run()
    deselect(by_row.catalog, "countries", "Size")

    messages = by_row.run_with(CHANGED)

    assert codes(messages) == (["FR", "DE", "ES"], ["IT"])
    assert "countries: full send, because other columns are selected (Size)." in caplog.messages


def test_another_key_causes_a_full_send_and_a_request_to_load_again(
    by_row: TapRuns, caplog: pytest.LogCaptureFixture
) -> None:
    by_row.run()

    messages = by_row.run_with(CHANGED, stream_overrides={"countries": {"key_columns": ["Name"]}})

    assert codes(messages) == (["FR", "DE", "ES"], [])
    assert (
        "countries: full send, because the key was (Code) and is (Name). Rows deleted since the last run stay in the "
        "target under their former key; load the table again from scratch."
    ) in caplog.messages


def test_columns_in_another_order_are_unchanged(by_row: TapRuns) -> None:
    by_row.run()

    messages = by_row.run_with(
        "Size;Code;Name\r\n1.5;FR;France\r\n2.5;DE;Deutschland\r\n3.5;IT;Italia\r\n",
        stream_overrides={"countries": {"key_columns": ["Code"], "types": {"Size": "number"}}},
    )

    assert kinds(messages) == ["STATE"]


def test_same_lines_below_another_header_are_other_rows(by_row: TapRuns) -> None:
    keyed = {"stream_overrides": {"countries": {"key_columns": ["Code"]}}}
    by_row.run_with("Code;Name;Long\r\nFR;France;République\r\nDE;Germany;Bund\r\n", **keyed)

    messages = by_row.run_with("Code;Long;Name\r\nFR;France;République\r\nDE;Germany;Bund\r\n", **keyed)

    assert [(row["Code"], row["Long"], row["Name"]) for row in rows(messages)] == [
        ("FR", "France", "République"),
        ("DE", "Germany", "Bund"),
    ]


@pytest.mark.parametrize(
    ("body", "lost"),
    [("Code;Name;Size\r\n", 3), ("Code;Name;Size\r\nFR;France;1.5\r\n", 2)],
    ids=["empty", "shrunk"],
)
def test_shrunk_export_fails_before_anything_is_emitted(by_row: TapRuns, store: Path, body: str, lost: int) -> None:
    by_row.run()
    kept, state = snapshots(store), by_row.state
    by_row.put(body)
    running = by_row.tap()

    with pytest.raises(ShrunkExportError, match=f"countries: the export lost {lost} of the 3 rows of the last run"):
        running.sync_all()

    assert written(running) == [{"type": "STATE", "value": state}]
    assert snapshots(store) == kept


def test_replaced_rows_do_not_count_as_lost(by_row: TapRuns) -> None:
    by_row.run()

    messages = by_row.run_with("Code;Name;Size\r\nA;A;1.0\r\nB;B;2.0\r\nC;C;3.0\r\n")

    live, deleted = codes(messages)
    assert (sorted(live), sorted(deleted)) == (["A", "B", "C"], ["DE", "FR", "IT"])


def test_emptied_list_is_deleted_when_the_guard_is_off(by_row: TapRuns) -> None:
    by_row.run()

    messages = by_row.run_with("Code;Name;Size\r\n", max_shrink_percent=100)

    assert sorted(row["Code"] for row in rows(messages)) == ["DE", "FR", "IT"]
    assert all(row["_sdc_deleted_at"] for row in rows(messages))
    assert by_row.bookmark["rows"] == 0


def test_failed_run_changes_neither_store_nor_state(
    by_row: TapRuns, store: Path, pigment: Pigment, discover: Discover
) -> None:
    by_row.catalog = discover()
    by_row.run()
    kept, state = snapshots(store), by_row.state
    pigment.always_answer("/export/", Answer(500))

    with pytest.raises(PigmentError, match="Pigment failed"):
        by_row.run()

    assert (snapshots(store), by_row.state) == (kept, state)


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ("{file}/below", "^snapshot_uri: cannot use .*/file/below: .*Not a directory"),
        ("/proc/below", "^snapshot_uri: cannot use /proc/below: "),
    ],
)
def test_store_that_fails_is_an_error_before_any_export(  # noqa: PLR0913, PLR0917 - fixtures and parameters.
    pigment: Pigment, discover: Discover, tap: MakeTap, tmp_path: Path, place: str, problem: str
) -> None:
    (tmp_path / "file").write_text("")
    pigment.add_list("Countries", COUNTRIES)
    row: dict[str, Any] = {"change_detection": "row", "snapshot_uri": place.format(file=tmp_path / "file")}
    catalog = discover()
    pigment.requests.clear()

    for given in (catalog, None):
        with pytest.raises(StoreError, match=problem):
            tap(catalog=given, **row)

    assert pigment.requests == []


@pytest.mark.parametrize("uri", ["nowhere://x", "dir://x/y", "github://a/b", "reference://x", "zip://x", "tar://x"])
def test_address_that_fsspec_cannot_use_is_an_error(pigment: Pigment, tap: MakeTap, uri: str) -> None:
    pigment.add_list("Countries", COUNTRIES)

    with pytest.raises(StoreError, match=f"snapshot_uri: cannot use {uri}: .* Check the address"):
        tap(change_detection="row", snapshot_uri=uri).sync_all()


def test_snapshots_are_readable_by_their_user_only(by_row: TapRuns, store: Path) -> None:
    by_row.run()

    (path,) = store.rglob("*.parquet")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_connection_test_stores_no_snapshot(by_row: TapRuns, store: Path, tap: MakeTap) -> None:
    running = tap(**by_row.settings)

    running.run_connection_test()

    assert snapshots(store) == []


@pytest.mark.parametrize(("mode", "sent"), [("stream", {"FR": "1.5", "DE": "y"}), ("row", {"DE": "y"})])
def test_export_may_have_more_than_a_thousand_columns(
    pigment: Pigment, tap: MakeTap, store: Path, mode: str, sent: dict[str, str]
) -> None:
    header = ";".join(["Code", *(f"C{number}" for number in range(1_002))])
    runs = TapRuns(pigment, tap, {"change_detection": mode, "snapshot_uri": str(store)})
    runs.run_with(f"{header}\r\nFR{';1.5' * 1_002}\r\nDE{';x' * 1_002}\r\n")

    messages = runs.run_with(f"{header}\r\nFR{';1.5' * 1_002}\r\nDE{';x' * 1_001};y\r\n")

    assert {row["Code"]: row["C1001"] for row in rows(messages)} == sent


def test_stream_maps_see_deleted_rows_with_nulls(by_row: TapRuns) -> None:
    maps = {"stream_maps": {"countries": {"Shout": "Name and Name.upper()"}}}
    by_row.run(**maps)

    messages = by_row.run_with(CHANGED, **maps)

    by_code = {row["Code"]: row for row in rows(messages)}
    assert by_code["DE"]["Shout"] == "GERMANY"
    assert by_code["IT"]["_sdc_deleted_at"]
    assert by_code["IT"]["Shout"] is None


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("md5(Name)", "AttributeError"),
        ("Size * 2", "TypeError"),
        ("Name.upper()", "Failed to evaluate simpleeval expressions Name.upper()"),
    ],
)
def test_map_that_fails_on_the_nulls_of_a_deleted_row_fails_its_stream(
    by_row: TapRuns, expression: str, problem: str
) -> None:
    zones = by_row.pigment.add_list("Zones", "Code;Name\r\nA;1\r\n")
    maps = {"stream_maps": {"countries": {"Made": expression}}, "on_stream_error": "continue"}
    by_row.run(**maps)
    by_row.pigment.exports[zones] = b"Code;Name\r\nA;2\r\n"
    by_row.pigment.exports[by_row.block] = CHANGED.encode()
    running = by_row.tap(**maps)

    with pytest.raises(StreamsFailedError) as caught:
        running.sync_all()

    message = str(caught.value)
    assert f"countries  stream_maps fail on a record of a deleted row: {problem}. Only its key is set." in message
    assert "Italia" not in message
    assert [m["record"]["Name"] for m in of_type(written(running), "RECORD") if m["stream"] == "zones"] == ["2"]


@pytest.mark.parametrize("rule", ["1/(len(Name)-6) > 0", "int(Name) > 1", "Name.nothing()"])
def test_filter_that_fails_names_its_stream_and_shows_no_cell(by_stream: TapRuns, rule: str) -> None:
    by_stream.pigment.add_list("Zones", "Code;Name\r\nA;1\r\n")
    running = by_stream.tap(stream_maps={"countries": {"__filter__": rule}}, on_stream_error="continue")

    with pytest.raises(StreamsFailedError, match="countries  stream_maps fail on a record: ") as caught:
        running.sync_all()

    assert "'France'" not in str(caught.value)
    assert [m["record"]["Name"] for m in of_type(written(running), "RECORD") if m["stream"] == "zones"] == ["1"]


def test_no_version_is_activated_where_only_changes_are_emitted(
    by_row: TapRuns, caplog: pytest.LogCaptureFixture
) -> None:
    messages = by_row.run(emit_activate_version_messages=True)

    assert of_type(messages, "ACTIVATE_VERSION") == []
    assert "version" not in of_type(messages, "RECORD")[0]
    assert "emit_activate_version_messages has no effect with change_detection: row" in caplog.text


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("DE;Germany;2,5", "countries: column Size, row 3: the cell is not a number"),
        ("FR;Germany;2.5", r"countries: 2 of 4 rows share a key \(Code\), first at row 1"),
        ("DE;Germany", r"countries: row 3 \(line 4\) has 2 fields, the header has 3"),
    ],
)
def test_changed_rows_are_validated_like_those_of_a_full_send(
    by_row: TapRuns, discover: Discover, store: Path, line: str, problem: str
) -> None:
    by_row.catalog = discover(**by_row.settings)
    by_row.run()
    kept, state = snapshots(store), by_row.state

    with pytest.raises(PigmentError, match=problem):
        by_row.run_with(f"Code;Name;Size\r\nFR;France;1.5\r\nIT;Italia;3.5\r\n{line}\r\nES;España;1\r\n")

    assert (snapshots(store), by_row.state) == (kept, state)

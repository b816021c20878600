"""Change detection, run after run: what is sent, and what the state says."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tap_pigment.errors import PigmentError, ShrunkExportError, SnapshotError, StreamsFailedError
from tests.conftest import deselect, of_type, written
from tests.nights import CHANGED, COUNTRIES, Nights, rows, snapshots
from tests.pigment import Answer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Discover, MakeTap, Message
    from tests.pigment import Pigment


@pytest.fixture(autouse=True)
def _what_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")


@pytest.fixture
def by_stream(pigment: Pigment, tap: MakeTap) -> Nights:
    """Nights that compare whole streams."""
    return Nights(pigment, tap, {"change_detection": "stream"})


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Where the snapshots are kept."""
    return tmp_path / "snapshots"


@pytest.fixture
def by_row(pigment: Pigment, tap: MakeTap, store: Path) -> Nights:
    """Nights that compare row by row."""
    return Nights(pigment, tap, {"change_detection": "row", "snapshot_uri": str(store)})


def kinds(messages: list[Message]) -> list[str]:
    """Return the types of the messages."""
    return [message["type"] for message in messages]


def parted(messages: list[Message]) -> tuple[list[str], list[str]]:
    """Return the codes of the rows that are sent, and of those that are gone."""
    sent = rows(messages)
    return (
        [row["Code"] for row in sent if row["_sdc_deleted_at"] is None],
        [row["Code"] for row in sent if row["_sdc_deleted_at"] is not None],
    )


# Whole streams


def test_an_unchanged_stream_sends_its_schema_and_its_state_only(
    by_stream: Nights, caplog: pytest.LogCaptureFixture
) -> None:
    first = by_stream.run()

    second = by_stream.run()

    assert kinds(first) == ["SCHEMA", "RECORD", "RECORD", "RECORD", "STATE"]
    assert kinds(second) == ["SCHEMA"]  # The state is the one that was given.
    assert by_stream.bookmark.keys() == {"v", "rows", "digest", "body"}
    assert len(json.dumps(by_stream.bookmark)) < 300
    assert "Unchanged since the last run" in caplog.text


def test_the_same_rows_in_another_order_are_unchanged(by_stream: Nights, caplog: pytest.LogCaptureFixture) -> None:
    by_stream.run()
    header, *lines = COUNTRIES.splitlines(keepends=True)

    messages = by_stream.night(header + "".join(reversed(lines)))

    assert of_type(messages, "RECORD") == []
    assert "Unchanged since the last run, all 3 rows" in caplog.text


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
def test_a_changed_stream_is_sent_whole(by_stream: Nights, body: str) -> None:
    by_stream.run()

    messages = by_stream.night(body)

    assert len(rows(messages)) == body.count("\r\n") - 1
    assert by_stream.run() == of_type(messages, "SCHEMA")


def test_identical_rows_that_come_in_pairs_are_seen(pigment: Pigment, tap: MakeTap) -> None:
    nights = Nights(
        pigment, tap, {"change_detection": "stream", "stream_overrides": {"countries": {"key_columns": []}}}
    )
    nights.night(COUNTRIES)

    messages = nights.night(COUNTRIES + "FR;France;1.5\r\nFR;France;1.5\r\n")

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
def test_what_makes_other_records_of_the_same_rows_sends_them_again(
    by_stream: Nights, settings: dict[str, Any]
) -> None:
    by_stream.run()

    messages = by_stream.run(**settings)

    assert len(rows(messages)) == 3
    assert by_stream.run(**settings) == of_type(messages, "SCHEMA")


def test_a_deselected_column_sends_the_others_again(by_stream: Nights, discover: Discover) -> None:
    by_stream.catalog = discover()
    by_stream.run()
    deselect(by_stream.catalog, "countries", "Name")

    messages = by_stream.run()

    assert rows(messages)[0] == {"Code": "FR", "Size": 1.5}


def test_an_unchanged_stream_activates_no_version(by_stream: Nights) -> None:
    first = by_stream.run(emit_activate_version_messages=True)
    version = of_type(first, "ACTIVATE_VERSION")[0]["version"]

    second = by_stream.run(emit_activate_version_messages=True)

    assert of_type(second, "ACTIVATE_VERSION") == []
    assert by_stream.bookmark["version"] >= version


def test_an_unchanged_stream_writes_no_files(by_stream: Nights, tmp_path: Path) -> None:
    batch_config = {"encoding": {"format": "jsonl"}, "storage": {"root": str(tmp_path / "batches")}}
    first = by_stream.run(batch_config=batch_config)

    second = by_stream.run(batch_config=batch_config)

    assert len(of_type(first, "BATCH")) == 1
    assert of_type(second, "BATCH") == []


# Row by row


def test_only_rows_that_changed_are_sent_and_what_is_gone_as_its_key(by_row: Nights, store: Path) -> None:
    first = by_row.run()
    second = by_row.night(CHANGED)

    schema = of_type(second, "SCHEMA")[0]["schema"]["properties"]
    *live, gone = rows(second)
    assert len(rows(first)) == 3
    assert rows(first)[0] == {"Code": "FR", "Name": "France", "Size": 1.5, "_sdc_deleted_at": None}
    assert sorted(live, key=str) == [
        {"Code": "DE", "Name": "Germany", "Size": 2.5, "_sdc_deleted_at": None},
        {"Code": "ES", "Name": "España", "Size": 4.5, "_sdc_deleted_at": None},
    ]
    assert gone == {"Code": "IT", "_sdc_deleted_at": of_type(second, "RECORD")[0]["time_extracted"]}
    assert "contentHash" not in of_type(second, "RECORD")[-1]["record"]
    assert schema["_sdc_deleted_at"]["format"] == "date-time"
    assert by_row.bookmark["rows"] == 3
    assert by_row.bookmark["snapshot"] in snapshots(store)


def test_the_content_hash_of_a_changed_row_is_that_of_a_full_send(by_row: Nights) -> None:
    by_row.run()
    changed = by_row.night(CHANGED)

    by_row.state = {}
    whole = by_row.run()

    hashes = {m["record"]["Code"]: m["record"].get("contentHash") for m in of_type(whole, "RECORD")}
    assert {m["record"]["Code"]: m["record"]["contentHash"] for m in of_type(changed, "RECORD")[:-1]} == {
        code: hashes[code] for code in ("DE", "ES")
    }


def test_no_change_is_no_record_and_no_new_snapshot(by_row: Nights, store: Path) -> None:
    by_row.run()
    kept = snapshots(store)
    header, *lines = COUNTRIES.splitlines(keepends=True)

    same_bytes = by_row.run()
    other_order = by_row.night(header + "".join(reversed(lines)))

    assert rows(same_bytes) == rows(other_order) == []
    assert snapshots(store) == kept


def test_rows_without_a_key_are_told_apart_by_their_number(pigment: Pigment, tap: MakeTap, store: Path) -> None:
    nights = Nights(pigment, tap, {"change_detection": "row", "snapshot_uri": str(store), "max_shrink_percent": 100})
    nights.settings = {**nights.settings, "stream_overrides": {"countries": {"key_columns": []}}}
    nights.night("Code\r\nA\r\nA\r\nB\r\n")

    more = nights.night("Code\r\nA\r\nA\r\nA\r\nA\r\nB\r\n")
    less = nights.night("Code\r\nA\r\nC\r\n")

    assert sorted((row["Code"], row["occurrence"]) for row in rows(more)) == [("A", 3), ("A", 4)]
    numbers = [(m["record"].get("Code"), m["record"]["occurrence"]) for m in of_type(less, "RECORD")]
    assert sorted(numbers, key=str) == [("C", 1), (None, 1), (None, 2), (None, 3), (None, 4)]


def test_a_snapshot_stays_until_a_later_state_has_come_back(by_row: Nights, store: Path) -> None:
    by_row.run()
    first = by_row.bookmark["snapshot"]
    by_row.night(CHANGED)
    second = by_row.bookmark["snapshot"]
    assert snapshots(store) == sorted([first, second])

    by_row.night(COUNTRIES)

    third = by_row.bookmark["snapshot"]
    assert snapshots(store) == sorted([second, third])


def test_a_state_that_did_not_come_back_sends_the_changes_again(by_row: Nights) -> None:
    by_row.run()
    before = by_row.state
    lost = by_row.night(CHANGED)

    by_row.state = before
    again = by_row.run()

    assert sorted(map(str, (row["Code"] for row in rows(again)))) == sorted(row["Code"] for row in rows(lost))


@pytest.mark.parametrize(
    "damage", ["missing", "empty", "truncated", "foreign", "unknown version", "no state", "nonsense"]
)
def test_without_the_snapshot_that_the_state_names_everything_is_sent(
    by_row: Nights, store: Path, damage: str, caplog: pytest.LogCaptureFixture
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
        case "foreign":
            path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
        case "unknown version":
            by_row.bookmark["v"] = 2
        case "no state":
            by_row.state = {}
        case _:
            by_row.bookmark["snapshot"] = "../../../etc/passwd"

    live, gone = parted(by_row.night(CHANGED))

    assert live == ["FR", "DE", "ES"]
    # Where the state names nothing, what is in the store may be downstream; where that is lost, nothing tells.
    assert gone == (["IT"] if damage in {"unknown version", "no state", "nonsense"} else [])
    assert ("All rows are sent" in caplog.text) or ("all rows are sent" in caplog.text)
    assert rows(by_row.night(CHANGED + "PT;Portugal;1.0\r\n"))[0]["Code"] == "PT"


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
def test_other_records_of_the_same_rows_are_sent_with_the_reason_and_what_is_gone(
    by_row: Nights, settings: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    by_row.run()

    messages = by_row.night(CHANGED, **settings)

    assert len(rows(messages)) == 4
    assert rows(messages)[-1]["Code"] == "IT"
    assert re.search(rf"All rows are sent: {reason}", caplog.text)
    assert ("load the table anew" in caplog.text) == ("stream_maps" in settings)
    assert rows(by_row.run(**settings)) == []


def test_another_selection_of_columns_sends_everything(
    by_row: Nights, discover: Discover, caplog: pytest.LogCaptureFixture
) -> None:
    by_row.catalog = discover()
    by_row.run()
    deselect(by_row.catalog, "countries", "Size")

    messages = by_row.night(CHANGED)

    assert [row["Code"] for row in rows(messages)] == ["FR", "DE", "ES", "IT"]
    assert "All rows are sent: other columns are selected (Size)" in caplog.text


def test_another_key_sends_everything_and_says_that_the_table_is_to_be_loaded_anew(
    by_row: Nights, caplog: pytest.LogCaptureFixture
) -> None:
    by_row.run()

    messages = by_row.night(CHANGED, stream_overrides={"countries": {"key_columns": ["Name"]}})

    assert len(rows(messages)) == 3
    assert "All rows are sent: the key was (Code) and is (Name)" in caplog.text
    assert "Load the table anew" in caplog.text


def test_columns_that_change_places_are_no_change(by_row: Nights) -> None:
    by_row.run()

    messages = by_row.night(
        "Size;Code;Name\r\n1.5;FR;France\r\n2.5;DE;Deutschland\r\n3.5;IT;Italia\r\n",
        stream_overrides={"countries": {"key_columns": ["Code"], "types": {"Size": "number"}}},
    )

    assert rows(messages) == []


def test_the_same_lines_below_another_header_are_other_rows(by_row: Nights) -> None:
    keyed = {"stream_overrides": {"countries": {"key_columns": ["Code"]}}}
    by_row.night("Code;Name;Long\r\nFR;France;République\r\nDE;Germany;Bund\r\n", **keyed)

    messages = by_row.night("Code;Long;Name\r\nFR;France;République\r\nDE;Germany;Bund\r\n", **keyed)

    assert [(row["Code"], row["Long"], row["Name"]) for row in rows(messages)] == [
        ("FR", "France", "République"),
        ("DE", "Germany", "Bund"),
    ]


@pytest.mark.parametrize("body", ["Code;Name;Size\r\n", "Code;Name;Size\r\nFR;France;1.5\r\n"], ids=["empty", "shrunk"])
def test_too_many_rows_gone_fail_the_stream_before_anything_is_written(by_row: Nights, store: Path, body: str) -> None:
    by_row.run()
    kept, state = snapshots(store), by_row.state

    with pytest.raises(ShrunkExportError, match="of the 3 rows of the last run are gone"):
        by_row.night(body)

    assert snapshots(store) == kept
    assert by_row.state == state


def test_rows_that_are_replaced_count_as_gone(by_row: Nights) -> None:
    by_row.run()

    with pytest.raises(ShrunkExportError, match="3 of the 3 rows"):
        by_row.night("Code;Name;Size\r\nA;A;1.0\r\nB;B;2.0\r\nC;C;3.0\r\n")


def test_a_cleared_list_is_cleared_when_the_guard_is_off(by_row: Nights) -> None:
    by_row.run()

    messages = by_row.night("Code;Name;Size\r\n", max_shrink_percent=100)

    assert sorted(row["Code"] for row in rows(messages)) == ["DE", "FR", "IT"]
    assert all(row["_sdc_deleted_at"] for row in rows(messages))
    assert by_row.bookmark["rows"] == 0


def test_a_failed_night_changes_nothing(by_row: Nights, store: Path, pigment: Pigment, discover: Discover) -> None:
    by_row.catalog = discover()
    by_row.run()
    kept, state = snapshots(store), by_row.state
    pigment.always_answer("/export/", Answer(500))

    with pytest.raises(PigmentError, match="Pigment failed"):
        by_row.run()

    assert (snapshots(store), by_row.state) == (kept, state)


@pytest.mark.parametrize(
    ("place", "problem"),
    [("{file}/below", "snapshot_uri: cannot list"), ("/proc/below", "countries: snapshot_uri: cannot write")],
)
def test_a_store_that_takes_nothing_fails_the_stream_before_anything_is_written(
    pigment: Pigment, tap: MakeTap, tmp_path: Path, place: str, problem: str
) -> None:
    (tmp_path / "file").write_text("")
    pigment.add_list("Countries", COUNTRIES)
    running = tap(change_detection="row", snapshot_uri=place.format(file=tmp_path / "file"))

    with pytest.raises(SnapshotError, match=problem):
        running.sync_all()

    assert written(running) == []


@pytest.mark.parametrize("uri", ["nowhere://x", "dir://x/y", "github://a/b", "reference://x", "zip://x", "tar://x"])
def test_an_address_that_fsspec_cannot_use_is_an_error(pigment: Pigment, tap: MakeTap, uri: str) -> None:
    pigment.add_list("Countries", COUNTRIES)

    with pytest.raises(SnapshotError, match=f"snapshot_uri: {uri}: .*Set it to a path or an fsspec URL"):
        tap(change_detection="row", snapshot_uri=uri).sync_all()


def test_snapshots_are_for_the_eyes_of_their_user_only(by_row: Nights, store: Path) -> None:
    by_row.run()

    (path,) = store.rglob("*.parquet")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_test_of_the_connection_leaves_no_snapshot(by_row: Nights, store: Path, tap: MakeTap) -> None:
    running = tap(**by_row.settings)

    running.run_connection_test()

    assert snapshots(store) == []


@pytest.mark.parametrize(("mode", "sent"), [("stream", {"FR": "1.5", "DE": "y"}), ("row", {"DE": "y"})])
def test_an_export_may_have_more_than_a_thousand_columns(
    pigment: Pigment, tap: MakeTap, store: Path, mode: str, sent: dict[str, str]
) -> None:
    header = ";".join(["Code", *(f"C{number}" for number in range(1_002))])
    nights = Nights(pigment, tap, {"change_detection": mode, "snapshot_uri": str(store)})
    nights.night(f"{header}\r\nFR{';1.5' * 1_002}\r\nDE{';x' * 1_002}\r\n")

    messages = nights.night(f"{header}\r\nFR{';1.5' * 1_002}\r\nDE{';x' * 1_001};y\r\n")

    assert {row["Code"]: row["C1001"] for row in rows(messages)} == sent


def test_maps_see_what_is_gone_with_its_other_columns_blank(by_row: Nights) -> None:
    maps = {"stream_maps": {"countries": {"Shout": "Name and Name.upper()"}}}
    by_row.run(**maps)

    messages = by_row.night(CHANGED, **maps)

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
def test_a_map_that_does_not_stand_what_is_gone_fails_its_stream_and_says_why(
    by_row: Nights, expression: str, problem: str
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
    assert f"countries: stream_maps fail on a record of a row that is gone: {problem}. All but the key" in message
    assert "Italia" not in message
    assert [m["record"]["Name"] for m in of_type(written(running), "RECORD") if m["stream"] == "zones"] == ["2"]


@pytest.mark.parametrize("rule", ["1/(len(Name)-6) > 0", "int(Name) > 1", "Name.nothing()"])
def test_a_filter_that_fails_fails_its_stream_by_name_and_shows_no_cell(by_stream: Nights, rule: str) -> None:
    by_stream.pigment.add_list("Zones", "Code;Name\r\nA;1\r\n")
    running = by_stream.tap(stream_maps={"countries": {"__filter__": rule}}, on_stream_error="continue")

    with pytest.raises(StreamsFailedError, match="countries: stream_maps fail on a record: ") as caught:
        running.sync_all()

    assert "'France'" not in str(caught.value)
    assert [m["record"]["Name"] for m in of_type(written(running), "RECORD") if m["stream"] == "zones"] == ["1"]


def test_versions_are_not_activated_where_only_changes_are_sent(
    by_row: Nights, caplog: pytest.LogCaptureFixture
) -> None:
    messages = by_row.run(emit_activate_version_messages=True)

    assert of_type(messages, "ACTIVATE_VERSION") == []
    assert "version" not in of_type(messages, "RECORD")[0]
    assert "emit_activate_version_messages has no effect with change_detection: row" in caplog.text


def test_two_runs_at_once_do_not_damage_each_other(by_row: Nights, store: Path) -> None:
    by_row.run()
    before = by_row.state
    by_row.night(CHANGED)
    one = by_row.state
    by_row.state = before
    by_row.night(COUNTRIES + "PT;Portugal;1.0\r\n")
    other = by_row.state

    for state in (one, other):
        by_row.state = state
        assert state["bookmarks"]["countries"]["snapshot"] in snapshots(store)
    by_row.state = one
    # Each is told too what the other may have sent: more than it needs, if they have a table each.
    assert "Allemagne" in [row.get("Name") for row in rows(by_row.night(CHANGED.replace("Germany", "Allemagne")))]
    by_row.state = other
    assert "Lusitania" in [row.get("Name") for row in rows(by_row.night(COUNTRIES + "PT;Lusitania;1.0\r\n"))]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("DE;Germany;2,5", "countries: column Size, row 3: the cell is not a number"),
        ("FR;Germany;2.5", r"countries: 2 of 4 rows share a key \(Code\), first at row 1"),
        ("DE;Germany", "row 3 .* has 2 fields where the header has 3"),
    ],
)
def test_what_has_changed_is_checked_as_everything_is(
    by_row: Nights, discover: Discover, store: Path, line: str, problem: str
) -> None:
    by_row.catalog = discover(**by_row.settings)
    by_row.run()
    kept, state = snapshots(store), by_row.state

    with pytest.raises(PigmentError, match=problem):
        by_row.night(f"Code;Name;Size\r\nFR;France;1.5\r\nIT;Italia;3.5\r\n{line}\r\nES;España;1\r\n")

    assert (snapshots(store), by_row.state) == (kept, state)

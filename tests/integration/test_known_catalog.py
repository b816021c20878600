"""`--discover --catalog`: discovery that reads only blocks that an older catalog lacks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tap_pigment.tap import TapPigment
from tests.support.pigment import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import Discover, RunCommand

    class DiscoverAgain(Protocol):
        """Runs discovery with an older catalog, and returns the new one."""

        def __call__(self, known_catalog: Mapping[str, Any], **settings: object) -> dict[str, Any]: ...


COUNTRIES = "Code;Name\r\nFR;France\r\n"
MONTHS = "Month\r\nJan\r\n"


def entries(catalog: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the entries of a catalog by stream name."""
    return {entry["tap_stream_id"]: entry for entry in catalog["streams"]}


def root_metadata(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a stream, without those of its columns."""
    found: dict[str, Any] = next(item["metadata"] for item in entry["metadata"] if not item["breadcrumb"])
    return found


@pytest.fixture
def discover_again(config: Mapping[str, Any]) -> DiscoverAgain:
    def run(known_catalog: Mapping[str, Any], **settings: object) -> dict[str, Any]:
        tap = TapPigment(config={**config, **settings}, known_catalog=json.loads(json.dumps(known_catalog)))
        found: dict[str, Any] = json.loads(tap.catalog_json_text)
        return found

    return run


@pytest.mark.parametrize("settings", [{}, {"metadata_streams": True}, {"change_detection": "row"}], ids=str)
def test_where_nothing_changed_the_catalog_is_the_same_and_no_export_is_requested(
    pigment: Pigment, discover: Discover, discover_again: DiscoverAgain, tmp_path: Path, settings: dict[str, Any]
) -> None:
    settings = {**settings, "snapshot_uri": str(tmp_path)}
    pigment.add_list("Countries", COUNTRIES)
    pigment.add("Journal", "TransactionList", "Text;Amount\r\none;1.5\r\n")
    catalog = discover(**settings)
    pigment.requests.clear()

    assert discover_again(known_catalog=catalog, **settings) == catalog
    assert pigment.requested("/export/") == []


def test_new_and_renamed_blocks_are_read_and_others_keep_what_the_user_selects(
    pigment: Pigment, discover: Discover, discover_again: DiscoverAgain, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    countries = pigment.add_list("Countries", COUNTRIES)
    months = pigment.add_list("Months", MONTHS)
    zones = pigment.add_list("Zones", MONTHS)
    pigment.add_list("Years", MONTHS)
    catalog = discover()
    root_metadata(entries(catalog)["countries"])["selected"] = False
    pigment.blocks[months]["name"] = "MONTHS"  # Its stream keeps its name.
    pigment.blocks[zones]["name"] = "Regions"
    new = pigment.add_list("New", COUNTRIES)
    pigment.exports[countries] = b"Other\r\n"
    pigment.requests.clear()

    again = entries(discover_again(known_catalog=catalog))

    assert {request.path.split("/")[-1] for request in pigment.requested("/export/")} == {months, zones, new}
    assert list(again) == ["countries", "months", "new", "regions", "years"]
    assert again["countries"] == entries(catalog)["countries"]
    assert {name: root_metadata(entry)["selected"] for name, entry in again.items()} == {
        "countries": False,
        "months": True,
        "regions": True,
        "years": True,
        "new": True,
    }
    assert (
        "Discovery: 2 streams as in --catalog; read again or for the first time: months, new, regions; removed: "
        in (caplog.text)
    )
    assert "Discovery: 3 blocks read in " in caplog.text


def test_keys_and_types_of_the_settings_apply_to_known_streams(
    pigment: Pigment, discover: Discover, discover_again: DiscoverAgain
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    override = {"key_columns": ["Name"], "types": {"Code": "integer"}}

    again = entries(discover_again(known_catalog=discover(), stream_overrides={"countries": override}))["countries"]

    assert again["key_properties"] == ["Name"]
    assert again["schema"]["properties"]["Code"]["type"] == ["integer", "null"]


def test_a_known_stream_that_does_not_fit_the_settings_is_read_again(
    pigment: Pigment, discover: Discover, discover_again: DiscoverAgain
) -> None:
    countries = pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    pigment.exports[countries] = b"Code;Name;Capital\r\nFR;France;Paris\r\n"

    again = discover_again(known_catalog=catalog, stream_overrides={"countries": {"key_columns": ["Capital"]}})

    assert entries(again)["countries"]["key_properties"] == ["Capital"]


def test_a_new_block_that_cannot_be_read_leaves_the_known_streams(
    pigment: Pigment, discover: Discover, discover_again: DiscoverAgain, caplog: pytest.LogCaptureFixture
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    catalog = discover()
    secret = pigment.add_list("Salaries", MONTHS)
    pigment.always_answer(secret, Answer(403))

    assert list(entries(discover_again(known_catalog=catalog))) == ["countries"]
    assert "salaries: " in caplog.text
    assert "The stream is not in the catalog." in caplog.text


@pytest.mark.parametrize("is_first", [True, False], ids=["--discover --catalog", "--catalog --discover"])
def test_the_options_may_stand_in_any_order(
    pigment: Pigment, discover: Discover, run_command: RunCommand, tmp_path: Path, *, is_first: bool
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    path = tmp_path / "old.json"
    path.write_text(json.dumps(discover()))
    pigment.add_list("Months", MONTHS)
    pigment.requests.clear()
    options = ["--catalog", str(path)]

    result = run_command(*(["--discover", *options] if is_first else [*options, "--discover"]))

    assert result.returncode == 0
    assert list(entries(json.loads(result.stdout))) == ["countries", "months"]
    assert len(pigment.requested("/export/")) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "not JSON: Expecting property name"), ('{"streams": []}', "--catalog: it has no streams")],
)
def test_a_file_that_is_no_catalog_is_an_error(
    pigment: Pigment, run_command: RunCommand, tmp_path: Path, content: str, message: str
) -> None:
    pigment.add_list("Countries", COUNTRIES)
    path = tmp_path / "old.json"
    path.write_text(content)

    result = run_command("--discover", "--catalog", str(path))

    assert (result.returncode, result.stdout) == (1, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_wrong_settings_are_reported_as_without_a_catalog(
    pigment: Pigment, run_command: RunCommand, config: Mapping[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "old.json"
    path.write_text('{"streams": []}')

    result = run_command("--discover", "--catalog", str(path), config={**config, "max_retries": -1})

    assert result.returncode == 1
    assert "max_retries" in result.stderr
    assert "Traceback" not in result.stderr
    assert pigment.requests == []

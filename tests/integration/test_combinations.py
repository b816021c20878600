"""What users combine: after two runs with edits between them, a target has the rows that are written out here.

The table of cases holds every two features that are legal together; a test checks that.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_pigment.errors import PigmentError
from tap_pigment.sandbox.api import item_id, pigment_app
from tap_pigment.sandbox.server import serving
from tap_pigment.tap import TapPigment
from tests.support.edited_model import (
    BASE,
    BOARD_ID,
    CUSTOMERS_ID,
    DOWNSIDE,
    EXPORT_KEY,
    JOURNAL_ID,
    KEY,
    PLAN_ID,
    PLANNING_ID,
    REGIONS,
    SALES_ID,
    SHARING_ID,
    YEARS,
    model_after,
    model_before,
)
from tests.support.memory_target import MemoryTarget
from tests.support.taps import Recorder, deselect, of_type, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping, Sequence
    from pathlib import Path

    from tests.support.taps import Message

KINDS = {
    "customers": ("DimensionList", CUSTOMERS_ID),
    "journal": ("TransactionList", JOURNAL_ID),
    "sales": ("Metric", SALES_ID),
    "plan": ("Table", PLAN_ID),
    "board": ("View", BOARD_ID),
}
LEVELS: dict[str, Sequence[str]] = {
    "block": tuple(KINDS),
    "changes": ("full", "stream", "row", "parquet", "jsonl"),
    "applications": ("one", "several", "all", "unlisted", "beside"),
    "maps": ("", "rename", "filter", "alias"),
    "slices": ("", "sliced"),
    "headers": ("", "friendly"),
    "columns": ("", "narrow"),
    "metadata": ("", "metadata"),
    "scenarios": ("", "scenarios"),
}
FILES = ("parquet", "jsonl")


def is_legal(**chosen: str) -> bool:
    """Return whether features can be combined. What the tap refuses is in the second table, with its message."""
    given = chosen.get
    block = given("block")
    return not (
        (given("changes") in FILES and given("maps"))
        or (given("changes") == "row" and given("maps") == "filter")
        or (given("applications") == "unlisted" and given("metadata"))
        or (block == "board" and given("slices"))
        or (block in {"board", "customers", "journal"} and given("scenarios"))
        # A metric has no other column than its value to deselect, and a map cannot rename a deselected one.
        or (block == "sales" and given("columns") and given("maps") == "rename")
    )


@dataclass(frozen=True)
class Case:
    """A combination of features: one of each of `LEVELS`.

    Attributes:
        block: The block, by its stream name.
        changes: What the second run emits: all rows, the rows of streams with changes, or single rows, as records; or
            all rows as Parquet files, or the rows of streams with changes as jsonl files.
        applications: The application of the block, that and another one, or all; or the block is not listed, and
            there is no application, or another one.
        maps: The stream map; empty for none.
        words: The other features, which are on or off.
    """

    block: str
    changes: str
    applications: str
    maps: str
    words: frozenset[str]

    @classmethod
    def of(cls, block: str, changes: str, applications: str, features: str) -> Case:
        """Make a case of a row of the table."""
        words = frozenset(features.split())
        return cls(block, changes, applications, next(iter(words & set(LEVELS["maps"])), ""), words)

    def chosen(self) -> dict[str, str]:
        """Return the level of each factor."""
        named = {"block": self.block, "changes": self.changes, "applications": self.applications, "maps": self.maps}
        return {
            factor: named.get(factor, next(iter(self.words.intersection(levels)), ""))
            for factor, levels in LEVELS.items()
        }

    @property
    def prefix(self) -> str:
        """The beginning of stream names."""
        return "planning_" if self.applications in {"several", "all"} else ""


CASES = [
    Case.of("customers", "full", "one", "alias sliced metadata"),
    Case.of("customers", "full", "all", "narrow"),
    Case.of("customers", "stream", "several", "filter friendly narrow"),
    Case.of("customers", "stream", "unlisted", "alias friendly"),
    Case.of("customers", "row", "one", "rename sliced narrow metadata"),
    Case.of("customers", "row", "beside", "sliced friendly metadata"),
    Case.of("customers", "parquet", "several", "friendly narrow"),
    Case.of("customers", "jsonl", "beside", "sliced friendly"),
    Case.of("journal", "full", "all", "rename narrow"),
    Case.of("journal", "stream", "one", "filter narrow metadata"),
    Case.of("journal", "stream", "unlisted", "sliced narrow"),
    Case.of("journal", "row", "all", "alias sliced friendly metadata"),
    Case.of("journal", "parquet", "unlisted", "narrow"),
    Case.of("journal", "parquet", "beside", "sliced friendly"),
    Case.of("journal", "jsonl", "several", "sliced narrow metadata"),
    Case.of("sales", "full", "all", "filter sliced friendly scenarios"),
    Case.of("sales", "stream", "one", "alias friendly narrow scenarios"),
    Case.of("sales", "stream", "beside", "rename sliced"),
    Case.of("sales", "row", "beside", "friendly narrow"),
    Case.of("sales", "parquet", "several", "sliced metadata scenarios"),
    Case.of("sales", "jsonl", "unlisted", "friendly"),
    Case.of("plan", "full", "several", "alias sliced narrow metadata"),
    Case.of("plan", "full", "beside", "filter friendly narrow metadata scenarios"),
    Case.of("plan", "stream", "all", "filter sliced metadata scenarios"),
    Case.of("plan", "row", "unlisted", "rename sliced friendly narrow scenarios"),
    Case.of("plan", "parquet", "all", "sliced narrow scenarios"),
    Case.of("plan", "jsonl", "one", "sliced narrow metadata scenarios"),
    Case.of("board", "full", "unlisted", "filter"),
    Case.of("board", "stream", "beside", "alias friendly narrow"),
    Case.of("board", "row", "several", "rename narrow metadata"),
    Case.of("board", "parquet", "one", ""),
    Case.of("board", "jsonl", "all", "friendly"),
]

# The names of the columns, technical and friendly, in the order of the rows below.
NAMES = {
    ("customers", ""): ("customers_CCCCCC", "code_AAAAAA", "score_SSSSSS", "since_DDDDDD", "region_RRRRRR"),
    ("customers", "friendly"): ("customers", "code", "score", "since", "region"),
    ("journal", ""): ("memo_MMMMMM", "amount_AAAAAA", "region_RRRRRR"),
    ("journal", "friendly"): ("memo", "amount", "region"),
    ("sales", ""): ("regions_RRRRRR", "years_YYYYYY", "sales_SSSSSS"),
    ("sales", "friendly"): ("regions", "years", "sales"),
    ("plan", ""): ("regions_RRRRRR", "years_YYYYYY", "sales_SSSSSS", "growth_GGGGGG"),
    ("plan", "friendly"): ("regions", "years", "sales", "growth"),
    # A view has one header only.
    ("board", ""): ("regions_RRRRRR", "years_YYYYYY", "sales_SSSSSS", "growth_GGGGGG"),
    ("board", "friendly"): ("regions_rrrrrr", "years_yyyyyy", "sales_ssssss", "growth_gggggg"),
}
SCENARIO = {
    ("sales", ""): "scenario_H77AVZ",
    ("plan", ""): "scenario_QLQHPW",
    ("sales", "friendly"): "scenario",
    ("plan", "friendly"): "scenario",
}
# The places in `NAMES` of the column that a case deselects, of the one that it renames, and of a text to filter by.
DESELECTED = {"customers": 4, "journal": 2, "sales": 2, "plan": 3, "board": 3}
RENAMED = {"customers": 2, "journal": 1, "sales": 2, "plan": 2, "board": 2}
FILTERED = {
    "customers": (0, "Cobb"),
    "journal": (0, "fuel"),
    "sales": (0, "South"),
    "plan": (0, "South"),
    "board": (0, "South"),
}

Cells = tuple[Any, ...]
BEFORE: dict[str, list[Cells]] = {
    "customers": [
        ("Acme", "007", 1.5, "2020-01-31", "North"),
        ("Bolt", "12", None, None, "South"),
        ("Cobb", "13", 3, "2021-02-28", "South"),
    ],
    "journal": [("rent", 10.5, "North"), ("rent", 10.5, "North"), ("fuel", 2, "South")],
    "sales": [("North", "2025", 10), ("North", "2026", 12.5), ("South", "2026", 7)],
    "plan": [
        ("North", "2025", 10, None),
        ("North", "2026", 12.5, None),
        ("South", "2026", 7, None),
        ("", "2026", None, 0.1),  # Blank in a key.
    ],
    "board": [
        ("North", "2025", 10, None),
        ("North", "2026", 12.5, None),
        ("South", "2026", 7, None),
        (None, "2026", None, 0.1),
    ],
}
AFTER: dict[str, list[Cells]] = {
    "customers": [
        ("Acme", "007", 1.75, "2020-01-31", "North"),
        ("Cobb", "13", 3, "2021-02-28", "South"),
        ("Dune", "14", 4, None, "North"),
    ],
    "journal": [("food", 1, "South"), ("rent", 10.5, "North"), ("fuel", 3, "South")],
    "sales": [("North", "2025", 10), ("North", "2026", 13), ("South", "2025", 8)],
    "plan": [
        ("North", "2025", 10, None),
        ("North", "2026", 13, None),
        ("South", "2025", 8, None),
        ("", "2026", None, 0.1),
    ],
    "board": [
        ("North", "2025", 10, None),
        ("North", "2026", 13, None),
        ("South", "2025", 8, None),
        (None, "2026", None, 0.1),
    ],
}
# The rows of the first run that files, which delete nothing, leave in the target: deleted, or without a key and edited.
LEFT_BY_FILES: dict[str, list[Cells]] = {
    "customers": [("Bolt", "12", None, None, "South")],
    "journal": [("rent", 10.5, "North"), ("fuel", 2, "South")],
    "sales": [("South", "2026", 7)],
    "plan": [("South", "2026", 7, None)],
    "board": [("North", "2026", 12.5, None), ("South", "2026", 7, None)],
}
# The changed, added and deleted rows of the second run. Without a key, a changed row is a deleted and an added one.
CHANGES = {"customers": 3, "journal": 4, "sales": 3, "plan": 3, "board": 4}
CHANGES_WITHOUT_VALUE = 2  # Of `sales`.


def names_of(case: Case) -> tuple[str, ...]:
    return NAMES[case.block, "friendly" if "friendly" in case.words else ""]


def scenario_of(case: Case) -> str:
    return SCENARIO[case.block, "friendly" if "friendly" in case.words else ""]


def expected_rows(case: Case, rows: Sequence[Cells]) -> Counter[frozenset[tuple[str, Any]]]:
    """Return rows with the names, columns and scenarios of a case, each as often as it comes."""
    names = [
        ("renamed" if case.maps == "rename" and place == RENAMED[case.block] else name)
        for place, name in enumerate(names_of(case))
    ]
    place, text = FILTERED[case.block]
    tables = [
        {
            name: cell
            for position, (name, cell) in enumerate(zip(names, row, strict=True))
            if not ("narrow" in case.words and position == DESELECTED[case.block])
        }
        for row in rows
        if not (case.maps == "filter" and row[place] == text)
    ]
    if "scenarios" in case.words:
        tables = [{**row, scenario_of(case): scenario} for row in tables for scenario in ("Base", "Downside")]
    return Counter(frozenset(row.items()) for row in tables)


class EditedPigment:
    """A Pigment whose model is edited between two runs."""

    def __init__(self) -> None:
        self._apps = {
            "before": pigment_app(model_before(), quota=10**6),
            "after": pigment_app(model_after(), quota=10**6),
        }
        self.model = "before"
        self.url = ""

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI.
        await self._apps[self.model](scope, receive, send)


@pytest.fixture(scope="module")
def served() -> Iterator[EditedPigment]:
    app = EditedPigment()
    with serving(app) as server:
        app.url = server.url
        yield app


@pytest.fixture
def edited(served: EditedPigment) -> EditedPigment:
    """A Pigment whose model nobody has edited yet."""
    served.model = "before"
    return served


def slices(case: Case) -> list[dict[str, Any]]:
    """Return the slices of a block: by scenario, by region or by year."""
    if case.block == "plan" and "scenarios" in case.words:
        return [{"scenarios": [scenario.id]} for scenario in (BASE, DOWNSIDE)]
    if case.block in {"customers", "journal"}:
        ids = [item_id(REGIONS.id, region) for region in ("North", "South")]
        return [
            {"propertyFilters": [{"propertyTechnicalName": "region_RRRRRR", "modalityIds": [item]}]} for item in ids
        ]
    filters = [{"dimensionId": YEARS.id, "modalityIds": [item_id(YEARS.id, year)]} for year in ("2025", "2026")]
    return [{"exportFilter": {"type": "Dimension", "dimension": part}} for part in filters]


def override(case: Case) -> dict[str, Any]:
    """Return the override of a block."""
    names, found = names_of(case), dict[str, Any]()
    in_slices = slices(case) if "sliced" in case.words else []
    if in_slices:
        found["slices"] = in_slices
    if "scenarios" in case.words and not any("scenarios" in part for part in in_slices):
        found["request"] = {"scenarios": [BASE.id, DOWNSIDE.id]}
    if case.applications in {"unlisted", "beside"}:
        found |= {"block_type": KINDS[case.block][0], "name": case.block}
        if case.block in {"plan", "board"}:
            found["types"] = dict.fromkeys(names[2:], "number")
        if case.block == "plan":
            found["key_columns"] = [*names[:2], *([scenario_of(case)] if "scenarios" in case.words else [])]
    return found


def settings(case: Case, folder: Path) -> dict[str, Any]:
    """Return the settings of a case."""
    block_type, block_id = KINDS[case.block]
    name, names = case.prefix + case.block, names_of(case)
    place, text = FILTERED[case.block]
    renamed = names[RENAMED[case.block]]
    maps = {
        "": {},
        "rename": {"stream_maps": {name: {"renamed": renamed, renamed: "__NULL__"}}},
        "filter": {"stream_maps": {name: {"__filter__": f"{names[place]} != '{text}'"}}},
        "alias": {"stream_maps": {name: {"__alias__": "loaded"}}},
    }
    applications: Mapping[str, dict[str, Any]] = {
        "one": {"application_id": PLANNING_ID},
        "several": {"application_ids": [PLANNING_ID, SHARING_ID]},
        "all": {"application_ids": ["*"]},
        "unlisted": {"api_key": EXPORT_KEY},
        "beside": {"application_id": SHARING_ID},
    }
    changes: Mapping[str, dict[str, Any]] = {
        "full": {},
        "stream": {"change_detection": "stream"},
        "row": {"change_detection": "row", "snapshot_uri": str(folder / "snapshots")},
        "parquet": {"batch_config": batch_config(folder, "parquet")},
        "jsonl": {"batch_config": batch_config(folder, "jsonl"), "change_detection": "stream"},
    }
    return {
        "api_key": KEY,
        "block_types": [block_type],
        "include": [name],
        "on_stream_error": "stop",
        "headers": "friendly" if "friendly" in case.words else "technical",
        "metadata_streams": "metadata" in case.words,
        "stream_overrides": {block_id: override(case)},
        **maps[case.maps],
        **applications[case.applications],
        **changes[case.changes],
    }


def batch_config(folder: Path, file_format: str) -> dict[str, Any]:
    return {"encoding": {"format": file_format}, "storage": {"root": folder.as_uri()}, "batch_size": 2}


class Runs:
    """Runs of a case, each with the state of the last one, and the target that loads them."""

    def __init__(self, pigment: EditedPigment, case: Case, folder: Path) -> None:
        self._config = {"api_url": pigment.url, **settings(case, folder)}
        self._catalog: dict[str, Any] | None = None
        self.target = MemoryTarget()
        if "narrow" in case.words:
            self._catalog = dict(self._tap().catalog.to_dict())
            deselect(self._catalog, case.prefix + case.block, names_of(case)[DESELECTED[case.block]])

    def run(self) -> list[Message]:
        """Run, load the messages, and return them."""
        tap = self._tap()
        tap.sync_all()
        self.target.load(written(tap))
        return written(tap)

    def _tap(self) -> TapPigment:
        return TapPigment(
            config=self._config,
            catalog=self._catalog,
            state=self.target.state,
            message_writer=Recorder(),
            setup_mapper=True,
        )


def emitted_name(case: Case) -> str:
    return "loaded" if case.maps == "alias" else case.prefix + case.block


def loaded(target: MemoryTarget, case: Case) -> Counter[frozenset[tuple[str, Any]]]:
    """Return the rows in the target's table, as often as they are there."""
    return Counter(frozenset(row.items()) for row in target.live(emitted_name(case)))


def of_stream(messages: Sequence[Message], case: Case) -> list[Message]:
    return [message for message in of_type(messages, "RECORD") if message["stream"] == emitted_name(case)]


def changes_of(case: Case) -> int:
    has_no_value = case.block == "sales" and "narrow" in case.words
    changes = CHANGES_WITHOUT_VALUE if has_no_value else CHANGES[case.block]
    return changes * (2 if "scenarios" in case.words else 1)


def case_id(case: Case) -> str:
    return "-".join(filter(None, (case.block, case.changes, case.applications, *sorted(case.words))))


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_a_target_has_the_rows_of_the_model_before_and_after_edits(
    edited: EditedPigment, case: Case, tmp_path: Path
) -> None:
    runs = Runs(edited, case, tmp_path)

    runs.run()
    first = loaded(runs.target, case)
    edited.model = "after"
    messages = runs.run()

    left = LEFT_BY_FILES[case.block] if case.changes in FILES else []
    assert first == expected_rows(case, BEFORE[case.block])
    assert loaded(runs.target, case) == expected_rows(case, [*AFTER[case.block], *left])
    if case.changes == "row":
        assert len(of_stream(messages, case)) == changes_of(case)
    if "metadata" in case.words:
        assert_metadata(runs.target, case)


def assert_metadata(target: MemoryTarget, case: Case) -> None:
    """Check the metadata that the two runs left in the target."""
    blocks = {row["name"].lower(): row for row in target.live("pigment_blocks")}
    # Without ACTIVATE_VERSION, the row of a deleted block stays.
    assert ("old list" in blocks) == (case.changes in {"row", *FILES})
    assert "new list" in blocks
    assert {row["id"]: row["name"] for row in target.live("pigment_applications")} == {
        PLANNING_ID: "Planning",
        SHARING_ID: "Sharing",
    }
    extracted = {row["stream_name"] for row in blocks.values() if row["is_extracted"]}
    is_listed = case.block != "board" and (case.applications != "beside" or case.block == "customers")
    assert extracted == ({case.prefix + case.block} if is_listed else set())


def test_every_two_features_that_are_legal_together_are_in_the_table() -> None:
    wanted = {
        ((first, one), (second, other))
        for first, second in combinations(LEVELS, 2)
        for one, other in product(LEVELS[first], LEVELS[second])
        if is_legal(**{first: one, second: other})
    }

    covered = {pair for case in CASES for pair in combinations(case.chosen().items(), 2)}

    assert wanted - covered == set()
    assert all(is_legal(**case.chosen()) for case in CASES)


ROW = {"change_detection": "row", "snapshot_uri": "memory://snapshots"}
FILES_OF_ROWS = {"batch_config": {"encoding": {"format": "jsonl"}, "storage": {"root": "memory://files"}}}
BOTH_SCENARIOS = {"scenarios": [BASE.id, DOWNSIDE.id]}
A_SLICE, ANOTHER_SLICE = slices(Case.of("sales", "full", "one", "sliced"))
HIDES_DELETED_ROWS = (
    "change_detection: row marks a deleted row by its key and _sdc_deleted_at, which must pass unchanged. Remove it, "
    "or set change_detection to stream."
)
NOT_OF_A_LIST = (
    "scenarios: only a block of another kind takes it (allowed: dateFormat, decimalSeparator, encoding, "
    "fieldDelimiter, friendlyHeaders, listFilter, propertyFilters, propertyTechnicalNames). Remove it."
)
ALREADY_ALL = (
    'application_ids: "*" already means every application that the key sees. Remove the other ids, and application_id.'
)


def by_id(block_id: str, block_type: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON.
    """Return the setting for a block that need not be listed."""
    return {"stream_overrides": {block_id: {"block_type": block_type, **more}}}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {**FILES_OF_ROWS, "stream_maps": {"sales": {"a": "sales_SSSSSS"}}},
            (
                "batch_config: stream maps change single records, and BATCH files are written without them. Remove "
                "stream_maps, or batch_config."
            ),
        ),
        (
            {**FILES_OF_ROWS, **ROW},
            (
                "batch_config: change_detection: row emits changed and deleted rows as records. Remove batch_config, "
                "or set change_detection to stream."
            ),
        ),
        *(
            ({**ROW, "stream_maps": {"sales": {name: value}}}, f"stream_maps.sales.{name}: {HIDES_DELETED_ROWS}")
            for name, value in (
                ("__filter__", "True"),
                ("__key_properties__", ["years_YYYYYY"]),
                ("__else__", "__NULL__"),
                ("_sdc_deleted_at", "__NULL__"),
            )
        ),
        ({"application_ids": ["*"], "application_id": PLANNING_ID}, ALREADY_ALL),
        ({"application_ids": ["*", SHARING_ID]}, ALREADY_ALL),
        (
            {"metadata_streams": True, **by_id(SALES_ID, "Metric")},
            (
                "metadata_streams: no application is set, so there is nothing to list. Set application_id or "
                "application_ids, or remove metadata_streams."
            ),
        ),
        (
            by_id(BOARD_ID, "View", slices=[A_SLICE]),
            f"stream_overrides.{BOARD_ID}.slices: a view is exported as it is saved, and takes no slices. Remove them.",
        ),
        (
            by_id(BOARD_ID, "View", request=BOTH_SCENARIOS),
            (
                f"stream_overrides.{BOARD_ID}.request: a view is exported as it is saved, and takes no scenarios. "
                "Change the view in Pigment instead."
            ),
        ),
        (
            by_id(CUSTOMERS_ID, "DimensionList", request=BOTH_SCENARIOS),
            f"stream_overrides.{CUSTOMERS_ID}.request.{NOT_OF_A_LIST}",
        ),
        (
            by_id(SALES_ID, "Metric", slices=[A_SLICE, A_SLICE]),
            (
                f"stream_overrides.{SALES_ID}.slices[1]: it exports the same rows as slices[0], which would come "
                "twice. Remove one of them."
            ),
        ),
        (
            by_id(SALES_ID, "Metric", headers="friendly", request={"friendlyHeaders": True}),
            (
                f"stream_overrides.{SALES_ID}.request.friendlyHeaders: the tap sets it. Remove it, and set headers: "
                "friendly in the override."
            ),
        ),
    ],
)
def test_settings_that_exclude_each_other_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigValidationError) as caught:
        TapPigment(config={"api_key": KEY, **by_id(PLAN_ID, "Table"), **given}, setup_mapper=False)

    assert caught.value.errors == [message]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"stream_overrides": {"customers": {"request": BOTH_SCENARIOS}}}, f"customers.request.{NOT_OF_A_LIST}"),
        (
            {"block_types": ["View"], "stream_overrides": {"board": {"slices": [A_SLICE]}}},
            "board.slices: a view is exported as it is saved, and takes no slices. Remove them.",
        ),
        (
            by_id(SALES_ID, "Table"),
            (
                f"{SALES_ID}.block_type: Pigment lists the block as Metric, and the setting says Table. Set it to "
                "Metric, or remove it."
            ),
        ),
        (
            {"metadata_streams": True, "stream_overrides": {"journal": {"name": "pigment_blocks"}}},
            "two streams have the name pigment_blocks; upper and lower case make no difference. Rename one of them.",
        ),
        (
            {"metadata_streams": True, "stream_maps": {"journal": {"__alias__": "pigment_blocks"}}},
            (
                "two streams would be emitted as pigment_blocks; upper and lower case make no difference. Set "
                "__alias__ to another name."
            ),
        ),
        (
            {"headers": "friendly", "stream_overrides": {"journal": {"key_columns": ["memo_MMMMMM"]}}},
            "journal.key_columns: no column memo_MMMMMM in the export. Its columns: amount, memo, region.",
        ),
        (
            {"stream_overrides": {"plan": {"slices": [{"scenarios": [BASE.id]}, ANOTHER_SLICE]}}},
            (
                "plan: the header of slices[1] is not that of slices[0]: it lacks scenario_QLQHPW. Nothing was "
                "emitted. Correct stream_overrides.plan.slices, so that all request the same columns."
            ),
        ),
        (
            {"stream_overrides": {"plan": {"request": BOTH_SCENARIOS, "key_columns": ["regions_RRRRRR"]}}},
            (
                "plan: 8 of 8 rows share a key (regions_RRRRRR), first at row 1. Set stream_overrides.plan.key_columns "
                "to the columns that identify a row, or to [] for none."
            ),
        ),
    ],
)
def test_what_does_not_fit_the_blocks_is_refused(edited: EditedPigment, given: dict[str, Any], message: str) -> None:
    config = {"api_url": edited.url, "api_key": KEY, "application_id": PLANNING_ID, "on_stream_error": "stop"}

    with pytest.raises(PigmentError) as caught:
        TapPigment(config={**config, **given}, message_writer=Recorder(), setup_mapper=True).sync_all()

    assert str(caught.value).endswith(message)

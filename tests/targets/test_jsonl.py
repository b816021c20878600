"""What is in the files of target-jsonl, which writes records as the tap does."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.targets.company import TEXTS
from tests.targets.environments import command
from tests.targets.pipeline import run_pipeline

if TYPE_CHECKING:
    from tests.targets.pigment import Pigment

Files = dict[str, list[dict[str, Any]]]

JOURNAL = ("text_AAAAAA", "amount_BBBBBB", "day_CCCCCC", "open_DDDDDD")


@pytest.fixture(scope="module")
def files(pigment: Pigment, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Run the tap into target-jsonl and return the records of each stream."""
    folder = tmp_path_factory.mktemp("jsonl")
    output = folder / "output"
    config = {"destination_path": str(output), "do_timestamp_file": False}
    run_pipeline(pigment.config, command("target-jsonl"), config, folder)
    return {
        path.stem: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in output.iterdir()
    }


def test_texts_arrive_to_the_byte(files: Files) -> None:
    assert [record["note_BBBBBB"] for record in files["cities"]] == list(TEXTS)


def test_every_row_is_in_the_file_with_its_types(files: Files) -> None:
    rows = Counter(json.dumps([record[name] for name in JOURNAL]) for record in files["journal"])
    assert rows == {
        '["same", 10.5, "2026-01-31", true]': 4,
        "[null, null, null, null]": 2,
        '["first day", 1e-05, "0001-01-01", false]': 1,
        '["last day", 1.7976931348623157e+308, "9999-12-31", false]': 1,
        '["whole", 9007199254740993, null, null]': 1,
        '["negative", -0.1, "2024-02-29", null]': 1,
    }


def test_records_of_a_stream_without_key_carry_hash_and_number(pigment: Pigment, files: Files) -> None:
    numbered = Counter((record["contentHash"], record["occurrence"]) for record in files["journal"])
    times = Counter(pigment.export("Journal").hashes())
    assert numbered == Counter((content, number) for content, count in times.items() for number in range(1, count + 1))


def test_a_blank_cell_of_a_key_is_an_empty_text(files: Files) -> None:
    assert [record["people_AAAAAA"] for record in files["plan"]] == ["Ada", ""]

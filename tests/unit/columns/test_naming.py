"""Names of streams and columns: examples, then laws."""

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_pigment.columns import (
    NamedBlock,
    column_names,
    file_name_problem,
    slug,
    snake_case,
    stream_names,
    without_technical_suffix,
)

ID = "3f2a9c1e-5b6d-4e7f-8a90-000000000001"
OTHER_ID = "77b0d2c4-5b6d-4e7f-8a90-000000000002"
RESERVED = {"contentHash", "occurrence", "_sdc_deleted_at"}
RESERVED_IN_ANY_CASE = {"contenthash", "occurrence", "_sdc_deleted_at"}


def list_name(name: str, prefix: str = "") -> str:
    return stream_names([NamedBlock(ID, name, "list", prefix)])[ID]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Countries", "countries"),
        ("Éléments de coût", "elements_de_cout"),
        ("2026 Budget", "_2026_budget"),
        ("P&L -- v1.2/Q3", "p_l_v1_2_q3"),
        ("Sales [all]*?", "sales_all"),
        ("  __Hidden__ ", "hidden"),
        ("🎉 Launch 🎉", "launch"),
        ("\uff26\uff35\uff2c\uff2c width Ⅷ", "full_width_viii"),
        ("line\nbreak\ttab", "line_break_tab"),
        ("***", "list_3f2a9c1e"),
        ("🎉", "list_3f2a9c1e"),
        ("日本", "list_3f2a9c1e"),
        ("", "list_3f2a9c1e"),
        ("x" * 200, "x" * 63),
        ("x" * 62 + " y", "x" * 62),
    ],
)
def test_a_stream_is_named_after_its_block(name: str, expected: str) -> None:
    assert list_name(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Countries", "finance_countries"),
        ("2026", "finance_2026"),
        ("***", "finance_list_3f2a9c1e"),
        ("x" * 200, "finance_" + "x" * 55),
    ],
)
def test_an_application_is_a_prefix_of_its_streams(name: str, expected: str) -> None:
    assert list_name(name, prefix="finance") == expected


def test_blocks_with_one_name_get_a_suffix_from_their_ids() -> None:
    blocks = [
        NamedBlock(ID, "Plan", "table"),
        NamedBlock(OTHER_ID, "plan!", "metric"),
        NamedBlock("a", "Sales", "list"),
    ]

    names = stream_names(blocks)

    assert names == {ID: "plan_3f2a9c1e", OTHER_ID: "plan_77b0d2c4", "a": "sales"}


def test_names_with_the_same_63_characters_get_a_suffix_too() -> None:
    names = stream_names([NamedBlock(ID, "x" * 63 + "a", "list"), NamedBlock(OTHER_ID, "x" * 63 + "b", "list")])

    assert names == {ID: "x" * 54 + "_3f2a9c1e", OTHER_ID: "x" * 54 + "_77b0d2c4"}


def test_a_name_with_a_suffix_is_not_used_twice() -> None:
    third_id = "c0ffee00-5b6d-4e7f-8a90-000000000003"
    blocks = [
        NamedBlock(ID, "Plan", "table"),
        NamedBlock(OTHER_ID, "Plan", "table"),
        NamedBlock(third_id, "Plan 3f2a9c1e", "table"),
    ]

    names = stream_names(blocks)

    assert len(set(names.values())) == 3
    assert names[OTHER_ID] == "plan_77b0d2c4"
    assert names[third_id] == "plan_3f2a9c1e_c0ffee00"


def test_a_block_with_a_reserved_name_gets_a_suffix() -> None:
    blocks = [NamedBlock(ID, "Pigment Blocks", "list"), NamedBlock(OTHER_ID, "Plan", "table")]

    names = stream_names(blocks, {"pigment_blocks"})

    assert names == {ID: "pigment_blocks_3f2a9c1e", OTHER_ID: "plan"}


def test_ids_with_the_same_start_give_two_names() -> None:
    ids = ("3f2a9c1e-0000-4000-8000-000000000001", "3f2a9c1e-ffff-4000-8000-000000000001")

    names = stream_names(NamedBlock(block_id, "Plan", "table") for block_id in ids)

    assert names == {ids[0]: "plan_3f2a9c1e_0000_40", ids[1]: "plan_3f2a9c1e_ffff_40"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["departments_ITJAES", "_month_GDBAK8"], ["departments_ITJAES", "_month_GDBAK8"]),
        (["Étage", "code lié", "🎉"], ["Étage", "code lié", "🎉"]),
        (["a.b", "c[d]", "e*?", "f\0g"], ["a_b", "c_d_", "e__", "f_g"]),
        (["a", "a", "a"], ["a", "a_2", "a_3"]),
        (["a", "a", "a_2"], ["a", "a_3", "a_2"]),
        (["a_2", "a", "a", "a_3"], ["a_2", "a", "a_4", "a_3"]),
        (["a.b", "a_b"], ["a_b", "a_b_2"]),
        (["A", "a"], ["A", "a_2"]),
        (["ß", "SS"], ["ß", "SS_2"]),
        (["name", "Name_2", "Name"], ["name", "Name_2", "Name_3"]),
        (["contentHash", "occurrence", "_sdc_deleted_at"], ["contentHash_2", "occurrence_2", "_sdc_deleted_at_2"]),
        (["contentHash", "contentHash_2"], ["contentHash_3", "contentHash_2"]),
        (["CONTENTHASH", "Occurrence"], ["CONTENTHASH_2", "Occurrence_2"]),
        (["", "x", ""], ["column_1", "x", "column_3"]),
        (["column_2", ""], ["column_2", "column_2_2"]),
    ],
)
def test_a_technical_header_is_kept_if_possible(headers: list[str], expected: list[str]) -> None:
    assert column_names(headers, friendly=False) == tuple(expected)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["Total Coût (€)", "2026"], ["total_cout", "_2026"]),
        (["Amount", "amount", "AMOUNT"], ["amount", "amount_2", "amount_3"]),
        (["🎉", "***", ""], ["column_1", "column_2", "column_3"]),
        (["Occurrence", "contentHash"], ["occurrence_2", "contenthash_2"]),
    ],
)
def test_a_display_name_becomes_snake_case(headers: list[str], expected: list[str]) -> None:
    assert column_names(headers, friendly=True) == tuple(expected)


LONG = "total_cost_of_ownership_including_depreciation_and_all_overheads_in_eur_budget"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (
            [f"{LONG}_BBBBB1", f"{LONG}_BBBBB2"],
            [
                "total_cost_of_ownership_including_depreciation_and_all_o_BBBBB1",
                "total_cost_of_ownership_including_depreciation_and_all_o_BBBBB2",
            ],
        ),
        (["x" * 56 + "_ABC123"], ["x" * 56 + "_ABC123"]),
        (["x" * 57 + "_ABC123"], ["x" * 56 + "_ABC123"]),
        (["x" * 55 + "__y_ABC123"], ["x" * 55 + "_ABC123"]),
        (["x" * 63], ["x" * 63]),
        (["x" * 64] * 2, ["x" * 54 + "_7ce10097", "x" * 52 + "_7ce10097_2"]),
        (["é" * 28 + "_ABC123"], ["é" * 28 + "_ABC123"]),
        (["xé" * 19 + "_ABC123"], ["xé" * 18 + "x_ABC123"]),
        (["x" * 80 + "_ABC123"] * 3, ["x" * 56 + "_ABC123", "x" * 54 + "_ABC123_2", "x" * 54 + "_ABC123_3"]),
        (["x" * 63, "X" * 63], ["x" * 63, "X" * 52 + "_f7b6b946_2"]),
    ],
)
def test_a_long_technical_name_is_cut_and_keeps_its_suffix(headers: list[str], expected: list[str]) -> None:
    assert column_names(headers, friendly=False) == tuple(expected)


def test_a_long_display_name_ends_with_a_hash_of_its_whole_name() -> None:
    headers = [f"{LONG.replace('_', ' ')}, {currency} (ABC123)" for currency in ("EUR", "USD")]

    assert column_names(headers, friendly=True) == (
        "total_cost_of_ownership_including_depreciation_and_all_9098004e",
        "total_cost_of_ownership_including_depreciation_and_all_63ab9620",
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Departments", "departments"), ("P&L 2026", "p_l_2026"), ("(TBH) Active?", "_tbh__active_"), ("É", "_")],
)
def test_a_slug_has_one_underscore_for_each_other_character(name: str, expected: str) -> None:
    assert slug(name) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("sales_ABC123", "sales"),
        ("sales_abc123", "sales_abc123"),
        ("sales_ABC1234", "sales_ABC1234"),
        ("sales", "sales"),
    ],
)
def test_a_technical_suffix_is_six_upper_case_letters_or_digits(header: str, expected: str) -> None:
    assert without_technical_suffix(header) == expected


# Few names and few letters, so that names collide; long ones, so that they are shortened; and any text.
NAMES = st.one_of(
    st.sampled_from(["Plan", "plan", "Plan!", "🎉", "", "2026", "Plan 3f2a9c1e", "x" * 63, "x" * 200]),
    st.text(alphabet="aA é._-1🎉", max_size=5),
    st.text(max_size=80),
)
IDS = st.one_of(
    st.uuids().map(str),
    st.builds("3f2a9c1e-{:04x}-4000-8000-000000000001".format, st.integers(0, 3)),
    st.text(alphabet="aA-_", min_size=1, max_size=20),
)
PREFIXES = st.one_of(st.just(""), st.text(max_size=80).map(snake_case))
BLOCKS = st.lists(
    st.builds(NamedBlock, IDS, NAMES, st.sampled_from(["list", "metric", "table", "view"]), PREFIXES),
    max_size=12,
    unique_by=lambda block: block.id,
)


@given(BLOCKS)
def test_stream_names_are_unique_and_valid_in_every_target(blocks: list[NamedBlock]) -> None:
    names = stream_names(blocks)

    assert names.keys() == {block.id for block in blocks}
    assert len(set(names.values())) == len(blocks)
    for name in names.values():
        assert re.fullmatch(r"[a-z_][a-z0-9_]*", name)
        assert len(name) <= 63


@given(st.data(), BLOCKS)
def test_stream_names_do_not_depend_on_the_order_of_blocks(data: st.DataObject, blocks: list[NamedBlock]) -> None:
    shuffled = data.draw(st.permutations(blocks))

    assert stream_names(shuffled) == stream_names(blocks)


@given(st.uuids(), st.uuids(), st.text(max_size=80))
def test_a_unique_name_does_not_depend_on_the_id(first: UUID, second: UUID, name: str) -> None:
    words = f"Plan {name}"

    (one,) = stream_names([NamedBlock(str(first), words, "table")]).values()
    (other,) = stream_names([NamedBlock(str(second), words, "table")]).values()

    assert one == other


HEADERS = st.lists(
    st.one_of(
        st.sampled_from(["a", "A", "a_2", "a_2_2", "a_3", "a.b", "a_b", "", "column_1", "column_2", *RESERVED]),
        st.sampled_from(["contentHash_2", "occurrence_2", "Occurrence"]),
        st.sampled_from(["x" * 63, "X" * 64, "é" * 32, "🎉" * 40 + "_ABC123", "é" * 40 + "_ABC123"]),
        st.text(max_size=10),
        st.text(max_size=80),
        st.builds("{}_{}".format, st.text(min_size=50, max_size=90), st.sampled_from(["ABC123", "ABC124"])),
    ),
    max_size=12,
)


@given(HEADERS, st.booleans())
def test_column_names_are_unique_without_regard_to_case(headers: list[str], friendly: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis.
    names = column_names(headers, friendly=friendly)

    assert len(names) == len(headers)
    assert len({name.casefold() for name in names} | RESERVED_IN_ANY_CASE) == len(names) + 3
    assert "" not in names
    assert not re.search(r"[.\[\]*?\0]", "".join(names))
    assert max([len(name.encode()) for name in names], default=0) <= 63


@given(HEADERS, st.data(), st.booleans())
def test_a_name_without_conflicts_does_not_depend_on_other_columns(
    headers: list[str],
    data: st.DataObject,
    friendly: bool,  # noqa: FBT001 - drawn by Hypothesis.
) -> None:
    header = data.draw(st.sampled_from([f"{LONG}_BBBBB1", "Ünit " * 20, "q" * 63, "Plan 7"]))

    (alone,) = column_names([header], friendly=friendly)
    name = column_names([*headers, header], friendly=friendly)[-1]

    assert name == alone


@given(
    st.lists(
        st.text(min_size=1, max_size=15).filter(lambda text: not set(text) & set(".[]*?\0")),
        unique_by=lambda text: text.casefold(),
    )
)
def test_technical_headers_without_conflicts_are_kept(headers: list[str]) -> None:
    headers = [header for header in headers if header.casefold() not in RESERVED_IN_ANY_CASE]

    assert column_names(headers, friendly=False) == tuple(headers)


FEW_NAMES = st.lists(st.sampled_from(["Revenue (€)", "Revenue ($)", "revenue", "Cost", "COST", "cost_2"]), unique=True)


@given(st.lists(FEW_NAMES, min_size=2, max_size=4))
def test_a_column_keeps_its_name_in_later_runs(runs: list[list[str]]) -> None:
    known: dict[str, str] = {}

    for headers in runs:
        names = dict(zip(headers, column_names(headers, friendly=True, known=known), strict=True))

        assert len({name.casefold() for name in names.values()}) == len(headers)
        assert {header: names[header] for header in headers if header in known}.items() <= known.items()
        known = {header: name for header, name in known.items() if name not in names.values()} | names


@pytest.mark.parametrize(
    ("known", "headers", "expected"),
    [
        pytest.param({"revenue": "revenue"}, ["Revenue", "revenue"], ["revenue_2", "revenue"], id="a new one in front"),
        pytest.param({"Tax rate": "tax_rate"}, ["Tax Rate"], ["tax_rate"], id="another case"),
        pytest.param({"P&L": "p_l"}, ["P & L", "Cost"], ["p_l", "cost"], id="other punctuation"),
        pytest.param(
            {"Tax rate": "tax_rate"}, ["Tax Rate", "TAX RATE"], ["tax_rate_2", "tax_rate_3"], id="two for one"
        ),
        pytest.param({"Cost": "cost_2"}, ["Cost", "cost"], ["cost_2", "cost"], id="a number is kept"),
        pytest.param({"Month": "Month"}, ["Month"], ["month"], id="a technical name"),
        pytest.param({"": "column_2"}, ["a", ""], ["a", "column_2"], id="no name"),
    ],
)
def test_display_names_get_the_names_of_earlier_runs(
    known: dict[str, str], headers: list[str], expected: list[str]
) -> None:
    assert column_names(headers, friendly=True, known=known) == tuple(expected)


def test_technical_names_ignore_those_of_display_names() -> None:
    assert column_names(["Month"], friendly=False, known={"Month": "month"}) == ("Month",)


@pytest.mark.parametrize("name", ["countries", "Länder 2", "a-b.c", "..a", "x" * 150])
def test_files_may_be_named_after_most_streams(name: str) -> None:
    assert file_name_problem(name) is None


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../esc", "/etc/x", "a\\b", "a\0", "a\nb", "a\u202eb", "\ud800"]
)
def test_no_files_are_named_after_what_is_a_path_or_not_printable(name: str) -> None:
    assert file_name_problem(name) == "it is not the name of a file"


def test_no_files_are_named_after_a_stream_with_a_very_long_name() -> None:
    assert file_name_problem("x" * 151) == file_name_problem("é" * 76) == "it is longer than 150 bytes"

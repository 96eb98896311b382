"""The formulas that the look-alike of Airtable filters by: what they say, and those it does not understand."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pyairtable import formulas as made

from tallybook.testing.airtable_fields import (
    checkbox,
    date,
    date_time,
    formula,
    link,
    lookup,
    number,
    select,
    selects,
    text,
)
from tallybook.testing.airtable_server import AirtableServer, OpenTable
from tests.testing.airtables import NOWHERE, Clock, api, refusal

ROWS: list[dict[str, Any]] = [
    {"Name": "Ada", "Score": 7.5, "Status": "New", "Tags": ["red"], "On": True, "At": "2025-01-01T10:00:00Z"},
    {"Name": "Bea", "Score": 0, "Status": "Old", "Tags": ["red", "blue"], "At": "2025-01-02T10:00:00Z"},
    {"Name": "ada", "Score": -1, "Day": "2025-05-01", "Friend": ["Ada"], "a}b": "x", "Odd": ["a, b"]},
    {},
]
NOBODY = ""


@pytest.fixture(scope="module")
def people() -> Iterator[tuple[AirtableServer, OpenTable]]:
    clock = Clock()
    with AirtableServer(now=clock) as server:
        columns = [
            text("Name"),
            number("Score", 1),
            select("Status", "New", "Old"),
            selects("Tags", "red", "blue"),
            checkbox("On"),
            date_time("At"),
            date("Day"),
            text("a}b"),
            link("Friend", "People"),
            lookup("Scores", "Friend", "Score"),
            selects("Odd", "a, b"),
        ]
        table = server.add_base("Base").add_table("People", columns)
        for row in ROWS:
            table.add(row)
            clock.move(3_600)
        yield server, table


def found(people: tuple[AirtableServer, OpenTable], formula: str | made.Formula) -> str:
    """The places, from 0, of the rows that it is true of."""
    server, table = people
    records = api(server).table(server.base("Base").id, "People").all(formula=formula)
    return "".join(str(table.ids.index(record["id"])) for record in records)


@pytest.mark.parametrize(
    ("formula", "rows"),
    [
        ("1", "0123"),
        ("0", NOBODY),
        ("''", NOBODY),
        ("'x'", "0123"),
        # texts
        ("{Name} = 'Ada'", "0"),
        ('{Name}="Ada"', "0"),
        ("Name = 'Ada'", "0"),
        ("'Ada' = {Name}", "0"),
        ("{Name} != 'Ada'", "123"),
        ("LOWER({Name}) = 'ada'", "02"),
        ("UPPER(Name) = 'ADA'", "02"),
        ("{Name} & '!' = 'Bea!'", "1"),
        ("{Name} & {Score} = 'Ada7.5'", "0"),
        ("LEN({Name}) = 3", "012"),
        ("{At} & '' = '2025-01-01T10:00:00.000Z'", "0"),
        ("{Name} & {Score} / 1 = 'ada-1'", "2"),
        ("FIND('d', {Name})", "02"),
        ("FIND('A', {Name}) = 1", "0"),
        ("FIND('a', {Name}, 2) = 3", "012"),
        ("SEARCH('A', {Name}) = 1", "02"),
        ("SEARCH('z', {Name}) = BLANK()", "0123"),
        ("LEFT({Name}, 2) = 'Ad'", "0"),
        ("RIGHT({Name}, 2) = 'da'", "02"),
        ("MID({Name}, 2, 1) = 'e'", "1"),
        ("TRIM(' Ada ') = {Name}", "0"),
        ("SUBSTITUTE({Name}, 'A', 'a') = 'ada'", "02"),
        ("CONCATENATE({Name}, '-', 1) = 'Ada-1'", "0"),
        ("EXACT({Name}, 'ada')", "2"),
        ("REGEX_MATCH({Name}, '^[Aa]')", "02"),
        # nothing
        ("{Name} = ''", "3"),
        ("{Name} = BLANK()", "3"),
        ("{Name}", "012"),
        ("NOT({Name})", "3"),
        ("{Status} = BLANK()", "23"),
        ("{Score} = BLANK()", "13"),
        ("{Score} = ''", "3"),
        ("{Tags} = ''", "23"),
        ("{At} = BLANK()", "23"),
        # numbers
        ("{Score} > 0", "0"),
        ("{Score} >= 0", "013"),
        ("{Score} < 0", "2"),
        ("{Score}<=0", "123"),
        ("{Score} = 7.5", "0"),
        ("{Score} = -1", "2"),
        ("{Score} - 1 = -2", "2"),
        ("{Score} * 2 + 1 = 16", "0"),
        ("{Score} * (2 + 1) = 22.5", "0"),
        ("{Score} / 2 = 3.75", "0"),
        ("10 - 4 - 3 = 3", "0123"),
        ("1 / {Score} > 0", "0"),
        ("VALUE('1,000') = 1000", "0123"),
        ("ABS({Score}) = 1", "2"),
        (f"INT({'9' * 5_000}) = 1", NOBODY),
        ("ROUND(1, 999) = 1", NOBODY),
        ("ROUND(1, -999) = 1", NOBODY),
        (f"{'9' * 400} * 2", NOBODY),
        ("DATEADD(NOW(), 999999999, 'weeks') = NOW()", NOBODY),
        ("INT({Score}) = 7", "0"),
        ("ROUND({Score}) = 8", "0"),
        ("ROUND(2.345, 2) = 2.35", "0123"),
        ("SUM({Score}, 1, 2) = 2", "2"),
        ("MAX({Score}, 1) = 7.5", "0"),
        ("MIN({Score}, 1) = -1", "2"),
        # logic
        ("AND({Score} > -5, {Name})", "012"),
        ("OR({Name} = 'Ada', {Name} = 'Bea', 0)", "01"),
        ("XOR({Name} = 'Ada', {Score} > 0)", NOBODY),
        ("IF({Name} = 'Ada', 1, {Status} = 'Old')", "01"),
        ("IF({Name} = 'Ada', 1)", "0"),
        ("TRUE()", "0123"),
        ("FALSE()", NOBODY),
        ("and({Name}, not(0))", "012"),
        # checkboxes, options, links
        ("{On}", "0"),
        ("{On} = TRUE()", "0"),
        ("{On} = 0", "123"),
        ("NOT({On})", "123"),
        ("{Status} = 'New'", "0"),
        ("{Tags} = 'red'", "0"),
        ("{Tags} = 'red, blue'", "1"),
        ("FIND('blue', {Tags})", "1"),
        ("ARRAYJOIN({Tags}, '+') = 'red+blue'", "1"),
        ("ARRAYJOIN({Name}) = 'Ada'", "0"),
        ("{Friend} = 'Ada'", "2"),
        ("{Scores} > 7", "2"),
        ("SUM({Scores}) = 7.5", "2"),
        (r"{a\}b} = 'x'", "2"),
        # times
        ("IS_AFTER({At}, DATETIME_PARSE('2025-01-02'))", "1"),
        ("IS_BEFORE({At}, DATETIME_PARSE('2025-01-02T00:00:00.000Z'))", "0"),
        ("NOT(IS_BEFORE({At}, '2025-01-02'))", None),
        ("OR({At} = BLANK(), IS_BEFORE({At}, DATETIME_PARSE('2025-01-02')))", "023"),
        ("IS_SAME({At}, DATETIME_PARSE('2025-01-01T23:00:00'), 'day')", "0"),
        ("IS_SAME({At}, DATETIME_PARSE('2025-01-01T10:00:00'))", "0"),
        ("IS_SAME({Day}, DATETIME_PARSE('2025-05-01'))", "2"),
        ("{Day} = DATETIME_PARSE('2025-05-01')", "2"),
        ("IF({At}, {At} > DATETIME_PARSE('2025-01-01T12:00:00Z'))", "1"),
        ("DATETIME_DIFF({At}, DATETIME_PARSE('2025-01-01'), 'hours') = 10", "0"),
        ("DATETIME_DIFF({At}, DATETIME_PARSE('2025-01-01')) = 36000", "0"),
        ("DATEADD({At}, 1, 'day') = DATETIME_PARSE('2025-01-02T10:00:00Z')", "0"),
        ("IF({At}, DATEADD({At}, -1, 'weeks') < DATETIME_PARSE('2024-12-26'))", "0"),
        ("IS_AFTER(CREATED_TIME(), DATETIME_PARSE('2025-05-01T13:30:00Z'))", "23"),
        ("LAST_MODIFIED_TIME() = CREATED_TIME()", "0123"),
        ("IS_BEFORE(CREATED_TIME(), NOW())", "0123"),
        ("IS_SAME(TODAY(), {Day}, 'day')", "2"),
        ("DATETIME_PARSE(BLANK()) = BLANK()", "0123"),
    ],
)
def test_a_filter_finds_the_records_it_is_true_of(
    formula: str, rows: str | None, people: tuple[AirtableServer, OpenTable]
) -> None:
    if rows is None:
        assert refusal(lambda: found(people, formula))[1] == "INVALID_FILTER_BY_FORMULA"
    else:
        assert found(people, formula) == rows


@pytest.mark.parametrize(
    ("formula", "why"),
    [
        ("{Nothing} = 1", "Unknown field names: nothing"),
        ("AND({Name}, {Odd One}, Other)", "Unknown field names: odd one, other"),
        ("SWITCH({Name}, 'a', 1)", "Unknown function names: SWITCH"),
        ("NOTHING()", "Unknown function names: NOTHING"),
        *(
            (formula, "Invalid formula. Please check your formula text.")
            for formula in (
                "{Name} = ",
                "= 1",
                "{Name",
                "'open",
                "{Name} = 'O'Brien'",
                "AND({Name}",
                "AND({Name} {Score})",
                "AND(,)",
                "AND()",
                "NOT(1, 2)",
                "IF(1)",
                "1 2",
                "()",
                "1 % 2",
                "{Name} = “Ada”",
                r"{Name} = '\d'",
                r"{a\}b\}c} = 1",
                "{Name} > 5",
                "{Name} + 1",
                "REGEX_MATCH({Name}, '[')",
                "DATEADD({At}, 1, 'months')",
                "DATETIME_DIFF({At}, {At}, 'years')",
                "IS_SAME({At}, {At}, 'month')",
                "IS_AFTER({Score}, {At})",
                "{" + "\\" * 5_000,
                r"{Name\}",
                "(" * 100 + "1" + ")" * 100,
                "-" * 5_000 + "1",
                "+".join("1" * 5_000),
                # what Airtable may answer otherwise
                "LEN({Name} & '😀') = 4",
                "LEFT('😀', 1) = '😀'",
                "RIGHT('😀', 1) = '😀'",
                "MID('😀', 1, 1) = '😀'",
                "FIND('', {Name})",
                "SUBSTITUTE({Name}, '', '-') = '-'",
                "VALUE('12%') = 0.12",
                "VALUE({Name}) = 1",
                "VALUE('١') = 1",
                "DATETIME_PARSE('March 3, 2024') = NOW()",
                "DATETIME_PARSE('') = BLANK()",
                "REGEX_MATCH({Name}, '(?=A)')",
                r"REGEX_MATCH({Name}, '(a)\\1')",
                "REGEX_MATCH({Name}, '[[:alpha:]]')",
                "REGEX_MATCH({Name}, 'a++')",
                "{Tags} = 'a, \"b\"' & ARRAYJOIN({Odd})",
                "١ = 1",
            )
        ),
        ("{Score} = '7.5'", "Invalid formula. A comparison of different types is not certain."),
        ("{At} = '2025-01-01'", "Invalid formula. A comparison of different types is not certain."),
        ("{At} > DATETIME_PARSE('2025-01-01')", "Invalid formula. A comparison with an empty time is not certain."),
    ],
)
def test_a_formula_that_is_not_understood_is_refused(
    formula: str, why: str, people: tuple[AirtableServer, OpenTable]
) -> None:
    assert refusal(lambda: found(people, formula)) == (
        422,
        "INVALID_FILTER_BY_FORMULA",
        f"The formula for filtering records is invalid: {why}",
    )


def test_a_list_whose_names_may_be_quoted_in_a_formula_is_not_compared(airtable: AirtableServer) -> None:
    table = airtable.add_base("Base").add_table("People", [text("Name"), link("Friend", "People")])
    friend = table.add({"Name": "Lovelace, Ada"})
    table.add({"Name": "Bea", "Friend": [friend]})
    listed = api(airtable).table(airtable.base("Base").id, "People")
    assert refusal(lambda: listed.all(formula="{Friend} = 'Lovelace, Ada'"))[1] == "INVALID_FILTER_BY_FORMULA"
    assert [row["fields"].get("Friend") for row in listed.all()] == [None, [friend]]


def test_a_formula_that_refers_to_itself_is_an_error_and_no_silence(airtable: AirtableServer) -> None:
    table = airtable.add_base("Base").add_table("People", [text("Name"), formula("One", "1"), formula("Two", "{One}")])
    table.retype_field("One", formula("One", "{Two} + 1"))
    table.add({"Name": "Ada"})
    listed = api(airtable).table(airtable.base("Base").id, "People")
    assert listed.all()[0]["fields"] == {"Name": "Ada", "One": {"error": "#ERROR!"}, "Two": {"error": "#ERROR!"}}
    assert refusal(lambda: listed.all(formula="{Two} = 1"))[1] == "INVALID_FILTER_BY_FORMULA"


def test_what_the_client_makes_is_understood(people: tuple[AirtableServer, OpenTable]) -> None:
    name, score, at = made.Field("Name"), made.Field("Score"), made.Field("At")
    moment = datetime(2025, 1, 2, 10, tzinfo=UTC)
    assert found(people, made.match({"Name": "Ada", "Score": 7.5, "On": True})) == "0"
    assert found(people, made.match({"Name": "Bea", "Score": ("<", 0)}, match_any=True)) == "12"
    assert found(people, name.eq("Ada") | ~(score.lt(0) | score.gte(0))) == "0"
    assert found(people, made.match({"At": moment})) == "1"
    assert found(people, made.IS_SAME(at, made.DATETIME_PARSE("2025-01-02"), "day")) == "1"
    assert found(people, made.AND(made.FIND("e", name), made.NOT(made.EQ(name, "ada")))) == "1"
    assert found(people, made.OR(name.eq("Ada"), name.eq("Bea")) & score.ne(0) & made.LEN(name).gt(2)) == "0"


def test_records_are_found_by_id(people: tuple[AirtableServer, OpenTable]) -> None:
    ids = people[1].ids
    assert found(people, f"RECORD_ID() = '{ids[2]}'") == "2"
    assert found(people, made.OR(*[made.RECORD_ID().eq(one) for one in (ids[3], NOWHERE, ids[0], ids[0])])) == "03"
    assert found(people, made.OR(made.RECORD_ID().eq(ids[3]), made.match({"Name": "Ada"}))) == "03"
    assert found(people, made.OR(made.RECORD_ID().eq(ids[3]), made.match({"Score": 0}))) == "13"
    assert found(people, made.AND(made.RECORD_ID().eq(ids[0]), made.match({"Score": 0}))) == NOBODY
    assert found(people, f"'{ids[1]}' = RECORD_ID()") == "1"
    assert found(people, f"RECORD_ID() != '{ids[1]}'") == "023"


@pytest.mark.parametrize("value", ["'", '"', "{", "}", "\\", "\\'", "a\\nb", "😀", "a\nb\tc", "', 1, '", "{Name}"])
def test_awkward_texts_are_compared_as_they_are(value: str, people: tuple[AirtableServer, OpenTable]) -> None:
    """F16"""
    table = people[1]
    record_id = table.add({"Name": value})
    try:
        assert found(people, made.match({"Name": value})) == "4"
        double = value.replace("\\", "\\\\").replace('"', '\\"')
        assert found(people, f'FIND("{double}", {{Name}}) = 1') == "4"
    finally:
        table.delete(record_id)

"""What becomes of lead files as people really have them: what is taken, what is left out, and what is said about it."""

import json
from pathlib import Path

import pytest

from tallybook.domain.errors import BadInput, ImportRefused
from tallybook.domain.lead import Lead, Position, Post, lead_id_of_url
from tallybook.stores.lead_files import read_leads, read_mapping
from tallybook.stores.tabular import BadRow

DATA = Path(__file__).parent / "data"


def leads_of(text: str, **mapping: str) -> list[Lead]:
    return read_leads(text.encode(), mapping).rows


def only(text: str, **mapping: str) -> Lead:
    (lead,) = leads_of(text, **mapping)
    return lead


def refusal(data: bytes, **mapping: str) -> str:
    with pytest.raises(ImportRefused) as caught:
        read_leads(data, mapping)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# LinkedIn's own export


def test_connections_csv_is_read_past_its_notes() -> None:
    read = read_leads((DATA / "connections.csv").read_bytes())
    assert [lead.lead_id for lead in read.rows] == [
        "linkedin.test/in/ada-quill",
        "linkedin.test/in/björn-ångström",
        "linkedin.test/in/chen-wei",
        "linkedin.test/in/dora",
    ]
    assert read.bad == [BadRow(9, "no profile URL")]


def test_a_position_of_connections_csv_is_the_headline_and_with_the_company_the_only_job() -> None:
    bjorn = read_leads((DATA / "connections.csv").read_bytes()).rows[1]
    assert bjorn.full_name == "Björn Ångström, PhD"
    assert bjorn.headline == 'Partner, "Tax"'
    assert bjorn.positions == (Position('Partner, "Tax"', "Nordlys AS"),)


def test_quotes_inside_an_unquoted_cell_are_literal() -> None:
    dora = read_leads((DATA / "connections.csv").read_bytes()).rows[3]
    assert dora.full_name == 'Dora O"Brien 6" tall'
    assert dora.positions == (Position("", 'Line 5" Pipes'),)
    assert dora.headline == ""


def test_the_same_person_twice_is_one_lead_and_the_later_row_wins() -> None:
    read = read_leads((DATA / "connections.csv").read_bytes())
    ada = read.rows[0]
    assert (ada.full_name, ada.headline) == ("ada quill", "Chair")
    assert read.repeated == 1


def test_a_later_row_that_leaves_a_field_empty_does_not_empty_it() -> None:
    lead = only("profile_url,headline,about\nx.test/in/a,Judge,Long story\nx.test/in/a,Chief judge,\n")
    assert (lead.headline, lead.about) == ("Chief judge", "Long story")


# LinkedHelper


def test_a_linkedhelper_export_is_read_with_its_jobs_and_skills() -> None:
    read = read_leads((DATA / "linkedhelper.csv").read_bytes())
    assert read.bad == []
    eve, finn = read.rows
    assert eve == Lead(
        lead_id="linkedin.test/in/eve-larch",
        profile_url="https://www.linkedin.test/in/eve-larch/",
        full_name="Eve Larch",
        headline="Helping law firms",
        about='I build practices.\n\nTwo things matter:\n- "clients"\n- time',
        location="Lisbon",
        industry="Legal Services",
        positions=(
            Position("Managing Partner", "Larch Legal", "Ran the firm; grew it", "2019.03"),
            Position("Associate", "Old & Sons", "", "2011"),
        ),
        skills=("Negotiation", "Litigation"),
    )
    assert finn.full_name == "Finn Ash"
    assert finn.thin


def test_of_a_very_long_history_the_first_fifty_jobs_are_read() -> None:
    titles = [f"organization_title_{number}" for number in range(1, 61)]
    lead = only("\n".join([",".join(["url", *titles]), ",".join(["x.test/in/a", *titles])]))
    assert [position.title for position in lead.positions] == titles[:50]


# JSON and JSON Lines


def test_json_lines_are_read_line_by_line_and_bad_lines_are_named() -> None:
    read = read_leads((DATA / "leads.jsonl").read_bytes())
    gil, hana, ivo = read.rows
    assert gil.posts == (
        Post("https://linkedin.test/p/1", "Hello"),
        Post("https://linkedin.test/p/2", "Again", "2025-09-01", is_repost=True),
    )
    assert (hana.full_name, hana.skills) == ("12345", ("a", "b"))
    assert hana.positions == (Position("Judge", "Court"), Position("Clerk"))
    assert ivo.posts == (Post("https://linkedin.test/p/4", "fine"),)
    assert read.bad == [
        BadRow(4, "post 1: no url (the lead is kept)"),
        BadRow(4, "post 2: no text (the lead is kept)"),
        BadRow(5, "full_name must be text, got a list"),
        BadRow(6, "the line is broken JSON, or only a part of it"),
        BadRow(7, "not a JSON object"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        '[{"profile_url": "x.test/in/a"}]',
        '{"leads": [{"profile_url": "x.test/in/a"}]}',
        '{"total": 1, "leads": [{"profile_url": "x.test/in/a"}], "errors": []}',
        '{"profile_url": "x.test/in/a"}',
        '{"Profile URL": "x.test/in/a"}\n',
        '  [ {"PROFILE_URL" : "x.test/in/a"} , ]',
    ],
)
def test_json_comes_as_a_list_an_object_that_holds_one_or_one_object(text: str) -> None:
    assert only(text).lead_id == "x.test/in/a"


def test_bad_elements_of_a_json_list_are_named_by_the_line_they_begin_in() -> None:
    read = read_leads(b'[\n  {"url": "x.test/in/a"},\n  7,\n  {\n    "headline": "x"\n  },\n  null]')
    assert [each.line for each in read.bad] == [3, 4, 7]


@pytest.mark.parametrize(
    "text",
    [
        '[{"profile_url": "x.test/in/a"}, {"profile_url": "x.te',
        '[{"profile_url": "x.test/in/a"}',
        '[{"profile_url": "x.test/in/a"} {"profile_url": "x.test/in/b"}]',
        '[{"profile_url": "x.test/in/a"}]\n[{"profile_url": "x.test/in/b"}]',
        '{"leads": [\n{"profile_url": "x.test/in/a"},\n{"profile_url": "x.test/in/b"}\n',
        "[" * 100_000,
        "[" + "9" * 5_000 + "]",
    ],
)
def test_broken_json_is_refused_whole(text: str) -> None:
    assert "broken JSON" in refusal(text.encode())


# posts


def test_posts_come_keyed_by_profile_url() -> None:
    read = read_leads((DATA / "posts.json").read_bytes())
    (ada,) = read.rows
    assert ada == Lead(
        lead_id="linkedin.test/in/ada-quill",
        profile_url="https://www.linkedin.test/in/ada-quill/",
        posts=(
            Post("https://linkedin.test/p/10", "One, corrected", "2025-09-01T08:00:00Z"),
            Post("https://linkedin.test/p/11", "Two"),
        ),
    )
    assert read.bad == [BadRow(8, "posts must be a JSON list, got 'none'"), BadRow(9, "post 1: no text")]


@pytest.mark.parametrize("url", ["", "x.test/in/%00", f"x.test/in/{'a' * 1_001}", f"x.test/in/a?{'b' * 100_000}"])
def test_posts_of_a_profile_url_that_cannot_be_one_are_bad(url: str) -> None:
    post = '[{"url": "x.test/p/1", "text": "Said so"}]'
    read = read_leads(f'{{"x.test/in/fine": {post},\n"{url}": {post}}}'.encode())
    assert [lead.lead_id for lead in read.rows] == ["x.test/in/fine"]
    assert [each.line for each in read.bad] == [2]


def test_posts_in_a_csv_cell_are_a_json_list() -> None:
    lead = only('url,posts\nx.test/in/a,"[{""url"": ""x.test/p/1"", ""text"": ""Said \\""so\\""""}]"\n')
    assert lead.posts == (Post("x.test/p/1", 'Said "so"'),)


@pytest.mark.parametrize("cell", ["nothing yet", "[{", "{}", "7"])
def test_a_posts_cell_that_is_no_list_is_reported_and_the_lead_kept(cell: str) -> None:
    read = read_leads(f"url|posts\nx.test/in/a|{cell}\n".encode())
    assert [lead.posts for lead in read.rows] == [()]
    assert read.bad == [BadRow(2, f"posts must be a JSON list, got '{cell}' (the lead is kept)")]


@pytest.mark.parametrize("field", ["posts", "positions"])
def test_what_stands_in_a_list_must_be_objects(field: str) -> None:
    rows = [{"url": "x.test/in/fine"}, {"url": "x.test/in/a", field: [7]}]
    (bad,) = read_leads(json.dumps(rows).encode()).bad
    assert "must be an object, got 7" in bad.reason


def test_duplicate_posts_of_a_repeated_lead_merge_by_url() -> None:
    rows = [
        {"profile_url": "x.test/in/a", "posts": [{"url": "p1", "text": "old"}, {"url": "p2", "text": "kept"}]},
        {"profile_url": "x.test/in/A", "posts": [{"url": "p1", "text": "new"}]},
    ]
    assert only(json.dumps(rows)).posts == (Post("p1", "new"), Post("p2", "kept"))


# encodings, delimiters, headers


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_any_encoding_delimiter_and_line_end_is_read(encoding: str, delimiter: str, line_end: str) -> None:
    table = [["Profile URL", "Full  Name", "HEAD_LINE"], ["x.test/in/a", "José Müller", "Café; bar, | et\tcetera"]]
    lines = (delimiter.join(f'"{cell}"' for cell in row) for row in table)
    (lead,) = read_leads((line_end.join(lines) + line_end).encode(encoding)).rows
    assert (lead.full_name, lead.headline) == ("José Müller", "Café; bar, | et cetera")


def test_a_utf8_file_that_was_cut_inside_a_letter_is_still_utf8() -> None:
    (first, _) = read_leads("url,name\nx.test/in/a,Łukasz Żółć\nx.test/in/b,Zoë".encode()[:-1]).rows
    assert first.full_name == "Łukasz Żółć"


def test_lines_are_counted_as_an_editor_shows_them_through_quoted_line_ends() -> None:
    read = read_leads(b'url,about\nx.test/in/a,"one\ntwo\r\nthree"\n\n,nobody\nx.test/in/b,fine\n,again\n')
    assert [lead.lead_id for lead in read.rows] == ["x.test/in/a", "x.test/in/b"]
    assert [each.line for each in read.bad] == [6, 8]


@pytest.mark.parametrize("last", ['x.test/in/d,"Di ""D"""', '"x.test/in/d",Di', "x.test/in/d,Di"])
def test_a_quote_that_is_never_closed_costs_its_own_line_only(last: str) -> None:
    """F15: rows are never swallowed in silence."""
    read = read_leads(f'url,name\nx.test/in/a,Ada\nx.test/in/b,"Bo\nx.test/in/c,Cy\n{last}\n'.encode())
    assert [lead.lead_id for lead in read.rows] == ["x.test/in/a", "x.test/in/c", "x.test/in/d"]
    assert read.bad == [BadRow(3, "the quotes of this line do not pair up")]


def test_a_file_that_was_cut_inside_a_quoted_cell_loses_that_row_only() -> None:
    read = read_leads(b'url,name\nx.test/in/a,"Ada"\nx.test/in/b,"Bo the')
    assert [lead.lead_id for lead in read.rows] == ["x.test/in/a"]
    assert read.bad == [BadRow(3, "the quotes of this line do not pair up")]


def test_text_after_a_closing_quote_belongs_to_the_cell() -> None:
    assert only('url,company\nx.test/in/a,"Old" Sons\n').positions == (Position("", "Old Sons"),)


def test_many_lines_of_stray_quotes_are_read_in_one_go() -> None:
    rows = [f'x.test/in/{number},"Bo' for number in range(20_000)]
    read = read_leads("\n".join(["url,name", *rows, "x.test/in/z,Zoe"]).encode())
    assert len(read.rows) + len(read.bad) == 20_001


def test_a_row_with_more_cells_than_the_header_is_bad_unless_they_are_empty() -> None:
    read = read_leads(b"url,name\nx.test/in/a,Ada,,\nx.test/in/b,Bo,Inc\n")
    assert len(read.rows) == 1
    assert read.bad == [BadRow(3, "3 cells, but the header has 2")]


def test_a_row_with_fewer_cells_than_the_header_is_read() -> None:
    assert only("url,name,headline\nx.test/in/a\n").lead_id == "x.test/in/a"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"  \n\n",
        b"\xef\xbb\xbf",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"Name,Town\nAda,Porto\n",
        b"\xff\xfe",
        b"{}",
        b"[]",
    ],
)
def test_a_file_without_a_recognised_header_is_refused_and_told_what_was_looked_for(data: bytes) -> None:
    assert "profile_url, URL, LinkedIn Profile URL" in refusal(data)


def test_a_file_with_a_header_and_nothing_below_is_refused() -> None:
    assert "no rows" in refusal(b"profile_url,headline\n")


def test_a_file_with_bad_rows_only_is_refused_with_the_first_reason() -> None:
    assert "line 2: no profile URL (and 1 more)" in refusal(b"profile_url,headline\n,x\n,y\n")


# --map


def test_map_names_their_columns() -> None:
    mapping = read_mapping(["id=Key", "Profile URL=Web", "headline=Job Title"])
    assert mapping == {"id": "Key", "profile_url": "Web", "headline": "Job Title"}
    lead = only("KEY;web;job_title;headline\n17;https://x.test/in/a;Judge;ignored\n", **mapping)
    assert (lead.lead_id, lead.profile_url, lead.headline) == ("17", "https://x.test/in/a", "Judge")


def test_with_an_id_of_its_own_a_lead_needs_no_profile_url() -> None:
    lead = only("key,name\nA-1,Ada\n", id="key")
    assert (lead.lead_id, lead.profile_url) == ("A-1", "")


def test_a_row_without_the_mapped_id_is_bad() -> None:
    read = read_leads(b"key,name\nA-1,Ada\n,Bo\n", {"id": "key"})
    assert read.bad == [BadRow(3, "a lead id is empty")]


def test_a_mapped_column_that_is_not_there_refuses_the_file() -> None:
    assert "'Titel'" in refusal(b"profile_url,title\nx.test/in/a,Judge\n", headline="Titel")


@pytest.mark.parametrize("word", ["headline", "headline=", "=Title", "shoe_size=Size"])
def test_a_map_that_cannot_be_read_is_refused(word: str) -> None:
    with pytest.raises(BadInput, match="--map"):
        read_mapping([word])


def test_profile_urls_that_differ_in_form_only_are_one_person() -> None:
    urls = ["https://www.x.test/in/Jos%C3%A9/", "http://x.test/in/josé?a=b", "x.test/in/JOSÉ#top"]
    read = read_leads("\n".join(["url", *urls]).encode())
    assert [lead.lead_id for lead in read.rows] == [lead_id_of_url(urls[0])]
    assert read.repeated == 2

"""`tallybook lead`: import, list, exclude. test_cli_lead_why.py has why."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

pytestmark = pytest.mark.usefixtures("empty_books")

LEADS = """profile_url,full_name,headline
https://www.linkedin.com/in/Ada/?x=1,Ada,Counsel
https://linkedin.com/in/bo,Bo,
,Nobody,
https://linkedin.com/in/ada,Ada A.,General counsel
"""
POSTS = {
    "https://linkedin.com/in/ada/": [{"url": "https://p/1", "text": "News"}, {"url": "https://p/2"}],
    "https://linkedin.com/in/stranger": [{"url": "https://p/3", "text": "Hello"}],
}


@pytest.fixture
def leads(home: Path, cli: Cli) -> Path:
    (home / "clients.csv").write_text("client_id\nacme\n")
    (home / "posts.json").write_text(json.dumps(POSTS))
    cli.good("client", "import", "clients.csv")
    path = home / "leads.csv"
    path.write_text(LEADS)
    return path


def ids(cli: Cli) -> list[str]:
    return [each["lead_id"] for each in cli.good("lead", "list", "acme", "--json").json["items"]]


def test_leads_are_imported_and_bad_rows_listed(cli: Cli, leads: Path) -> None:
    said = cli("lead", "import", "acme", "leads.csv")
    assert said.code == 0
    assert said.out == "2 leads of leads.csv: 2 new (1 row told of somebody again)\n"
    assert said.err.splitlines() == ["leads.csv: 1 problem; all else was taken", "  line 4: no profile URL"]
    assert ids(cli) == ["linkedin.com/in/ada", "linkedin.com/in/bo"]


def test_posts_come_with_them_and_those_of_strangers_are_left_out(cli: Cli, leads: Path) -> None:
    said = cli("lead", "import", "acme", "leads.csv", "--posts", "posts.json", "--json")
    assert said.code == 0
    assert said.json == {
        "client_id": "acme",
        "file": "leads.csv",
        "new": 2,
        "changed": 0,
        "unchanged": 0,
        "repeated": 1,
        "bad": [
            {"file": "leads.csv", "line": 4, "reason": "no profile URL"},
            {"file": "posts.json", "line": 1, "reason": "post 2: no text"},
        ],
        "posts_of_nobody": ["https://linkedin.com/in/stranger"],
    }
    assert "Posts by 1 person who are no leads were left out" in said.err
    assert ids(cli) == ["linkedin.com/in/ada", "linkedin.com/in/bo"]


def test_posts_of_leads_that_were_imported_before_are_taken(cli: Cli, leads: Path) -> None:
    cli.good("lead", "import", "acme", "leads.csv")
    (leads.parent / "one.csv").write_text("profile_url\nlinkedin.com/in/bo\n")
    cli.good("lead", "import", "acme", "one.csv", "--posts", "posts.json")
    assert cli.good("lead", "list", "acme", "--json").json["items"][0]["posts"] == 1


def test_importing_twice_changes_nothing(cli: Cli, leads: Path) -> None:
    words = ("lead", "import", "acme", "leads.csv", "--posts", "posts.json", "--json")
    cli.good(*words)
    said = cli.good(*words).json
    assert (said["new"], said["changed"]) == (0, 0)


def test_columns_of_other_names_are_mapped(cli: Cli, leads: Path) -> None:
    (leads.parent / "x.csv").write_text("Person,Key\nBo,bo-1\n")
    cli.good("lead", "import", "acme", "x.csv", "--map", "id=Key", "--map", "full_name=Person")
    (found,) = cli.good("lead", "list", "acme", "--json").json["items"]
    assert (found["lead_id"], found["full_name"]) == ("bo-1", "Bo")


def test_posts_find_leads_whose_ids_are_no_urls(cli: Cli, leads: Path) -> None:
    (leads.parent / "x.csv").write_text("key,profile_url\nk1,https://www.linkedin.com/in/ada\n")
    cli.good("lead", "import", "acme", "x.csv", "--map", "id=key", "--posts", "posts.json")
    (found,) = cli.good("lead", "list", "acme", "--json").json["items"]
    assert (found["lead_id"], found["posts"]) == ("k1", 1)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["leads.csv", "--map", "id=nowhere"], "no header was recognised"),
        (["clients.csv"], "a column with profile URLs"),
        (["leads.csv", "--posts", "none.json"], "none.json: there is no such file"),
        (["leads.csv", "--posts", "leads.csv"], "leads.csv: there are no posts in it"),
        (["leads.csv", "--posts", "clients.csv"], "clients.csv: no header was recognised"),
    ],
)
def test_a_refused_import_leaves_everything_as_it_was(words: list[str], expected: str, cli: Cli, leads: Path) -> None:
    said = cli("lead", "import", "acme", *words)
    assert said.code == 1
    assert expected in said.error
    assert ids(cli) == []


def test_a_list_without_leads_says_how_to_get_some(cli: Cli, leads: Path) -> None:
    assert (
        cli.good("lead", "list", "acme").err
        == "There are no leads here: `tallybook lead import acme FILE` adds some.\n"
    )


def test_leads_are_listed_in_pages(cli: Cli, leads: Path) -> None:
    cli.good("lead", "import", "acme", "leads.csv")
    said = cli.good("lead", "list", "acme", "--limit", "1")
    assert said.out.splitlines() == [
        "NAME    SCORE  POSTS  POST SCORE  STATE  LEAD",
        "Ada A.      –      0           –  new    linkedin.com/in/ada",
    ]
    assert said.err == "There is more: tallybook lead list acme --limit 1 --cursor linkedin.com/in/ada\n"
    rest = cli.good("lead", "list", "acme", "--limit", "1", "--cursor", "linkedin.com/in/ada", "--json").json
    assert ([each["lead_id"] for each in rest["items"]], rest["next_cursor"]) == (["linkedin.com/in/bo"], None)


@pytest.mark.parametrize("name", ["linkedin.com/in/ada", "https://www.linkedin.com/in/ADA/?trk=x#y"])
def test_a_lead_is_excluded_and_taken_back(name: str, cli: Cli, leads: Path) -> None:
    cli.good("lead", "import", "acme", "leads.csv")
    assert cli.good("lead", "exclude", "acme", name).out == "Ada A. is excluded from all runs to come\n"
    assert "excluded by hand" in cli.good("lead", "list", "acme").out
    assert cli.good("lead", "exclude", "acme", name, "--off").out == "Ada A. takes part in runs\n"
    assert cli.good("lead", "exclude", "acme", name, "--json").json["excluded_by_hand"] is True


@pytest.mark.parametrize("verb", ["exclude", "why"])
@pytest.mark.parametrize("name", ["nobody", "", "https://x/y", "a\0b", "\ud800", "x" * 5000])
def test_a_lead_that_does_not_exist_is_one_line(verb: str, name: str, cli: Cli, leads: Path) -> None:
    cli.good("lead", "import", "acme", "leads.csv")
    said = cli("lead", verb, "acme", name)
    assert said.code == 1
    assert said.error.endswith("`tallybook lead list acme` names them all")

"""`tallybook demo --airtable`: the whole thing through the look-alike."""

from pathlib import Path

from tests.cli.inside import inside


def test_the_demo_runs_through_airtable_and_the_books_equal_what_stands_there(home: Path) -> None:
    for _ in range(2):
        said = inside("demo", "--airtable", cwd=home)
        assert said.returncode == 0, said
        assert "267 scored and 7 skipped of 274 lead-operations" in said.stdout
        assert "no difference between its rows and the books" in said.stdout
        assert "Acme Law, Leads: 59 of 60 have an AI Score" in said.stdout
    assert (home / "tallybook-demo-airtable" / "tallybook.db").exists()

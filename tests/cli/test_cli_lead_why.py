"""`tallybook lead why`: every outcome of a lead, in words and as JSON."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tallybook.cli.lead_why import History, in_words
from tallybook.domain.outcome import FailReason, Kind, Outcome, SkipReason, Versions
from tallybook.domain.run import OperationName
from tallybook.ledger.read import Told
from tests.cli.conftest import Cli

AT = datetime(2026, 11, 23, 2, 14, 9, tzinfo=UTC)
FAILED = Outcome.failed("ada", FailReason.OUTPUT_TRUNCATED, input_hash="i1", versions=Versions(rubric="r1"))
SCORED = Outcome("ada", Kind.SCORED, score=72.5, posts=2, versions=Versions(rubric="r1", model="keywords"))


def told(outcome: Outcome, operation: OperationName = OperationName.LEAD_SCORING, **more: bool) -> Told:
    facts = {"late": False, "saved": True, **more}
    return Told("261123-021409", operation, AT, facts["late"], facts["saved"], outcome)


def words_of(*outcomes: Told) -> str:
    return "\n".join(in_words(History("acme", "ada", None, outcomes)))


def test_a_run_is_told_in_words(cli: Cli, after_demo: Path) -> None:
    said = cli.good("lead", "why", "acme-law", "https://www.linkedin.test/in/thea-thin")
    lines = said.out.splitlines()
    assert lines[:3] == ["Thea Thin, lead of acme-law", "https://linkedin.test/in/thea-thin", ""]
    assert "lead scoring: skipped, too little in the profile to judge (insufficient_profile)" in lines[3]


def test_a_score_is_told_with_its_breakdown(cli: Cli, after_demo: Path) -> None:
    said = cli.good("lead", "why", "acme-law", "linkedin.test/in/bilal-dufour-048").out
    assert "of 100" in said
    assert "of 20" in said
    assert "Best post: https://linkedin.test/in/bilal-dufour-048/posts/" in said
    assert said.index("post scoring") < said.index("lead scoring")


def test_the_same_as_json(cli: Cli, after_demo: Path) -> None:
    said = cli.good("lead", "why", "acme-law", "linkedin.test/in/thea-thin", "--json").json
    assert (said["client_id"], said["lead_id"]) == ("acme-law", "linkedin.test/in/thea-thin")
    assert said["lead"]["score_reason"] == "insufficient_profile"
    (outcome,) = said["outcomes"]
    assert (outcome["kind"], outcome["reason"], outcome["saved"]) == ("skipped", "insufficient_profile", True)
    assert outcome["operation"] == "lead_scoring"
    assert outcome["at"].endswith("Z")


def test_a_lead_no_run_has_worked_on(cli: Cli, demo_home: Path) -> None:
    cli.good("lead", "exclude", "acme-law", "linkedin.test/in/thea-thin")
    said = cli.good("lead", "why", "acme-law", "linkedin.test/in/thea-thin").out
    assert said.endswith("takes it back in.\nNo run has worked on this lead yet.\n")


def test_a_lead_is_found_by_its_url_when_its_id_is_none(cli: Cli, home: Path) -> None:
    (home / "clients.csv").write_text("client_id\nacme\n")
    (home / "leads.csv").write_text("key,profile_url\nk1,https://www.linkedin.com/in/Ada\n")
    cli.good("client", "import", "clients.csv")
    cli.good("lead", "import", "acme", "leads.csv", "--map", "id=key")
    assert cli.good("lead", "why", "acme", "linkedin.com/in/ada", "--json").json["lead_id"] == "k1"


def test_a_lead_that_is_gone_from_the_store_is_still_told_of(cli: Cli, after_demo: Path) -> None:
    import sqlite3

    with sqlite3.connect(after_demo / "tallybook.db") as books:
        books.execute("DELETE FROM leads WHERE lead_id = 'linkedin.test/in/thea-thin'")
    said = cli.good("lead", "why", "acme-law", "https://linkedin.test/in/thea-thin")
    assert said.out.startswith("linkedin.test/in/thea-thin is no longer a lead of acme-law\n")
    assert cli.good("lead", "why", "acme-law", "linkedin.test/in/thea-thin", "--json").json["lead"] is None


# What is said of single outcomes


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        (1, "The next run tries again (2 tries left)."),
        (2, "The next run tries again (1 try left)."),
        (3, "No tries are left: the next run gives it up, until its profile or the rubric changes."),
    ],
)
def test_a_failure_says_how_many_tries_are_left(failures: int, expected: str) -> None:
    assert words_of(*[told(FAILED)] * failures).count(expected) >= 1


def test_only_failures_with_the_same_input_and_rubric_count() -> None:
    other_input = replace(FAILED, input_hash="i2")
    other_rubric = replace(FAILED, versions=Versions(rubric="r2"))
    said = words_of(told(FAILED), told(other_input), told(other_rubric), told(FAILED, OperationName.POST_SCORING))
    assert said.count("(2 tries left)") == 2


def test_a_failure_that_is_not_the_newest_promises_nothing() -> None:
    assert "next run" not in words_of(told(SCORED), told(FAILED))


def test_what_is_late_unsaved_flagged_or_excluded_is_said() -> None:
    odd = replace(SCORED, excluded_by="rival", flagged=True, breakdown={"boss": {"points": None, "max": 5.0}})
    said = words_of(told(odd, late=True, saved=False))
    for words in (
        "scored 72.50 of 100, 2 posts",
        "attribute rival",
        "Flagged",
        "after the run had ended",
        "Not yet saved",
    ):
        assert words in said
    assert "boss  not judged  of 5" in said


def test_every_reason_has_words() -> None:
    for skip in SkipReason:
        assert f"({skip})" in words_of(told(Outcome.skipped("ada", skip)))
    for fail in FailReason:
        assert f"({fail})" in words_of(told(Outcome.failed("ada", fail)))

"""`tallybook demo`, as somebody runs it who has just installed it."""

import fcntl
import json
from pathlib import Path

import pytest

from tallybook.app import App
from tallybook.domain.run import Run
from tallybook.ledger import read
from tests.cli.conftest import Cli
from tests.cli.console import console
from tests.cli.inside import inside


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Where a demo ran, as a process of its own, and what it said. The environment would stop any other command."""
    folder = tmp_path_factory.mktemp("first")
    said = console(
        "demo", cwd=folder, TALLYBOOK_DATABASE__URL="postgresql://nobody@127.0.0.1:1/x", TALLYBOOK_NONSENSE="1"
    )
    assert said.returncode == 0, said.stderr
    return folder, said.stdout, said.stderr


def test_it_shows_a_whole_run_the_audit_and_what_to_try(first: tuple[Path, str, str]) -> None:
    _, out, err = first
    assert "Acme Law" in out
    assert "skipped: insufficient_profile" in out
    assert "no difference" in out
    assert "cd tallybook-demo" in out
    assert "180 leads" in err
    assert "acme-law: completed" in err


def test_it_works_only_in_its_own_folder(first: tuple[Path, str, str]) -> None:
    folder, _, _ = first
    assert [path.name for path in folder.iterdir()] == ["tallybook-demo"]


def test_every_command_it_names_works(first: tuple[Path, str, str]) -> None:
    folder, out, _ = first
    lines = out.split("Look around:\n")[1].splitlines()
    commands = [line.split("  ")[1].split() for line in lines if line.startswith("  tallybook ")]
    assert len(commands) >= 5
    for command in commands:
        said = inside(*command[1:], cwd=folder / "tallybook-demo")
        assert said.returncode == 0, (command, said.stderr)
        assert said.stdout


def test_every_lead_has_a_score_or_a_reason(first: tuple[Path, str, str]) -> None:
    folder, _, _ = first
    said = inside("lead", "list", "acme-law", "--limit", "1000", "--json", cwd=folder / "tallybook-demo")
    items = json.loads(said.stdout)["items"]
    assert len(items) == 60
    assert all(each["score"] is not None or each["score_reason"] for each in items)


def test_a_second_demo_says_kindly_that_nothing_was_due(first: tuple[Path, str, str]) -> None:
    said = inside("demo", cwd=first[0])
    assert said.returncode == 0
    assert "nothing was due" in said.stdout
    assert "`tallybook demo --fresh` begins again" in said.stdout


def test_fresh_begins_again_and_leaves_alone_what_is_not_its_own(after_demo: Path, home: Path) -> None:
    folder = home / "tallybook-demo"
    folder.mkdir()
    assert inside("demo", cwd=home).returncode == 0
    (folder / "mine.txt").write_text("precious")
    said = inside("demo", "--fresh", cwd=home)
    assert said.returncode == 0
    assert "267 scored" in said.stdout
    assert (folder / "mine.txt").read_text() == "precious"


def test_fresh_takes_nothing_away_from_a_process_at_work(home: Path) -> None:
    assert inside("demo", cwd=home).returncode == 0
    with (home / "tallybook-demo" / "tallybook-slots" / "0.lock").open("r+") as slot:
        fcntl.flock(slot, fcntl.LOCK_EX)
        said = inside("demo", "--fresh", cwd=home)
    assert said.returncode == 4
    assert said.stderr.startswith("tallybook: another process is at work in tallybook-demo")
    assert (home / "tallybook-demo" / "tallybook.db").exists()


def test_a_file_of_that_name_is_one_line(home: Path) -> None:
    (home / "tallybook-demo").write_text("mine")
    said = inside("demo", cwd=home)
    assert said.returncode == 1
    assert said.stderr.startswith("tallybook: tallybook-demo is a file here")


def test_a_run_that_was_left_unfinished_goes_on(home: Path) -> None:
    assert inside("demo", cwd=home).returncode == 0
    folder = home / "tallybook-demo"
    started = inside("run", "start", "--detach", "--new", "--json", cwd=folder)
    assert started.returncode == 0, started.stderr
    said = inside("demo", cwd=home)
    assert said.returncode == 0
    assert "of an earlier demo is unfinished; it goes on" in said.stderr


def test_a_demo_that_is_stopped_says_how_to_go_on(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C: what works a run gives it back paused; here it is given back before anything was done."""

    def stopped(app: App, run_id: str, _interrupts: object, *, resume: bool) -> Run:
        assert not resume
        return read.run(app.database, run_id)

    monkeypatch.setattr("tallybook.cli.run_work.work", stopped)
    said = cli("demo")
    assert (said.code, said.out) == (8, "")
    assert said.err.endswith("Stopped. `tallybook demo` goes on where it was.\n")

"""The command line in this process: its words in, its code and what it said out."""

import json
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tallybook.cli import main
from tallybook.testing.demo_files import write_demo
from tests.books import SqliteBooks
from tests.children import unmeasured
from tests.cli.console import OURS
from tests.cli.inside import inside

MEASURED = ("test_cli_run",)
"""Files whose children execute what no other test does."""


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line of an error."""
        (line,) = self.err.splitlines()
        assert line.startswith("tallybook: "), line
        assert not self.out
        return line.removeprefix("tallybook: ")


class Cli:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *args: str) -> Said:
        self._capsys.readouterr()
        code = main(args)
        said = self._capsys.readouterr()
        return Said(code, said.out, said.err)

    def good(self, *args: str) -> Said:
        said = self(*args)
        assert said.code == 0, said
        return said


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """An empty working folder, and an environment without settings."""
    for name in list(os.environ):
        if name.startswith(OURS):
            monkeypatch.delenv(name)
    if request.path.stem not in MEASURED:
        unmeasured(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def empty_books(home: Path, sqlite_books: SqliteBooks) -> None:
    """The database of the working folder, empty; without it, the first command that asks makes it."""
    sqlite_books.copied_to(home)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    """What it makes of the log is over with the test."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield Cli(capsys)
    root.handlers, root.level = handlers, level


@pytest.fixture(scope="session")
def imported_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's clients, with rubrics and leads, imported; no run yet. Nobody writes in it: `demo_home` is a copy."""
    folder = tmp_path_factory.mktemp("imported")
    write_demo(folder)
    imports = [["client", "import", "clients.csv"]]
    for client in ("acme-law", "brightside-coaching", "north-harbor-it"):
        imports.append(["rubric", "import", client, f"{client}-rubric.json"])
        imports.append(["lead", "import", client, f"{client}-leads.csv"])
    for words in imports:
        assert inside(*words, cwd=folder).returncode == 0
    return folder


@pytest.fixture
def demo_home(imported_demo: Path, home: Path) -> Path:
    """The working folder, with the demo's clients, rubrics and leads imported; no run yet."""
    shutil.copytree(imported_demo, home, dirs_exist_ok=True)
    return home


@pytest.fixture(scope="session")
def ran_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder a demo left behind. Nobody writes in it: `after_demo` is a copy."""
    folder = tmp_path_factory.mktemp("demo")
    said = inside("demo", cwd=folder)
    assert said.returncode == 0, said.stderr
    return folder / "tallybook-demo"


@pytest.fixture
def after_demo(ran_demo: Path, home: Path) -> Path:
    """The working folder, as a demo left it."""
    shutil.copytree(ran_demo, home, dirs_exist_ok=True)
    return home

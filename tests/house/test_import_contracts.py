"""Each import rule of pyproject.toml, broken once on purpose in a small copy of the tree."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
FLOORS = "Rooms import only from the floors below them"


def lint(checkout: Path, **modules: str) -> subprocess.CompletedProcess[str]:
    """Run the real contracts over a package with the modules that are named (a__b for a.b) and their texts."""
    shutil.copy(TOP / "pyproject.toml", checkout)
    for name, text in {"": "", **modules}.items():
        folder = (checkout / "src/tallybook").joinpath(*name.split("__"))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").write_text(text)
    found_first = os.pathsep.join((str(checkout / "src"), str(TOP)))
    environment = {**os.environ, "PYTHONPATH": found_first, "COLUMNS": "200"}
    command = (Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo")
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)


def test_what_the_design_allows_passes(tmp_path: Path) -> None:
    linted = lint(
        tmp_path,
        domain="import json\nfrom tallybook.domain.run import Run",
        domain__run="import datetime",
        ledger="import sqlalchemy\nimport tallybook.database\nimport tallybook.domain",
        database="",
        settings="import pydantic",
        engine="import dbos\nimport tallybook.ledger",
        stores="import tallybook.airtable",
        airtable="import tallybook.domain",
        app="import dbos\nimport tallybook.settings\nimport tallybook.migrations\nimport tallybook.stores",
        cli="import tallybook.app\nimport tallybook.settings\nimport tallybook.testing",
        migrations="import tallybook.ledger",
        testing="",
    )
    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize(
    ("importer", "text", "contract"),
    [
        ("ledger", "import tallybook.app", FLOORS),
        ("stores", "import tallybook.scorers", FLOORS),
        ("stores", "def late() -> None:\n    import tallybook.scorers", FLOORS),
        ("stores", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import tallybook.scorers", FLOORS),
        ("cellar", "", FLOORS),
        ("stores", "import tallybook.ledger", "Plugs get ports, never the ledger"),
        ("web", "import tallybook.settings", "Settings are read by app and the command line"),
        ("stores", "from dbos import DBOS", "DBOS lives in the engine and in app"),
        ("cli", "import tallybook.migrations", "Migrations see all tables, and only app sees them"),
        ("engine", "import tallybook.testing", "The look-alike servers stay out of the product"),
        ("domain", "import sqlalchemy", "The domain stands on the standard library alone"),
        ("domain", "import tallybook.testing", "The domain stands on the standard library alone"),
    ],
)
def test_an_import_that_the_design_forbids_breaks_its_contract(
    importer: str, text: str, contract: str, tmp_path: Path
) -> None:
    others = dict.fromkeys(("app", "scorers", "ledger", "settings", "migrations", "testing"), "")
    linted = lint(tmp_path, **{**others, importer: text})
    assert linted.returncode == 1
    [verdict] = [line for line in linted.stdout.splitlines() if line.startswith(contract) and "BROKEN" in line]
    assert verdict

"""`tallybook runid`."""

from pathlib import Path

import pytest

from tests.cli.conftest import Cli


def test_a_run_id_is_taken_apart(cli: Cli, home: Path) -> None:
    said = cli.good("runid", "parse", "SR-251123-007-S2-CAcme-Law-BATCH").out.splitlines()
    assert "names run          SR-251123-007" in said
    assert "stream             2" in said
    assert not list(home.iterdir())  # the books are not asked


def test_the_same_as_json(cli: Cli) -> None:
    said = cli.good("runid", "parse", "250101-101010-Foo-Foo", "--json").json
    assert (said["key"], said["client"], said["doubled"]) == ("250101-101010", "Foo", True)
    assert said["at"] == "2025-01-01T10:10:10+00:00"


@pytest.mark.parametrize("text", ["", "nonsense", "250101-101010\n", "x" * 500, "２５0101-101010", "250199-101010"])
def test_what_is_no_run_id_is_one_line(text: str, cli: Cli) -> None:
    said = cli("runid", "parse", text)
    assert said.code == 1
    assert "is no run id" in said.error

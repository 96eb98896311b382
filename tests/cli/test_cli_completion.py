"""`tallybook completion`: the scripts, and what they ask back."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tallybook.cli import NOUNS
from tests.cli.console import SCRIPT, environment
from tests.cli.inside import inside


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_printed(shell: str, home: Path) -> None:
    said = inside("completion", shell, cwd=home)
    assert (said.returncode, said.stderr) == (0, "")
    assert "_TALLYBOOK_COMPLETE" in said.stdout


@pytest.mark.parametrize("shell", [shell for shell in ("bash", "zsh", "fish") if shutil.which(shell)])
def test_a_script_is_one_its_shell_understands(shell: str, home: Path) -> None:
    script = inside("completion", shell, cwd=home).stdout
    subprocess.run([shell, "-n"], input=script, text=True, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("words", "expected"),
    [("tallybook ", [*NOUNS]), ("tallybook lea", ["lead"]), ("tallybook lead ", ["import", "list", "why", "exclude"])],
)
def test_bash_is_told_what_may_come_next(words: str, expected: list[str], home: Path) -> None:
    said = subprocess.run(
        [SCRIPT],
        cwd=home,
        env=environment(_TALLYBOOK_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(words.count(" "))),
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.stdout.split() == expected
    assert said.stderr == ""

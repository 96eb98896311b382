"""The secret that all processes of one database share."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write.secrets import signing_secret

TOP = Path(__file__).parents[2]


def test_the_first_secret_that_was_made_is_kept(ledger: Ledger) -> None:
    made = [f"{n} 'x' {{y}} ?" for n in range(3)]
    assert [ledger.do(signing_secret, each) for each in made] == made[:1] * 3


def test_four_processes_that_ask_at_once_get_the_same(database_url: str) -> None:
    made = [f"made by {n}" for n in range(4)]
    with ExitStack() as stack:
        askers = [stack.enter_context(_asker(database_url, each)) for each in made]
        for each in askers:
            stack.callback(each.kill)
        for each in askers:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        for each in askers:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
        found = {each.communicate(timeout=60)[0].strip() for each in askers}
    assert len(found) == 1
    assert found < set(made)


def _asker(url: str, made: str) -> subprocess.Popen[str]:
    command = (sys.executable, "-m", "tests.ledger.secret_asker", url, made)
    return subprocess.Popen(command, cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

"""One of the processes of test_secrets.py: `python -m tests.ledger.secret_asker URL MADE`.

It says "ready" when it is set up, asks when it is told to on stdin, and prints what it was given.
"""

import sys

from tallybook.database import Database
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write.secrets import signing_secret


def main(url: str, made: str) -> None:
    ledger = Ledger(Database(url))
    print("ready", flush=True)
    sys.stdin.readline()
    print(ledger.do(signing_secret, made), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

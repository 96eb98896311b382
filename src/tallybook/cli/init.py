"""`tallybook init`: a settings file and the books."""

import os
from pathlib import Path

import typer

from tallybook.cli import output
from tallybook.cli.opening import flags_of, opened
from tallybook.domain.errors import BadInput

NEXT = """
Next:
  tallybook client import clients.csv
  tallybook rubric import CLIENT rubric.json
  tallybook lead import CLIENT leads.csv
  tallybook run start

Or see it all on sample data first: tallybook demo"""


def command(ctx: typer.Context) -> None:
    """Write tallybook.toml, in which every setting is explained, and create the database.

    A file that is there is never overwritten.
    """
    path = _path(ctx)
    write_settings(path)
    output.say(f"Wrote {path}: every setting, explained, each at its default")
    with opened(ctx) as app:
        output.say(f"The books are in {app.database.shown}")
    output.say(NEXT)


def _path(ctx: typer.Context) -> Path:
    named = flags_of(ctx).get("config") or os.environ.get("TALLYBOOK_CONFIG")
    return Path(str(named or "tallybook.toml"))


def write_settings(path: Path) -> None:
    """Raises BadInput when the file is there, or cannot be."""
    from tallybook.settings import TEMPLATE

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        raise BadInput(f"{path} is there already and was left as it is; `tallybook config show` reads it") from None
    except (OSError, ValueError) as error:  # ValueError: a name no file can have
        raise BadInput(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}") from None

"""How a command reaches the app, and how it reads what it was given."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tallybook.app import App
    from tallybook.settings import Loaded

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document")]
Limit = Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="At most so many, 1 to 1000")]
Cursor = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Where to go on: next_cursor of the page before", show_default=False)
]


def flags_of(ctx: typer.Context) -> dict[str, object]:
    """The flags before the noun, as settings know them."""
    return dict(ctx.obj or {})


@contextmanager
def opened(ctx: typer.Context, **settings: object) -> "Iterator[App]":
    """The app of this command; closed at its end. *settings*: given by flags of the command. Raises BadSetting."""
    from tallybook.app import open_app
    from tallybook.settings.logs import configure

    app = open_app({**flags_of(ctx), **settings})
    configure(app.settings)
    try:
        yield app
    finally:
        app.close()


def loaded_settings(ctx: typer.Context) -> "Loaded":
    """The settings and where each comes from, without touching the database. Raises BadSetting."""
    import os
    from pathlib import Path

    from tallybook.settings import load_with_origins

    return load_with_origins(flags_of(ctx), environ=os.environ, folder=Path.cwd())

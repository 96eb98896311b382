"""`tallybook config`: the settings in force."""

from typing import Annotated

import typer

from tallybook.cli import output
from tallybook.cli.nouns import noun
from tallybook.cli.opening import Json, loaded_settings

app = noun("The settings in force.")


@app.command()
def show(
    ctx: typer.Context,
    origin: Annotated[bool, typer.Option("--origin", help="Also say where each comes from")] = False,
    as_json: Json = False,
) -> None:
    """Print every setting; secrets are masked.

    A flag goes before the environment, that before tallybook.toml, that before the default.
    """
    from tallybook.settings import shown

    loaded = loaded_settings(ctx)
    settings = shown(loaded)
    if as_json:
        items = [{"key": each.key, "value": each.value, "origin": each.origin} for each in settings]
        output.emit({"file": str(loaded.file) if loaded.file else None, "settings": items})
        return
    rows = [(each.key, "not set" if each.value is None else each.value, each.origin) for each in settings]
    output.table([row if origin else row[:2] for row in rows], ("SETTING", "VALUE", "FROM")[: 3 if origin else 2])

"""Nouns: groups of commands, imported only when they are invoked."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup


@dataclass(frozen=True, slots=True)
class Noun:
    """What `tallybook --help` says about a noun without importing it. *verbs*: empty for a command without verbs."""

    help: str
    verbs: str = ""

    @property
    def line(self) -> str:
        return f"{self.help}: {self.verbs}" if self.verbs else self.help


class LazyGroup(TyperGroup):
    """A group that knows its nouns by name. Each is in the file `tallybook.cli.<noun>`."""

    nouns: ClassVar[Mapping[str, Noun]] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.nouns)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return command_of(cmd_name) if cmd_name in self.nouns else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Click looks for a name that was nearly meant among the commands it was given."""
        self.commands = dict.fromkeys(self.nouns, self)  # only the names are looked at
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, noun.line) for name, noun in self.nouns.items()])


def command_of(name: str) -> Any:
    """The command that the file of noun *name* defines: its `app`, or its function `command`."""
    module = import_module(f"tallybook.cli.{name}")
    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(rich_markup_mode=None, add_completion=False)
        app.command(name)(module.command)
    command = typer.main.get_command(app)
    command.name = name
    return command


def noun(help_text: str) -> typer.Typer:
    """A noun with verbs: `app = noun("Clients")`, then `@app.command("import")` for each."""
    app = typer.Typer(help=help_text, rich_markup_mode=None, add_completion=False, no_args_is_help=True)
    app.callback()(_nothing_first)  # keeps a noun with one verb a noun
    return app


def _nothing_first() -> None:
    pass

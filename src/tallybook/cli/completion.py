"""`tallybook completion`: the Tab key."""

from enum import StrEnum
from typing import Annotated

import typer

from tallybook.cli import output


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def command(shell: Annotated[Shell, typer.Argument(help="Your shell", show_default=False)]) -> None:
    """Print the completion script of a shell.

    bash: tallybook completion bash > ~/.local/share/bash-completion/completions/tallybook

    zsh: tallybook completion zsh > a file _tallybook in a folder of your $fpath

    fish: tallybook completion fish > ~/.config/fish/completions/tallybook.fish
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]  # typer names no public door

    output.say(get_completion_script(prog_name="tallybook", complete_var="_TALLYBOOK_COMPLETE", shell=shell.value))

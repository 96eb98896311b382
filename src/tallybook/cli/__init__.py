"""The command line `tallybook`: one file per noun. A thin room: it reads words, asks app, prints.

The agreement between the files of this room:

- `run`, `schedule`, `client`, `lead`, `rubric`, `config`, `token`, `runid`, `db` have an `app = noun("…")` (nouns.py)
  with a command for each verb. `init`, `demo`, `doctor`, `completion`, `audit`, `usage`, `report` have one function
  named `command`, whose docstring is its help.
- NOUNS below names them all, so that `tallybook --help` imports none of them. A new noun is a line there and a file.
  A noun's file imports nothing heavy at its top (no app, ledger, stores, settings, sqlalchemy, rich): inside functions.
- A command takes `ctx: typer.Context` and begins `with opened(ctx) as app:` (opening.py), which knows `--config`.
- It raises TallybookError and catches none: `main` prints that as one line on stderr and ends with its exit code
  (exits.py). Any other code: `raise typer.Exit(ExitCode.FAILED)`; a wrong flag or argument: `raise typer.BadParameter`.
- Facts go to stdout by `output.say`, `output.table` or, with `--json`, `output.emit`; progress and remarks to stderr by
  `output.note`. Money, times, counts and reasons are put in words by `report.words`, JSON times by `report.facts`.
"""

import errno
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from tallybook import __version__
from tallybook.cli import output
from tallybook.cli.exits import ExitCode, code_of_error
from tallybook.cli.nouns import LazyGroup, Noun
from tallybook.domain.errors import LedgerUnavailable, NotFound, SchemaMismatch, TallybookError

PROGRAM = "tallybook"
COMPLETE = "_TALLYBOOK_COMPLETE"

NOUNS: Mapping[str, Noun] = {
    "init": Noun("Write tallybook.toml and create the database"),
    "demo": Noun("Try everything on sample data: no account, no network, no key"),
    "client": Noun("Clients, for whom you work", "import, list, show, pause, budget"),
    "lead": Noun("Their leads", "import, list, why, exclude"),
    "rubric": Noun("What leads and posts are judged by", "import, show"),
    "scorer": Noun("How far a scorer's word can be trusted", "stability"),
    "run": Noun("Runs", "start, list, show, watch, pause, cancel, resume, diff, explain"),
    "schedule": Noun("When runs start by themselves", "list, next"),
    "report": Noun("The report of a run"),
    "usage": Noun("Tokens and money"),
    "audit": Noun("Recompute every total and name each difference"),
    "doctor": Noun("Check everything that can be wrong, and say how to mend it"),
    "alert": Noun("What is wrong just now, and who is told", "list, ack, test"),
    "webhook": Noun("What providers have told us", "list, replay, test"),
    "import": Noun("Books of other systems, taken into these", "airtable-history"),
    "mirror": Noun("The books in your Airtable", "setup, sync, verify, repair, rebuild, status"),
    "serve": Noun("The API, webhooks, the worker and the schedule in one process"),
    "worker": Noun("A worker alone, beside servers that only keep books"),
    "db": Noun("The database", "upgrade, downgrade, backup"),
    "config": Noun("The settings in force, and where they come from", "show"),
    "token": Noun("Tokens for the HTTP API", "create, list, revoke"),
    "runid": Noun("Run ids, in every form ever written", "parse"),
    "completion": Noun("Completion for bash, zsh or fish"),
    "testing": Noun("Look-alike servers, for trying things out", "model, apify, airtable"),
}


class _Nouns(LazyGroup):
    nouns = NOUNS


root = typer.Typer(
    cls=_Nouns,
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="First time here? `tallybook demo` shows it all on sample data.",
)


def _print_version(asked: bool) -> None:
    if asked:
        output.say(f"{PROGRAM} {__version__}")
        raise typer.Exit


@root.callback()
def _begin(
    ctx: typer.Context,
    config: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Settings; without it tallybook.toml of this folder", show_default=False),
    ] = None,
    version: Annotated[  # acts by its callback
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version")
    ] = False,
) -> None:
    """Runs AI batch jobs for many clients, and keeps exact books of them."""
    ctx.obj = {"config": config}


def main(args: Sequence[str] | None = None) -> int:
    """Run one command. Gives its exit code; the only place where errors become one."""
    output.make_safe()
    try:
        code = _run(sys.argv[1:] if args is None else args)
        output.flush()
    except TallybookError as error:
        return _refused(_told(error), code_of_error(error))
    except typer.TyperException as error:
        return _misused(error)
    except (KeyboardInterrupt, typer.Abort):
        return _refused("stopped", ExitCode.INTERRUPTED)
    except BrokenPipeError:
        output.forget()  # whoever read has enough; nothing is wrong
        return ExitCode.PIPE_CLOSED
    except OSError as error:
        return _refused(_told_os_error(error), ExitCode.ERROR)
    return code


def _run(args: Sequence[str]) -> int:
    command: Any = typer.main.get_command(root)
    if COMPLETE in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]  # typer names no public door to it

        completion_init()
        command.main(args=list(args), prog_name=PROGRAM)
    try:
        # Not command.main: it would turn a closed pipe into exit code 1.
        with command.make_context(PROGRAM, list(args)) as context:
            command.invoke(context)
    except typer.Exit as stop:
        return stop.exit_code
    return ExitCode.OK


def _refused(what: str, code: ExitCode) -> ExitCode:
    output.complain(f"{PROGRAM}: {what}")
    return code


def _told(error: TallybookError) -> str:
    if isinstance(error, LedgerUnavailable) and not isinstance(error, SchemaMismatch):
        return f"{error}; `tallybook doctor` looks into it"
    if isinstance(error, NotFound) and str(error).startswith("there is no client"):
        return f"{error}; `tallybook client list` names them all"
    return str(error)


def _told_os_error(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "there is no space left on the device; make room and try again"
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


def _misused(error: typer.TyperException) -> ExitCode:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":  # as typer itself tells it
        output.note(context.get_help() if context else error.format_message())
        return ExitCode.USAGE
    message = error.format_message().rstrip(".").replace("Value error, ", "").replace("Input should be", "must be")
    message = message[:1].lower() + message[1:]
    see = f"`{context.command_path if context else PROGRAM} --help`"
    return _refused(f"{message} See {see}" if message.endswith("?") else f"{message}; see {see}", ExitCode.USAGE)

"""`tallybook worker`: does what is due, and nothing else. Any number of them work on one PostgreSQL database."""

import signal

import typer

from tallybook.cli import output
from tallybook.cli.opening import opened

STOPS = (signal.SIGINT, signal.SIGTERM)


def command(ctx: typer.Context) -> None:
    """Work on whatever runs are open, until Ctrl-C or SIGTERM; what is in flight then is handed back.

    It keeps no schedule and answers nobody: that is `tallybook serve`.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # also for the threads that are started from here on
    try:
        with opened(ctx) as app:
            engine = app.engine()
            output.note(f"Working as {engine.executor} on {app.database.shown} (Ctrl-C stops it)")
            signal.sigwait(STOPS)
            output.note(f"Stopping: waiting up to {app.settings.server.grace_s} s for what is in flight.")
            engine.close(app.settings.server.grace_s)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    output.note("Stopped; what was left was handed back.")

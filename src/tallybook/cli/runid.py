"""`tallybook runid`: what a run id says."""

from typing import Annotated

import typer

from tallybook.cli import output
from tallybook.cli.nouns import noun
from tallybook.cli.opening import Json
from tallybook.report import words

app = noun("Run ids, in every form ever written.")


@app.command()
def parse(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="A run id or a label", show_default=False)],
    as_json: Json = False,
) -> None:
    """Take a run id apart: which run it names, and what else it says. The books are not asked."""
    from tallybook.domain.runid import RunId

    read = RunId.parse(run_id)
    if as_json:
        output.emit({**read.as_json(), "client_or_issue": read.client_or_issue})
        return
    output.facts(
        {
            "run id": read.text,
            "names run": read.key,
            "form": read.form.value,
            "at": words.instant(read.at),
            "number of the day": read.number,
            "stream": read.stream,
            "task": read.task,
            "client": read.client,
            "issue": read.issue,
            "client or issue": read.client_or_issue,
            "operation": read.operation,
            "random end": read.token,
            "client named twice": "yes" if read.doubled else None,
        }
    )

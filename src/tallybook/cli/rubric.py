"""`tallybook rubric`: what a client's leads and posts are judged by."""

from collections.abc import Mapping, Sequence
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tallybook.cli import output
from tallybook.cli.nouns import noun
from tallybook.cli.opening import Json, opened
from tallybook.cli.reading import bad_in_json, imported_from, told_bad
from tallybook.report import words

if TYPE_CHECKING:
    from tallybook.domain.rubric import Attribute, Rubric

app = noun("Rubrics: what a client's leads and posts are judged by.")

ClientArgument = Annotated[str, typer.Argument(metavar="CLIENT", help="The client's id", show_default=False)]
HEADINGS = ("FOR", "ID", "HEADING", "POINTS", "AT LEAST", "REMARKS")


@app.command("import")
def import_(
    ctx: typer.Context,
    client: ClientArgument,
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSON, TOML or CSV", show_default=False)],
    as_json: Json = False,
) -> None:
    """Replace a client's rubric by that of a file.

    Skipped leads are due again when the rubric changes; scored leads keep their score.
    """
    from tallybook.stores.rubric_files import read_rubric, rubric_of_rows

    read = imported_from(file, read_rubric)
    rubric = rubric_of_rows(read.rows)
    with opened(ctx) as app:
        changed = app.clients.put_rubric(client, rubric)
    told_bad(file, read.bad)
    if as_json:
        facts = {"client_id": client, "file": file, "changed": changed, **_sizes(rubric), "bad": bad_in_json(read.bad)}
        output.emit(facts)
        return
    lead, post = len(rubric.attributes), len(rubric.post_attributes)
    news = "" if changed else "; it was the same before"
    output.say(f"{client} judges leads by {words.count(lead, 'attribute')}, posts by {post}{news}")


@app.command()
def show(ctx: typer.Context, client: ClientArgument, as_json: Json = False) -> None:
    """Show a client's rubric; with --json in the form that `rubric import` reads."""
    with opened(ctx) as app:
        rubric = app.clients.store(client).rubric()
    if as_json:
        output.emit(_in_json(client, rubric))
        return
    rows = [*_rows("lead", rubric.attributes), *_rows("post", rubric.post_attributes)]
    if not rows:
        output.note(f"{client} has no rubric yet: `tallybook rubric import {quote(client)} FILE` gives one.")
        return
    output.table(rows, HEADINGS, right=(3, 4))


def _sizes(rubric: "Rubric") -> dict[str, int]:
    return {"attributes": len(rubric.attributes), "post_attributes": len(rubric.post_attributes)}


def _in_json(client_id: str, rubric: "Rubric") -> Mapping[str, Any]:
    from tallybook.domain.rubric import rubric_version

    return {
        "client_id": client_id,
        "version": rubric_version(rubric.attributes) if rubric.attributes else None,
        "post_version": rubric_version(rubric.post_attributes) if rubric.post_attributes else None,
        "attributes": [_attribute_in_json(each) for each in rubric.attributes],
        "post_attributes": [_attribute_in_json(each) for each in rubric.post_attributes],
    }


def _attribute_in_json(attribute: "Attribute") -> Mapping[str, Any]:
    return {
        "id": attribute.id,
        "heading": attribute.heading,
        "category": attribute.category.value,
        _bound(attribute): attribute.points,
        "min_to_qualify": attribute.min_to_qualify,
        "disqualifying": attribute.disqualifying,
        "bonus": attribute.bonus,
        "active": attribute.active,
        "scale": attribute.scale.value,
        "instructions": attribute.instructions,
        "phrases": list(attribute.phrases),
    }


def _bound(attribute: "Attribute") -> str:
    return "max_points" if attribute.category.value == "positive" else "penalty"


def _rows(judges: str, attributes: "Sequence[Attribute]") -> list[tuple[str, ...]]:
    return [(judges, each.id, each.heading, _points(each), _least(each), _remarks(each)) for each in attributes]


def _points(attribute: "Attribute") -> str:
    return f"{'+' if _bound(attribute) == 'max_points' else '-'}{attribute.points:g}"


def _least(attribute: "Attribute") -> str:
    return "" if attribute.min_to_qualify is None else f"{attribute.min_to_qualify:g}"


def _remarks(attribute: "Attribute") -> str:
    told = {
        "all or nothing": attribute.scale.value == "fixed",
        "bonus": attribute.bonus,
        "disqualifying": attribute.disqualifying,
        "switched off": not attribute.active,
    }
    return ", ".join(word for word, holds in told.items() if holds)

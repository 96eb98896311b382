"""What `tallybook mirror` prints."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tallybook.cli import output
from tallybook.report import words
from tallybook.report.facts import moment

if TYPE_CHECKING:
    from tallybook.domain.telling import Part
    from tallybook.followers.airtable_mirror import Trouble
    from tallybook.followers.mirror_care import HowItIs
    from tallybook.followers.mirror_check import Checked, Difference
    from tallybook.followers.mirror_schema import Notice

MOST_SHOWN = 50


def checked(found: "Checked", *, as_json: bool) -> None:
    if as_json:
        output.emit(_in_json(found))
        return
    for each in found.differences[:MOST_SHOWN]:
        output.say(output.one_line(_in_words(each)))
    if len(found.differences) > MOST_SHOWN:
        output.say(f"… and {len(found.differences) - MOST_SHOWN} more; --json has them all")
    _say_parked(found.parked)
    _say_notices(found.notices)
    for copy in found.copies:
        kept = "; people wrote beside it, so it stays" if copy.notes else ""
        output.say(output.one_line(f"{copy.table} has {copy.key} once more ({copy.record_id}){kept}"))
    if found.gone:
        rows = words.count(len(found.gone), "row")
        output.say(f"{rows} deleted by people; `tallybook mirror repair --recreate` makes them again")
    differences = words.count(len(found.differences), "difference") if found.differences else "No difference"
    alone = found.others + found.found
    others = f", {words.count(alone, 'row')} of others left alone" if alone else ""
    if found.owed:
        output.say(f"{words.count(found.owed, 'row')} of runs that go on are told in their time.")
    output.say(f"{differences} in {words.count(found.rows, 'row')}{others}.")
    if not found.well:
        output.say("`tallybook mirror repair` writes them anew.")


def _say_parked(parked: "Sequence[tuple[Part, str]]") -> None:
    for part, why in parked[:MOST_SHOWN]:
        output.say(output.one_line(f"{_name(part)} was not taken: {why}"))


def _say_notices(notices: "Sequence[Notice]") -> None:
    for each in notices:
        output.say(output.one_line(f"Airtable: {each.text}"))


def _notice(each: "Notice") -> dict[str, str]:
    return {"change": each.change, "text": each.text, "at": each.at}


def _in_words(each: "Difference") -> str:
    if not each.column:
        return f"{each.key} is not in Airtable (yet)"
    return f"{each.table} {each.key}: {each.column} is {each.theirs!r}, but the books say {each.ours!r}"


def _name(part: "Part") -> str:
    return f"{part.client_id} of run {part.run_id}" if part.client_id else f"Run {part.run_id}"


def _in_json(found: "Checked") -> dict[str, object]:
    return {
        "rows": found.rows,
        "differences": [
            {
                "table": each.table or None,
                "key": each.key,
                "column": each.column or None,
                "books": each.ours,
                "airtable": each.theirs,
            }
            for each in found.differences
        ],
        "gone": [_part(each) for each in found.gone],
        "copies": [
            {"table": each.table, "key": each.key, "record_id": each.record_id, "notes": each.notes}
            for each in found.copies
        ],
        "parked": [{**_part(part), "error": why} for part, why in found.parked],
        "others": found.others,
        "found": found.found,
        "owed": found.owed,
        "notices": [_notice(each) for each in found.notices],
    }


def _part(part: "Part") -> dict[str, str | None]:
    return {"run_id": part.run_id, "client_id": part.client_id or None}


# -- how it is ---------------------------------------------------------------------------------------------------------


def how_it_is(base_id: str, how: "HowItIs", *, as_json: bool) -> None:
    if as_json:
        output.emit({"base": base_id, **_how_in_json(how)})
    elif not how.set_up and how.trouble is None:
        output.say("The mirror is not set up yet: `tallybook mirror setup`")
    else:
        _how_in_words(base_id, how)


def _how_in_json(how: "HowItIs") -> dict[str, object]:
    return {
        "set_up": how.set_up,
        "told": how.told,
        "owed": how.owed,
        "owed_since": moment(how.since),
        "trouble": how.trouble and _trouble_in_json(how.trouble),
        "parked": [{**_part(part), "error": why} for part, why in how.parked],
        "gone": how.gone,
        "retired": how.retired,
        "records": how.used,
        "records_allowed": how.most,
        "notices": [_notice(each) for each in how.notices],
    }


def _trouble_in_json(trouble: "Trouble") -> dict[str, str | None]:
    times = {"since": moment(trouble.since), "until": moment(trouble.until)}
    return {"kind": trouble.kind, "text": trouble.text, **times}


def _how_in_words(base_id: str, how: "HowItIs") -> None:
    since = f", the oldest since {words.instant(how.since)}" if how.since else ""
    output.facts(
        {
            "base": base_id,
            "rows told": how.told,
            "rows owed": f"{how.owed}{since}" if how.owed else "none",
            "deleted by people": how.gone or None,
            "taken out, too old": how.retired or None,
            "not taken": len(how.parked) or None,
            "records in the base": f"{how.used:,} of {how.most:,} (airtable.records_per_base)",
        }
    )
    trouble = how.trouble
    if trouble is not None:
        output.say(f"Waits since {words.instant(trouble.since)}, until {words.instant(trouble.until)}: {trouble.text}")
    _say_parked(how.parked)
    _say_notices(how.notices)
    if how.crowded:
        output.say("The base is nearly full, so the oldest runs are taken out; delete what you need no more.")

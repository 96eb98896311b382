"""Whatever is logged while a client run is in hand says of which run, client and operation it is."""

import logging
from collections.abc import Iterator, Mapping, Sequence

import pytest

from benchmarks.house import House
from tallybook.domain.concern import concerned
from tallybook.domain.ports import Answer, Item, Meter
from tallybook.domain.rubric import Attribute
from tallybook.scorers.scripted import ScriptedScorer
from tests.stories.acting import done, furnished


class Broken(ScriptedScorer):
    async def judge(self, attributes: Sequence[Attribute], items: Sequence[Item], meter: Meter) -> Mapping[str, Answer]:
        logging.getLogger("tallybook.scorers.broken").warning("about to break")
        raise ZeroDivisionError


@pytest.fixture
def said() -> Iterator[list[tuple[str, Mapping[str, str]]]]:
    """Every line of ours, with what it concerns."""
    lines: list[tuple[str, Mapping[str, str]]] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append((record.getMessage(), concerned()))

    kept = Kept()
    logging.getLogger("tallybook").addHandler(kept)
    yield lines
    logging.getLogger("tallybook").removeHandler(kept)


def test_what_a_plug_logs_says_what_it_concerns(sqlite_house: House, said: list[tuple[str, Mapping[str, str]]]) -> None:
    furnished(sqlite_house, "acme", "other", leads=1)
    run = done(sqlite_house, scorer=Broken())
    concerns = {
        (line, where["run"], where["client"], where["operation"])
        for line, where in said
        if "break" in line or "broke" in line
    }
    operation = "lead_scoring"
    assert concerns == {
        (line, run.run_id, client, operation)
        for client in ("acme", "other")
        for line in ("about to break", f"{operation} of client {client} broke")
    }
    assert concerned() == {}

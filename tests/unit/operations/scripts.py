"""A scorer that says what it is told to say, and the job that operations are given here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tallybook.domain.client import Client
from tallybook.domain.lead import Lead
from tallybook.domain.ports import Answer, Item, Job, Judgement, Meter
from tallybook.domain.rubric import Attribute, Category, Rubric, Verdict
from tallybook.domain.tally import Estimate
from tests.unit.scorers.recording import RecordingMeter

WANTED = Attribute("a", "Runs a company", Category.POSITIVE, 20)
ALSO_WANTED = Attribute("b", "Writes", Category.POSITIVE, 10)
UNWANTED = Attribute("z", "Seeks a job", Category.NEGATIVE, 10)
RUBRIC = Rubric((WANTED, ALSO_WANTED, UNWANTED), (WANTED, ALSO_WANTED, UNWANTED))


def says(
    a: float | None, b: float | None = 0, z: float | None = 0, assessment: str = "", flagged: bool = False
) -> Answer:
    return Judgement({"a": Verdict(a, "quote"), "b": Verdict(b), "z": Verdict(z)}, assessment, flagged)


@dataclass
class ToldScorer:
    """Answers an item by *tell*; *extra* are answers nobody asked for, *silent_on* the keys it leaves out."""

    tell: Callable[[Item], Answer]
    extra: Mapping[str, Answer] = field(default_factory=dict)
    silent_on: frozenset[str] = frozenset()
    asked: list[Sequence[Item]] = field(default_factory=list)
    attributes: Sequence[Attribute] = ()
    model: str = "told-1"
    prompt_version: str | None = "p7"

    async def judge(self, attributes: Sequence[Attribute], items: Sequence[Item], meter: Meter) -> Mapping[str, Answer]:
        self.asked.append(items)
        self.attributes = attributes
        told = {item.key: self.tell(item) for item in items if item.lead.lead_id not in self.silent_on}
        return {**self.extra, **dict(reversed(told.items()))}

    def estimate(self, attributes: Sequence[Attribute], items: Sequence[Item]) -> Estimate:
        return Estimate(1, len(items), len(attributes))


def job(leads: Sequence[Lead], rubric: Rubric = RUBRIC) -> Job:
    hashes = {lead.lead_id: f"hash of {lead.lead_id}" for lead in leads}
    return Job(Client("acme-law", "Acme Law", service_level=2), rubric, "r1", RecordingMeter(), hashes)

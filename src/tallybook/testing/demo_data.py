"""Three fictional clients with their rubrics and about sixty leads each, and what is true of every lead.

The same seed gives the same people and, written to files, the same bytes.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain

from tallybook.domain.client import Client
from tallybook.domain.lead import Lead
from tallybook.domain.outcome import LeadId
from tallybook.domain.rubric import Rubric
from tallybook.testing.demo_awkward import awkward_people, superseded
from tallybook.testing.demo_people import Golden, people
from tallybook.testing.demo_scripts import SCRIPTS, Script

SEED = 1
ORDINARY_LEADS = 48


@dataclass(frozen=True, slots=True)
class DemoClient:
    """*golden* holds the truth by lead id. *superseded*: rows of a lead file that a later row of it replaces."""

    client: Client
    rubric: Rubric
    leads: tuple[Lead, ...]
    golden: Mapping[LeadId, Golden]
    superseded: tuple[Lead, ...]


def demo_clients(seed: int = SEED) -> tuple[DemoClient, ...]:
    return tuple(_demo_client(script, seed) for script in SCRIPTS)


def many_leads(count: int, seed: int = SEED) -> Iterator[Lead]:
    """Ordinary leads of the first client, of realistic length and without posts, made one at a time."""
    script = replace(SCRIPTS[0], post_traits=())
    return (person.lead for person in people(script, random.Random(seed), count))


def _demo_client(script: Script, seed: int) -> DemoClient:
    rng = random.Random(f"{seed} {script.client.client_id}")
    cast = list(chain(people(script, rng, ORDINARY_LEADS), awkward_people(script)))
    return DemoClient(
        script.client,
        script.rubric,
        tuple(person.lead for person in cast),
        {person.lead.lead_id: person.golden for person in cast},
        tuple(superseded(script)),
    )

"""The demo as the files an operator would import: clients.csv, and of every client its leads, rubric and posts."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tallybook.domain.lead import Lead, Position
from tallybook.domain.rubric import Attribute, Category, Rubric
from tallybook.testing.demo_data import SEED, DemoClient, demo_clients

SERVICE_LEVELS = {1: "1-Lead Scoring", 2: "2-Lead Scoring + Post Scoring", 3: "3-Lead Scoring + Post Scoring + Support"}
MOST_POSITIONS = 2


def write_demo(folder: Path, seed: int = SEED) -> Sequence[Path]:
    """Write all files of the demo into *folder*, which is made if need be. Gives their paths, clients.csv first."""
    folder.mkdir(parents=True, exist_ok=True)
    files = demo_files(seed)
    for name, text in files.items():
        (folder / name).write_bytes(text.encode())
    return [folder / name for name in files]


def demo_files(seed: int = SEED) -> Mapping[str, str]:
    """File name -> text. A client without posts has no posts file."""
    demo = demo_clients(seed)
    return {"clients.csv": _clients_csv(demo)} | {name: text for each in demo for name, text in _files_of(each)}


def _files_of(demo: DemoClient) -> Iterator[tuple[str, str]]:
    client_id = demo.client.client_id
    yield f"{client_id}-leads.csv", _csv([_lead_row(lead) for lead in (*demo.superseded, *demo.leads)])
    yield f"{client_id}-rubric.json", _json(_rubric(demo.rubric))
    posts = {lead.profile_url: _posts(lead) for lead in demo.leads if _posts(lead)}
    if posts:
        yield f"{client_id}-posts.json", _json(posts)


def _clients_csv(demo: Sequence[DemoClient]) -> str:
    return _csv([_client_row(each) for each in demo])


def _client_row(demo: DemoClient) -> Mapping[str, str]:
    client = demo.client
    return {
        "client_id": client.client_id,
        "client_name": client.name,
        "stream": str(client.stream),
        "service_level": SERVICE_LEVELS[client.service_level],
        "status": client.status.value.capitalize(),
        "timezone": client.timezone or "",
    }


def _lead_row(lead: Lead) -> Mapping[str, str]:
    """In the columns of a LinkedHelper export."""
    row = {
        "profile_url": lead.profile_url,
        "full_name": lead.full_name,
        "headline": lead.headline,
        "summary": lead.about,
        "location_name": lead.location,
        "industry": lead.industry,
    }
    padded = (*lead.positions, *[Position()] * MOST_POSITIONS)[:MOST_POSITIONS]
    for number, position in enumerate(padded, start=1):
        row |= _position_cells(number, position)
    return row | {"skills": ", ".join(lead.skills)}


def _position_cells(number: int, position: Position) -> dict[str, str]:
    return {
        f"organization_{number}": position.company,
        f"organization_title_{number}": position.title,
        f"organization_description_{number}": position.description,
        f"organization_start_{number}": position.started,
    }


def _rubric(rubric: Rubric) -> Mapping[str, object]:
    return {
        "attributes": [_attribute(each) for each in rubric.attributes],
        "post_attributes": [_attribute(each) for each in rubric.post_attributes],
    }


def _attribute(attribute: Attribute) -> Mapping[str, object]:
    bound = "max_points" if attribute.category is Category.POSITIVE else "penalty"
    minimum = {} if attribute.min_to_qualify is None else {"min_to_qualify": attribute.min_to_qualify}
    return {
        "id": attribute.id,
        "heading": attribute.heading,
        "category": attribute.category.value,
        bound: attribute.points,
        **minimum,
        "disqualifying": attribute.disqualifying,
        "bonus": attribute.bonus,
        "active": attribute.active,
        "scale": attribute.scale.value,
        "instructions": attribute.instructions,
        "phrases": list(attribute.phrases),
    }


def _posts(lead: Lead) -> Sequence[Mapping[str, object]]:
    """Without the blank ones: an import refuses a post that says nothing."""
    said = [post for post in lead.posts if post.text.strip()]
    return [{"url": p.url, "text": p.text, "posted_at": p.posted_at, "is_repost": p.is_repost} for p in said]


def _csv(rows: Sequence[Mapping[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _json(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"

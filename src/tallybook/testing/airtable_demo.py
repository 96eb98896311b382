"""The demo as Airtable bases: the operator's, and one for each client with its leads and what they are judged by."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tallybook.domain.lead import Lead, Position, Post
from tallybook.domain.rubric import Attribute, Category
from tallybook.domain.run import JobType
from tallybook.testing.airtable_fields import (
    Column,
    checkbox,
    currency,
    date_time,
    link,
    long_text,
    number,
    percent,
    select,
    text,
    url,
)
from tallybook.testing.airtable_server import AirtableServer, OpenBase
from tallybook.testing.demo_data import SEED, DemoClient, demo_clients
from tallybook.testing.demo_files import SERVICE_LEVELS

STATUSES = ("Running", "Completed", "Failed", "Completed_with_errors", "Canceled", "Timed_out")
OPERATOR_ID = "appOperator000001"

CLIENTS: Sequence[Column] = (
    text("Client ID"),
    text("Client Name"),
    select("Status", "Active", "Paused"),
    text("Airtable Base ID"),
    select("Service Level", *SERVICE_LEVELS.values()),
    number("Processing Stream"),
    text("Timezone"),
    number("Daily Token Budget"),
    number("Monthly Token Budget"),
    currency("Daily Budget"),
    currency("Monthly Budget"),
)
JOB_TRACKING: Sequence[Column] = (
    text("Run ID"),
    select("Status", *STATUSES),
    select("Job Type", *JobType),
    number("Stream"),
    select("Triggered By", "Cron", "Manual", "API"),
    date_time("Start Time"),
    date_time("End Time"),
    number("Duration", 1),
    number("Total Clients"),
    number("Successful Clients"),
    number("Failed Clients"),
    percent("Success Rate", 1),
    number("Total Leads"),
    number("Successful Leads"),
    number("Failed Leads"),
    number("Skipped Leads"),
    percent("Lead Success Rate", 1),
    number("Items Processed"),
    number("Prompt Tokens"),
    number("Completion Tokens"),
    number("Total Tokens"),
    currency("Estimated Cost", 4),
    long_text("Error"),
    long_text("System Notes"),
    text("Apify Run ID"),
    long_text("Notes"),
)
CLIENT_RUN_RESULTS: Sequence[Column] = (
    text("Run ID"),
    link("Job", "Job Tracking"),
    text("Client ID"),
    text("Client Name"),
    select("Status", *STATUSES),
    date_time("Start Time"),
    date_time("End Time"),
    number("Duration", 1),
    number("Total Leads"),
    number("Successful Leads"),
    number("Failed Leads"),
    number("Skipped Leads"),
    percent("Lead Success Rate", 1),
    number("Profiles Examined for Scoring"),
    number("Profiles Successfully Scored"),
    number("Profile Scoring Tokens"),
    number("Posts Examined for Scoring"),
    number("Posts Successfully Scored"),
    number("Post Scoring Tokens"),
    number("Profiles Submitted for Post Harvesting"),
    number("Total Posts Harvested"),
    number("Posts Processed"),
    number("Leads Processed"),
    number("Errors"),
    number("Prompt Tokens"),
    number("Completion Tokens"),
    number("Total Tokens"),
    number("Average Tokens Per Lead", 1),
    currency("Estimated Cost", 4),
    text("Apify Run ID"),
    currency("Apify API Costs", 4),
    long_text("Error Details"),
    long_text("System Notes"),
    long_text("Notes"),
)
LEADS: Sequence[Column] = (
    url("LinkedIn Profile URL"),
    text("Full Name"),
    text("Headline"),
    long_text("About"),
    text("Location"),
    text("Industry"),
    text("Job Title"),
    text("Company Name"),
    long_text("Job History"),
    long_text("Skills"),
    select("Scoring Status", "To Be Scored", "Scored", "Excluded", "Skipped", "Failed"),
    number("AI Score", 2),
    long_text("AI Profile Assessment"),
    long_text("AI Attribute Breakdown"),
    date_time("Date Scored"),
    long_text("Posts Content"),
    number("Posts Relevance Score", 2),
    long_text("Posts AI Evaluation"),
    long_text("Top Scoring Post"),
    date_time("Date Posts Scored"),
    text("Posts Skip Reason"),
    select("Posts Harvest Status", "Pending", "Processing", "Done", "No Posts", "Error"),
    date_time("Last Post Check At"),
    number("Posts Found (Last Run)"),
)
SCORING_ATTRIBUTES: Sequence[Column] = (
    text("Attribute ID"),
    text("Heading"),
    select("For", "Lead", "Post"),
    select("Category", "Positive", "Negative"),
    number("Max Points", 1),
    number("Penalty", 1),
    number("Min To Qualify", 1),
    checkbox("Disqualifying"),
    checkbox("Bonus"),
    checkbox("Active"),
    select("Scale", "Scale", "Fixed"),
    long_text("Instructions"),
    long_text("Phrases"),
)


def add_demo(server: AirtableServer, seed: int = SEED) -> OpenBase:
    """Gives the operator's base, with no run in it yet. The ids of the bases are the same every time."""
    demo = demo_clients(seed)
    operator = add_operator(server, [(_client_row(each), base_id_of(each.client.client_id)) for each in demo])
    for each in demo:
        base = add_client(server, each.client.name, base_id_of(each.client.client_id))
        base.table("Leads").add_many(map(lead_row, each.leads))
        base.table("Scoring Attributes").add_many(_attribute_rows(each))
    return operator


def add_operator(server: AirtableServer, clients: Sequence[tuple[Mapping[str, Any], str]] = ()) -> OpenBase:
    """*clients*: their rows, and the ids of their bases."""
    tables = {"Clients": CLIENTS, "Job Tracking": JOB_TRACKING, "Client Run Results": CLIENT_RUN_RESULTS}
    base = server.add_base("Operator", tables, base_id=OPERATOR_ID)
    base.table("Clients").add_many({**row, "Airtable Base ID": base_id} for row, base_id in clients)
    return base


def add_client(server: AirtableServer, name: str, base_id: str | None = None) -> OpenBase:
    """With no lead yet."""
    return server.add_base(name, {"Leads": LEADS, "Scoring Attributes": SCORING_ATTRIBUTES}, base_id=base_id)


def base_id_of(client_id: str) -> str:
    letters = "".join(letter for letter in client_id.title() if letter.isascii() and letter.isalnum())
    return f"app{letters[:14]:0<14}"


def lead_row(lead: Lead) -> dict[str, Any]:
    """Empty texts are left out, as Airtable does."""
    now = lead.positions[0] if lead.positions else Position()
    cells = {
        "LinkedIn Profile URL": lead.profile_url,
        "Full Name": lead.full_name,
        "Headline": lead.headline,
        "About": lead.about,
        "Location": lead.location,
        "Industry": lead.industry,
        "Job Title": now.title,
        "Company Name": now.company,
        "Job History": "\n\n".join(map(_told, lead.positions)),
        "Skills": ", ".join(lead.skills),
        "Posts Content": _json([_post(each) for each in lead.posts]),
        "Scoring Status": "To Be Scored",
    }
    return {name: cell for name, cell in cells.items() if cell}


def _told(position: Position) -> str:
    where = f"{position.title}, {position.company}"
    return "\n".join(
        filter(None, (f"{where}, since {position.started}" if position.started else where, position.description))
    )


def _post(post: Post) -> Mapping[str, object]:
    return {"url": post.url, "text": post.text, "posted_at": post.posted_at, "is_repost": post.is_repost}


def _json(rows: Sequence[Mapping[str, object]]) -> str:
    return json.dumps(rows, ensure_ascii=False) if rows else ""


def _client_row(demo: DemoClient) -> Mapping[str, Any]:
    client = demo.client
    return {
        "Client ID": client.client_id,
        "Client Name": client.name,
        "Status": client.status.value.capitalize(),
        "Service Level": SERVICE_LEVELS[client.service_level],
        "Processing Stream": client.stream,
        **({"Timezone": client.timezone} if client.timezone else {}),
    }


def _attribute_rows(demo: DemoClient) -> Iterator[Mapping[str, Any]]:
    for attribute in demo.rubric.attributes:
        yield _attribute_row("Lead", attribute)
    for attribute in demo.rubric.post_attributes:
        yield _attribute_row("Post", attribute)


def _attribute_row(judges: str, attribute: Attribute) -> Mapping[str, Any]:
    bound = "Max Points" if attribute.category is Category.POSITIVE else "Penalty"
    return {
        "Attribute ID": attribute.id,
        "Heading": attribute.heading,
        "For": judges,
        "Category": attribute.category.value.capitalize(),
        bound: attribute.points,
        "Min To Qualify": attribute.min_to_qualify,
        "Disqualifying": attribute.disqualifying,
        "Bonus": attribute.bonus,
        "Active": attribute.active,
        "Scale": attribute.scale.value.capitalize(),
        "Instructions": attribute.instructions,
        "Phrases": "\n".join(attribute.phrases),
    }

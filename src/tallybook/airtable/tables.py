"""The tables we know in Airtable: two of the mirror and one of clients in the operator's base, two in each client's."""

from dataclasses import replace

from tallybook.airtable.schema import Column, Kind, Owner, TableSchema
from tallybook.domain.run import JobType, Status, Trigger

STATUS_OPTIONS = tuple(dict.fromkeys(status.mirrored for status in Status))
TRIGGER_OPTIONS = {Trigger.CRON: "Cron", Trigger.MANUAL: "Manual", Trigger.API: "API"}


def _text(key: str, name: str, *also: str) -> Column:
    return Column(key, name, Kind.TEXT, also=also)


def _long(key: str, name: str, *also: str) -> Column:
    return Column(key, name, Kind.LONG_TEXT, also=also)


def _number(key: str, name: str, *also: str, decimals: int = 0) -> Column:
    return Column(key, name, Kind.NUMBER, also=also, decimals=decimals)


def _money(key: str, name: str, *also: str) -> Column:
    return Column(key, name, Kind.MONEY, also=also)


def _share(key: str, name: str, *also: str) -> Column:
    return Column(key, name, Kind.SHARE, also=also)


def _time(key: str, name: str, *also: str) -> Column:
    return Column(key, name, Kind.TIME, also=also)


def _choice(key: str, name: str, *options: str) -> Column:
    return Column(key, name, Kind.CHOICE, options=options)


def _flag(key: str, name: str, *also: str) -> Column:
    return Column(key, name, Kind.FLAG, also=also)


def _of_people(*columns: Column) -> tuple[Column, ...]:
    return tuple(replace(column, owner=Owner.PERSON) for column in columns)


def _key(column: Column) -> Column:
    return replace(column, needed=True)


_DURATION = Column("duration", "Duration", Kind.MINUTES, decimals=1)
_STATUS = _choice("status", "Status", *STATUS_OPTIONS)
_TIMES = (_time("started_at", "Start Time"), _time("ended_at", "End Time"))
_TOKENS = (
    _number("prompt_tokens", "Prompt Tokens"),
    _number("completion_tokens", "Completion Tokens"),
    _number("total_tokens", "Total Tokens", "AI Tokens Used", "Token Usage"),
)
_LEAD_FIGURES = (
    _number("total_leads", "Total Leads"),
    _number("successful_leads", "Successful Leads"),
    _number("failed_leads", "Failed Leads"),
    _number("skipped_leads", "Skipped Leads"),
    _share("lead_success_rate", "Lead Success Rate"),
)
_NOTES = (_long("system_notes", "System Notes"), *_of_people(_long("notes", "Notes")))

JOB_TRACKING = TableSchema(
    "job_tracking",
    "Job Tracking",
    (
        _key(_text("run_id", "Run ID")),
        _STATUS,
        _choice("job_type", "Job Type", *JobType),
        _number("stream", "Stream"),
        _choice("triggered_by", "Triggered By", *TRIGGER_OPTIONS.values()),
        *_TIMES,
        _DURATION,
        _number("total_clients", "Total Clients"),
        _number("successful_clients", "Successful Clients"),
        _number("failed_clients", "Failed Clients"),
        _share("success_rate", "Success Rate"),
        *_LEAD_FIGURES,
        _number("items_processed", "Items Processed"),
        *_TOKENS,
        _money("estimated_cost_usd", "Estimated Cost"),
        _long("error", "Error", "Error Details"),
        _text("apify_run_id", "Apify Run ID"),
        *_NOTES,
    ),
    made=True,
)

CLIENT_RUN_RESULTS = TableSchema(
    "client_run_results",
    "Client Run Results",
    (
        _key(_text("label", "Run ID")),
        Column("job", "Job", Kind.LINK, link="job_tracking", also=("Job Tracking",)),
        _text("client_id", "Client ID"),
        _text("client_name", "Client Name"),
        _STATUS,
        *_TIMES,
        _DURATION,
        *_LEAD_FIGURES,
        _number("profiles_examined", "Profiles Examined for Scoring"),
        _number("profiles_scored", "Profiles Successfully Scored"),
        _number("profile_tokens", "Profile Scoring Tokens"),
        _number("posts_examined", "Posts Examined for Scoring"),
        _number("posts_scored", "Posts Successfully Scored"),
        _number("post_tokens", "Post Scoring Tokens"),
        _number("profiles_submitted", "Profiles Submitted for Post Harvesting"),
        _number("posts_harvested", "Total Posts Harvested"),
        _number("posts_processed", "Posts Processed"),
        _number("leads_processed", "Leads Processed"),
        _number("errors", "Errors"),
        *_TOKENS,
        _number("tokens_per_lead", "Average Tokens Per Lead", decimals=1),
        _money("estimated_cost_usd", "Estimated Cost"),
        _text("apify_run_id", "Apify Run ID"),
        _money("apify_cost_usd", "Apify API Costs"),
        _long("error", "Error Details", "Error"),
        *_NOTES,
    ),
    made=True,
)

CLIENTS = TableSchema(
    "clients",
    "Clients",
    _of_people(
        _key(_text("client_id", "Client ID")),
        _text("client_name", "Client Name", "Name"),
        _text("status", "Status"),
        _text("base_id", "Airtable Base ID", "Base ID"),
        _text("service_level", "Service Level"),
        _number("stream", "Processing Stream", "Stream"),
        _text("timezone", "Timezone", "Time Zone"),
        _number("tokens_per_day", "Daily Token Budget", "Tokens Per Day"),
        _number("tokens_per_month", "Monthly Token Budget", "Tokens Per Month"),
        _money("usd_per_day", "Daily Budget", "USD Per Day"),
        _money("usd_per_month", "Monthly Budget", "USD Per Month"),
    ),
)

LEADS = TableSchema(
    "leads",
    "Leads",
    (
        *_of_people(
            _key(_text("profile_url", "LinkedIn Profile URL", "Profile URL", "LinkedIn URL")),
            _text("full_name", "Full Name", "Name"),
            _text("first_name", "First Name"),
            _text("last_name", "Last Name"),
            _text("headline", "Headline"),
            _long("about", "About", "Summary"),
            _text("location", "Location"),
            _text("industry", "Industry"),
            _text("job_title", "Job Title", "Position"),
            _text("company", "Company Name", "Company"),
            _long("job_history", "Job History"),
            _long("skills", "Skills"),
            _long("raw_profile", "Raw Profile Data", "Profile Full JSON"),
        ),
        _choice("scoring_status", "Scoring Status", "To Be Scored", "Scored", "Excluded", "Skipped", "Failed"),
        _number("score", "AI Score", decimals=2),
        _long("assessment", "AI Profile Assessment"),
        _long("breakdown", "AI Attribute Breakdown"),
        _time("scored_at", "Date Scored"),
        _long("posts", "Posts Content"),
        _number("posts_score", "Posts Relevance Score", decimals=2),
        _long("posts_breakdown", "Posts AI Evaluation"),
        _long("best_post", "Top Scoring Post"),
        _time("posts_scored_at", "Date Posts Scored"),
        _text("posts_skip_reason", "Posts Skip Reason"),
        _choice("harvest_status", "Posts Harvest Status", "Pending", "Processing", "Done", "No Posts", "Error"),
        _time("posts_checked_at", "Last Post Check At"),
        _number("posts_found", "Posts Found (Last Run)"),
    ),
)

SCORING_ATTRIBUTES = TableSchema(
    "scoring_attributes",
    "Scoring Attributes",
    _of_people(
        _key(_text("attribute_id", "Attribute ID")),
        _text("heading", "Heading"),
        _text("category", "Category"),
        _number("max_points", "Max Points"),
        _number("penalty", "Penalty"),
        _number("min_to_qualify", "Min To Qualify"),
        _flag("disqualifying", "Disqualifying"),
        _flag("bonus", "Bonus", "Bonus Points"),
        _flag("active", "Active"),
        _text("scale", "Scale"),
        _text("judges", "For"),
        _long("instructions", "Instructions"),
        _long("phrases", "Phrases", "Signals"),
    ),
)

OPERATOR_TABLES = (JOB_TRACKING, CLIENT_RUN_RESULTS, CLIENTS)
CLIENT_TABLES = (LEADS, SCORING_ATTRIBUTES)

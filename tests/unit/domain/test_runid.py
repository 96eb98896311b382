"""Every form of run id that was ever written, and what must hold for any text at all."""

import json
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tallybook.domain.errors import InvalidRunId
from tallybook.domain.runid import Form, RunId, display, label, structured_id, timestamp_id

STAMP = "250924-001234"
DAILY = "SR-250924-001"
NOON_MS = 1_758_715_200_123  # 2025-09-24T12:00:00.123Z
MIDNIGHT = datetime(2025, 9, 24, tzinfo=UTC)
AWKWARD_CLIENTS = "Guy-Wilson Acme-Corp 7 - a--b X-x Acme-Acme2 T1-S1-CX o'Neil a/b\\c {x} 🦊 👩\u200d🚀 日本"
NO_RUN_IDS = f"""
    run-1 undefined null 8MSTBAfqMzuXPvgB3-CGuy-Wilson
    250924001234 250924-0012345 2509240-01234 {STAMP}- {STAMP}Ada \N{FULLWIDTH DIGIT TWO}{STAMP[1:]}
    SR250924001 sr-250924-001 SR-250924-1 SR-250924-0001 SR-250924-001- SR-25092\N{ARABIC-INDIC DIGIT FOUR}-001
    job__20250929094802 job_post_scoring_stream_20250929094802 job_post_scoring_stream1_2025092909480
    job_post_scoring_bypass_175871520012 smart_resume_{NOON_MS} smart_resume_{NOON_MS}_ post_batch_standalone_1
"""
NAMES = ("number", "stream", "task", "client", "issue", "operation", "token", "rest")


def said(run_id: RunId) -> dict[str, object]:
    """What the id says beyond its form, key and time."""
    facts = {name: getattr(run_id, name) for name in NAMES} | {"doubled": run_id.doubled or None}
    return {name: value for name, value in facts.items() if value is not None}


def tails(table: dict[str, dict[str, object]]) -> pytest.MarkDecorator:
    """What follows SR-250924-001, and what it is expected to say beside the number 1."""
    return pytest.mark.parametrize(("tail", "expected"), table.items())


# YYMMDD-HHMMSS


def test_a_timestamp_id_names_its_second_in_utc() -> None:
    run_id = RunId.parse(STAMP)
    assert run_id == RunId(STAMP, Form.TIMESTAMP, STAMP, datetime(2025, 9, 24, 0, 12, 34, tzinfo=UTC))


@pytest.mark.parametrize("client", [*AWKWARD_CLIENTS.split(), 'Ana "A" & Söhne'])
def test_what_follows_a_timestamp_is_the_client_verbatim(client: str) -> None:
    run_id = RunId.parse(f"{STAMP}-{client}")
    assert (run_id.key, said(run_id)) == (STAMP, {"client": client})


@pytest.mark.parametrize("times", [2, 3, 4])
def test_a_client_suffix_that_stands_several_times_is_read_once(times: int) -> None:
    """F04"""
    run_id = RunId.parse(STAMP + times * "-Guy-Wilson")
    assert (run_id.key, said(run_id)) == (STAMP, {"client": "Guy-Wilson", "doubled": True})


# SR-YYMMDD-NNN


@tails(
    {
        "": {},
        "-S1": {"stream": 1},
        "-S12-T0042": {"stream": 12, "task": "0042"},
        "-T3304-S1": {"task": "3304", "stream": 1},
        "-T3304-S1-CGuy-Wilson": {"task": "3304", "stream": 1, "client": "Guy-Wilson"},
        "-CGuy-Wilson-T3304-S1": {"task": "3304", "stream": 1, "client": "Guy-Wilson"},
        "-S1-CGuy-Wilson-T3304": {"task": "3304", "stream": 1, "client": "Guy-Wilson"},
        "-CAcme-Corp": {"client": "Acme-Corp"},
        "-Ctest-client": {"client": "test-client"},
        "-CComplex-Client-ID-123": {"client": "Complex-Client-ID-123"},
        "-CSmith-T1000x": {"client": "Smith-T1000x"},
        "-CAda-T12345": {"client": "Ada-T12345"},
        "-CAda-S": {"client": "Ada-S"},
        "-S1-CAda-S2": {"stream": 1, "client": "Ada-S2"},
        "-T1-CAda-T2": {"task": "1", "client": "Ada-T2"},
        "-CAda--Lo": {"client": "Ada--Lo"},
        "-S1-C🦊 & o'Neil": {"stream": 1, "client": "🦊 & o'Neil"},
    }
)
def test_the_parts_of_a_structured_id_may_come_in_any_order(tail: str, expected: dict[str, object]) -> None:
    run_id = RunId.parse(DAILY + tail)
    assert (run_id.form, run_id.key, run_id.at) == (Form.STRUCTURED, DAILY, MIDNIGHT)
    assert said(run_id) == {"number": 1} | expected


@tails(
    {
        "-S1-CGuy-Wilson-CGuy-Wilson": {"stream": 1, "client": "Guy-Wilson"},
        "-CGuy-Wilson-CGuy-Wilson-CGuy-Wilson": {"client": "Guy-Wilson"},
        "-CAcme-Corp-CAcme-Corp": {"client": "Acme-Corp"},
        "-CGuy-Wilson-S1-CGuy-Wilson": {"stream": 1, "client": "Guy-Wilson"},
        "-S1-Guy-Wilson-CGuy-Wilson": {"stream": 1, "client": "Guy-Wilson", "rest": "Guy-Wilson"},
        "-S1-Guy-Wilson-Guy-Wilson": {"stream": 1, "rest": "Guy-Wilson-Guy-Wilson"},
        "-test-client-Ctest-client": {"rest": "test-client-Ctest-client"},
    }
)
def test_a_repeated_client_part_is_a_repeat(tail: str, expected: dict[str, object]) -> None:
    """F04"""
    assert said(RunId.parse(DAILY + tail)) == {"number": 1, "doubled": True} | expected


@pytest.mark.parametrize("client", ["Ada-CBen", "Ada-Corp", "Acme-CAcme-Corp", "Ada-CAdam", "Baden-Baden"])
def test_a_second_c_that_repeats_nothing_belongs_to_the_client(client: str) -> None:
    assert said(RunId.parse(f"{DAILY}-C{client}")) == {"number": 1, "client": client}


@tails(
    {
        "-T3304-S1-Guy-Wilson": {"task": "3304", "stream": 1, "rest": "Guy-Wilson"},
        "-S1-Acme-Corp": {"stream": 1, "rest": "Acme-Corp"},
        "-Smith-T1000x": {"rest": "Smith-T1000x"},
        "-Guy-S1-Wilson": {"stream": 1, "rest": "Guy-Wilson"},
        "-T1-T2": {"task": "1", "rest": "T2"},
        "-POSTS": {"rest": "POSTS"},
        "-Night-CGuy-Wilson": {"rest": "Night", "client": "Guy-Wilson"},
        "-C": {"rest": "C"},
        "-C-Guy": {"rest": "C-Guy"},
    }
)
def test_what_has_no_prefix_is_kept_as_the_rest(tail: str, expected: dict[str, object]) -> None:
    assert said(RunId.parse(DAILY + tail)) == {"number": 1} | expected


@tails(
    {
        "-S2-CABC-POSTS": {"stream": 2, "client": "ABC", "issue": "POSTS"},
        "-S1-CALL-BATCH": {"stream": 1, "client": "ALL", "issue": "BATCH"},
        "-CGuy-Wilson-CGuy-Wilson-LEADS": {"client": "Guy-Wilson", "issue": "LEADS", "doubled": True},
        "-CAda-S1-night-shift": {"stream": 1, "client": "Ada", "issue": "night-shift"},
        "-CAda-POSTS-S1-late": {"stream": 1, "client": "Ada", "issue": "POSTS-late"},
        "-CAda-posts": {"client": "Ada-posts"},
        "-CSCORE": {"client": "SCORE"},
    }
)
def test_an_issue_is_seen_when_it_cannot_be_part_of_the_client(tail: str, expected: dict[str, object]) -> None:
    assert said(RunId.parse(DAILY + tail)) == {"number": 1} | expected


@pytest.mark.parametrize(
    ("tail", "name"),
    [("-S1", None), ("-S1-Guy-Wilson", "Guy-Wilson"), ("-Ada-Ada", "Ada"), ("-ada-Cada", "ada"), ("-CAda", None)],
)
def test_the_rest_is_offered_once_as_client_or_issue(tail: str, name: str | None) -> None:
    assert RunId.parse(DAILY + tail).client_or_issue == name


# What else the old system wrote


@pytest.mark.parametrize("operation", ["lead_scoring", "post_harvesting", "post_scoring", "post-scoring"])
def test_a_stream_job_names_operation_stream_and_second(operation: str) -> None:
    text = f"job_{operation}_stream12_20250929094802"
    at = datetime(2025, 9, 29, 9, 48, 2, tzinfo=UTC)
    assert RunId.parse(text) == RunId(text, Form.STREAM_JOB, text, at, stream=12, operation=operation)


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        (f"job_post_scoring_bypass_{NOON_MS}", Form.BYPASS, {"operation": "post_scoring"}),
        (f"smart_resume_{NOON_MS}_n3rke", Form.SMART_RESUME, {"token": "n3rke"}),
        (f"post_batch_standalone_{NOON_MS}", Form.STANDALONE, {}),
    ],
)
def test_an_id_made_from_milliseconds_names_its_instant(text: str, form: Form, expected: dict[str, object]) -> None:
    run_id = RunId.parse(text)
    assert (run_id.text, run_id.form, run_id.key, said(run_id)) == (text, form, text, expected)
    assert run_id.at == datetime(2025, 9, 24, 12, 0, 0, 123_000, tzinfo=UTC)


# What is refused


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        (f" {STAMP}", "white space"),
        (f"{STAMP}-Ada ", "white space"),
        (f"{STAMP}\n", "white space"),
        (f"{STAMP}-A\x00B", "control character"),
        (f"{STAMP}-A\nB", "control character"),
        (f"{STAMP}-A\u2028B", "control character"),
        (f"{STAMP}-\ud800", "control character"),
        (f"{STAMP}-{'x' * 187}", "201 characters"),
        ("251301-000000", "month"),
        ("250230-000000", "no real day"),
        ("250924-256100", "hour"),
        ("250924-000060", "second"),
        ("250924-240000", "hour"),
        ("SR-250924-000", "starts at 001"),
        ("SR-250924-001-S1-", "nothing between"),
        ("job_post_scoring_stream1_00000109094802", "year"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_is_accepted_in_one_line(text: str, why: str) -> None:
    with pytest.raises(InvalidRunId, match=why) as refused:
        RunId.parse(text)
    assert "accepted: YYMMDD-HHMMSS[-client], SR-YYMMDD-NNN" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("text", NO_RUN_IDS.split())
def test_what_was_never_a_run_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidRunId, match="none of the accepted forms"):
        RunId.parse(text)


def test_digits_of_other_scripts_are_no_task_and_no_stream() -> None:
    tail = "T\N{FULLWIDTH DIGIT ONE}-S\N{ARABIC-INDIC DIGIT TWO}"
    assert said(RunId.parse(f"{DAILY}-{tail}")) == {"number": 1, "rest": tail}


@pytest.mark.parametrize("value", [None, 250924, 1.5, b"250924-001234", ["250924-001234"], {}, object()])
def test_what_is_no_text_is_refused_by_the_same_error(value: object) -> None:
    """F39"""
    with pytest.raises(InvalidRunId, match=f"not {type(value).__name__}"):
        RunId.parse(value)


def test_the_longest_run_id_has_two_hundred_characters() -> None:
    assert RunId.parse(f"{STAMP}-{'ab' * 93}").client == "ab" * 93


# Making ids and labels


def test_a_timestamp_id_is_read_off_the_clocks_of_its_zone() -> None:
    at = datetime(2025, 12, 31, 23, 30, tzinfo=UTC)
    assert timestamp_id(at) == "251231-233000"
    assert timestamp_id(at, ZoneInfo("Europe/Berlin")) == "260101-003000"
    assert timestamp_id(at.replace(1999), ZoneInfo("Europe/Berlin")) == "000101-003000"


@pytest.mark.parametrize(
    ("at", "zone"),
    [
        (MIDNIGHT.replace(tzinfo=None), UTC),
        (MIDNIGHT.replace(1999), UTC),
        (datetime(2099, 12, 31, 23, 59, tzinfo=UTC), timezone(timedelta(hours=1))),
        (datetime.max.replace(tzinfo=UTC), timezone(timedelta(hours=1))),
        (datetime.min.replace(tzinfo=UTC), timezone(-timedelta(hours=1))),
    ],
)
def test_a_timestamp_id_needs_an_instant_within_its_century(at: datetime, zone: tzinfo) -> None:
    with pytest.raises(InvalidRunId):
        timestamp_id(at, zone)


def test_a_structured_id_numbers_the_runs_of_a_day() -> None:
    assert structured_id(date(2025, 9, 24), 1) == "SR-250924-001"
    assert structured_id(date(2025, 9, 24), 999) == "SR-250924-999"


@pytest.mark.parametrize(
    ("day", "number"), [(date(2025, 9, 24), 0), (date(2025, 9, 24), 1000), (date(2100, 1, 1), 1), (date(1999, 1, 1), 1)]
)
def test_a_structured_id_refuses_what_it_cannot_write(day: date, number: int) -> None:
    with pytest.raises(InvalidRunId):
        structured_id(day, number)


def test_the_structured_display_adds_what_is_known() -> None:
    assert display(DAILY) == DAILY
    assert display(DAILY, stream=0) == "SR-250924-001-S0"
    assert display(DAILY, stream=2, issue="POSTS") == "SR-250924-001-S2-POSTS"
    assert display(DAILY, stream=2, client="ABC", issue="POSTS") == "SR-250924-001-S2-CABC-POSTS"


def test_any_other_key_is_displayed_as_it_is() -> None:
    assert display(STAMP, stream=2, client="ABC", issue="POSTS") == STAMP


@pytest.mark.parametrize(("run_id", "client_id"), [("", "acme"), (STAMP, ""), (STAMP, None), (None, "acme")])
def test_a_label_without_a_client_or_a_run_is_refused(run_id: str, client_id: str) -> None:
    """F39"""
    with pytest.raises(InvalidRunId, match="needs a run id and a client id"):
        label(run_id, client_id)


def test_a_run_id_is_told_as_json_without_what_it_does_not_say() -> None:
    told = RunId.parse(f"{STAMP}-Ada-Ada").as_json()
    assert json.loads(json.dumps(told)) == {
        "text": "250924-001234-Ada-Ada",
        "form": "timestamp",
        "key": "250924-001234",
        "at": "2025-09-24T00:12:34+00:00",
        "client": "Ada",
        "doubled": True,
    }
    assert type(told["form"]) is str


# For any text at all

digits = st.text("0123456789", min_size=1, max_size=14)
glue = st.sampled_from(["-", "_", "-C", "-S", "-T", "SR-", "job_", "_stream", "smart_resume_", STAMP, DAILY, "POSTS"])
lookalikes = st.lists(glue | digits | st.text(max_size=5), max_size=12).map("".join)
clients = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=80)
this_century = st.datetimes(MIDNIGHT.replace(2000, 1, 2, tzinfo=None), MIDNIGHT.replace(2099, 12, 30, tzinfo=None))
offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
parts = st.lists(st.sampled_from(["T12", "S3", "CAda", "CAda-Corp", "Ben", "C", "T12345", "POSTS"]), max_size=6)
run_ids = st.one_of(
    this_century.map(lambda naive: timestamp_id(naive.replace(tzinfo=UTC))),
    st.builds(label, st.just(STAMP), clients),
    parts.map(lambda words: "-".join([DAILY, *words])),
    st.integers(10**12, 10**13 - 1).map(lambda ms: f"smart_resume_{ms}_n3rke"),
)


def parsed(text: object) -> RunId | None:
    try:
        return RunId.parse(text)
    except InvalidRunId:
        return None


@given(st.text() | lookalikes | st.none() | st.integers() | st.binary())
@example("\ud800" * 201)
def test_parse_raises_nothing_but_invalid_run_id(text: object) -> None:
    """F39"""
    run_id = parsed(text)
    assert run_id is None or run_id.text == text


@given(lookalikes | run_ids)
def test_the_key_is_a_stable_prefix(text: str) -> None:
    run_id = parsed(text)
    assume(run_id)
    assert run_id is not None
    assert text.startswith(run_id.key)
    assert RunId.parse(run_id.key).key == run_id.key
    assert len(run_id.key) == 13 or run_id.key == text


@given(run_ids)
def test_every_id_that_is_made_is_read(text: str) -> None:
    run_id = RunId.parse(text)
    assert RunId.parse(run_id.text) == run_id
    assert json.loads(json.dumps(run_id.as_json()))["key"] == run_id.key


@given(this_century, offsets)
def test_a_timestamp_id_keeps_the_instant_to_the_second(naive: datetime, zone: timezone) -> None:
    at = naive.replace(tzinfo=zone)
    assert RunId.parse(timestamp_id(at)).at == at.replace(microsecond=0)


@given(this_century, offsets)
def test_a_timestamp_id_of_a_zone_shows_its_clocks(naive: datetime, zone: timezone) -> None:
    shown = RunId.parse(timestamp_id(naive.replace(tzinfo=zone), zone)).at
    assert shown.replace(tzinfo=None) == naive.replace(microsecond=0)


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.integers(1, 999), st.integers(0, 99))
def test_a_structured_id_keeps_day_number_and_stream(day: date, number: int, stream: int) -> None:
    run_id = RunId.parse(display(structured_id(day, number), stream=stream))
    assert (run_id.at.date(), run_id.number, run_id.stream) == (day, number, stream)


@given(clients)
def test_a_label_keeps_a_client_verbatim_unless_it_looks_doubled(client: str) -> None:
    """F04"""
    run_id = RunId.parse(label(STAMP, client))
    read = run_id.client or ""
    times = (len(client) + 1) // (len(read) + 1)
    assert (run_id.key, client) == (STAMP, "-".join([read] * times))
    assert run_id.doubled == (times > 1)


@given(clients, st.integers(2, 4))
def test_a_suffix_appended_again_and_again_names_the_same_client(client: str, times: int) -> None:
    """F04"""
    assume(len(client) * times < 180)
    once = RunId.parse(label(STAMP, client))
    again = RunId.parse("-".join([STAMP, *[client] * times]))
    assert again.doubled
    assert again.client == once.client


@pytest.mark.parametrize("client", ["Guy-Wilson", "'\"{\\🦊/", "ada-ada"])
@pytest.mark.parametrize("key", [STAMP, DAILY])
def test_a_label_is_the_run_id_a_dash_and_the_client_id(key: str, client: str) -> None:
    """F05: the one reader of labels finds the run again."""
    assert label(key, client) == f"{key}-{client}"
    assert RunId.parse(label(key, client)).key == key

"""Lists go on page by page, are filtered, and say what to do where they are empty."""

import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest

from tallybook.app import App
from tallybook.database import stamp, utc_now
from tallybook.domain.client import Client
from tallybook.domain.delivery import Delivery, News
from tallybook.domain.schedule import Missed, Schedule
from tallybook.domain.telling import Part
from tallybook.followers.airtable_mirror import Trouble
from tallybook.followers.mirror_care import HowItIs
from tallybook.followers.mirror_schema import Notice
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import inbox
from tallybook.ledger.write.starts import RunIdStyle
from tallybook.web.house import House
from tallybook.web.pages import alerts, clients, doctor, tokens, usage
from tallybook.web.pages import inbox as inbox_page
from tallybook.web.pages import runs as runs_page
from tallybook.web.pages.drawing import Frame, drawn
from tests.ledger.scenes import asked, planned
from tests.pages.visiting import Visitor, guarded, seen, sign_in
from tests.web.scenes import alerted, everything, furnished, worked
from tests.web.serving import Host, app_on, made_token


def links(visitor: Visitor, path: str, beginning: str) -> list[str]:
    found = seen(visitor.get(path).raise_for_status())
    return [each.removeprefix(beginning) for each in found.addresses() if each.startswith(beginning)]


def older(visitor: Visitor, path: str) -> str | None:
    found = [each["href"] for each in seen(visitor.get(path)).all("a") if each.get("rel") == "next"]
    return found[0] if found else None


def walked(visitor: Visitor, path: str, beginning: str) -> list[str]:
    found: list[str] = []
    here = path
    while here:
        found += dict.fromkeys(links(visitor, here, beginning))
        here = older(visitor, here) or ""
    return found


def test_runs_go_on_page_by_page_newest_first(
    admin: Visitor, app: App, books: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnished(app, "acme")
    made = [worked(books, "acme") for _ in range(5)]
    for module in (runs_page, clients):
        monkeypatch.setattr(module, "PAGE", 2)
    assert walked(admin, "/runs", "/runs/") == made[::-1]
    assert walked(admin, "/runs?status=not_well", "/runs/") == made[::-1]
    assert walked(admin, "/clients/acme", "/runs/") == made[::-1]
    first = [each["href"] for each in seen(admin.get(older(admin, "/runs?status=not_well") or "")).all("a")]
    assert "/runs?status=not_well" in first


def test_runs_are_filtered(admin: Visitor, app: App, books: Ledger) -> None:
    furnished(app, "acme", "other")
    ended = worked(books, "acme")
    waiting = planned(books, "other", start=asked(stream=2))
    for query, expected in {
        "": {ended, waiting}, "status=open": {waiting}, "status=not_well": {ended}, "status=failed": set(),
        "stream=2": {waiting}, "stream=&status=&client=&job_type=": {ended, waiting}, "client=acme": {ended},
        "client=nobody": set(), "job_type=lead_scoring": {ended, waiting}, "job_type=post_scoring": set(),
    }.items():  # fmt: skip
        assert set(links(admin, f"/runs?{query}", "/runs/")) == expected, query
    assert "No run is like that" in admin.get("/runs?stream=9").text


def test_a_run_is_found_by_any_form_of_its_id(admin: Visitor, app: App) -> None:
    everything(app)
    for said in ("261123-120000", " 261123-120000 ", "261123-120000-acme"):
        answer = admin.get("/runs", params={"q": said})
        assert answer.headers.get("location") == "/runs/261123-120000", said
    for said in ("261101-000000", "nonsense", "<b>"):
        answer = admin.get("/runs", params={"q": said})
        assert f"There is no run {said} ." in seen(answer).text.replace(said + ".", said + " .")


def test_clients_leads_and_budgets_go_on_page_by_page(
    admin: Visitor, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.clients.put_clients([Client(f"c{number}", f"Client {number}") for number in range(5)])
    furnished(app, "acme", leads=5)
    for module, name in ((clients, "PAGE"), (clients, "LEADS"), (usage, "PAGE")):
        monkeypatch.setattr(module, name, 2)
    everybody = ["acme", *(f"c{number}" for number in range(5))]
    assert [each for each in walked(admin, "/clients", "/clients/") if "?" not in each] == everybody
    assert [each for each in walked(admin, "/budgets", "/clients/") if "?" not in each] == everybody
    found = walked(admin, "/clients/acme/leads", "/clients/acme/leads/")
    assert len(found) == len(set(found)) == 5
    answer = admin.get("/clients/acme/leads", params={"q": "people.test/in/person-1-000003"})
    assert answer.headers["location"] == f"/clients/acme/leads/{found[3]}"
    assert admin.get(answer.headers["location"]).status_code == 200


def test_what_only_the_operator_sees_goes_on_page_by_page(
    admin: Visitor, app: App, books: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (alerts, tokens, inbox_page):
        monkeypatch.setattr(module, "PAGE", 2)
    for number in range(3):
        made_token(app)
        alerted(books, f"alert{number}", text=f"Trouble {number}")
        delivery = Delivery("apify", f"d{number}", "{}", {}, "TEST", News.OTHER, None)
        books.do(inbox.keep, delivery, RunIdStyle())
        books.do(inbox.apply, "apify", f"d{number}", None)
    for path, word, number in (
        ("/tokens", "runs", 0), ("/audit", "token created", 4), ("/inbox", "d", 0), ("/inbox?state=noted", "TEST", 3),
        ("/alerts", "Trouble", 3),
    ):  # fmt: skip
        texts, here = [], path
        while here:
            texts.append(seen(admin.get(here)).text)
            here = older(admin, here) or ""
        assert len(texts) >= 2, path
        assert not number or sum(each.count(word) for each in texts) == number, path


def test_empty_books_say_what_to_do(admin: Visitor) -> None:
    for path, cure in {
        "/": "tallybook run start", "/runs": "tallybook run start", "/clients": "tallybook client import",
        "/budgets": "tallybook client import", "/usage": "scorer.model", "/inbox": "tallybook webhook test",
        "/mirror": "tallybook mirror setup", "/schedules": "[[schedule]]", "/alerts": "tallybook alert test",
        "/doctor": "tallybook doctor",
    }.items():  # fmt: skip
        assert cure in seen(admin.get(path)).text, path


# Usage


def test_usage_is_shown_and_downloaded_by_whatever_it_is_grouped_by(admin: Visitor, app: App, books: Ledger) -> None:
    furnished(app, "acme", "=other")
    run_id = worked(books, "acme", "=other")
    for by, names in {
        "day": {f"{utc_now():%Y-%m-%d}"}, "client": {"acme", "=other"}, "operation": {"lead_scoring"},
        "model": {"gemini"},
    }.items():  # fmt: skip
        page = seen(admin.get(f"/usage?by={by}"))
        assert all(each.replace("_", " ") in page.text for each in names)
        answer = admin.get(f"/usage.csv?by={by}")
        assert answer.headers["content-disposition"] == f'attachment; filename="usage-by-{by}.csv"'
        head, *lines = answer.text.splitlines()
        assert head.startswith(f"{by},calls,")
        assert {line.split(",")[0].removeprefix("'") for line in lines} == names
    assert "'=other,1," in admin.get("/usage.csv?by=client").text, "no formula"
    assert "=other" not in admin.get("/usage.csv?by=client&client=acme").text
    assert run_id not in admin.get("/usage?by=client&client=nobody").text
    assert "$0.0246" in admin.get("/usage?days=3").text


# The doctor


@dataclass(frozen=True)
class Found:
    check: str
    level: str
    said: str
    mend: str = ""


def test_the_doctor_shows_what_is_wrong_first_and_looks_again_when_told(
    host: Host, web_house: House, admin: Visitor
) -> None:
    found = [Found("disk", "ok", "There is room"), Found("rubric", "wrong", "acme has none", "Run `tallybook rubric`")]
    web_house.checks = lambda _app: list(found)
    text = seen(admin.get("/doctor")).text
    assert text.index("acme has none") < text.index("There is room")
    assert "1 thing is wrong" in text
    del found[1]
    assert "1 thing is wrong" in seen(admin.get("/doctor")).text, "it is still fresh"
    assert admin.post("/doctor").headers["location"] == "/doctor"
    assert "Nothing is wrong" in seen(admin.get("/doctor")).text


def test_a_doctor_who_takes_long_keeps_nobody_waiting(
    host: Host, web_house: House, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "WAITED_S", 0.01)
    go_on = threading.Event()

    def slow(_app: App) -> list[Found]:
        go_on.wait(20)
        return [Found("disk", "notice", "There is little room")]

    web_house.checks = slow
    first = admin.get("/doctor")
    assert "Being looked at" in seen(first).text
    assert seen(first).all("main")[0]["data-again"] == "2"
    go_on.set()
    monkeypatch.setattr(doctor, "WAITED_S", 20)
    assert "1 to take notice of" in seen(admin.get("/doctor")).text


# What is elsewhere


def test_the_mirror_tells_how_far_airtable_is(host: Host, app: App, books: Ledger) -> None:
    settings = {"airtable__token": "pat.x", "airtable__master_base_id": "appMaster00000001"}
    mirrored = app_on(str(app.database.url), **settings)
    host.serve(mirrored)
    with httpx.Client(base_url=host.address) as client:
        visitor = sign_in(client, made_token(mirrored).text)
        assert "The mirror is not set up yet" in seen(visitor.get("/mirror")).text
    mirrored.close()


def test_a_mirror_that_is_behind_says_by_how_much_since_when_and_why() -> None:
    now = utc_now()
    how = HowItIs(
        set_up=True, told=40, owed=3, since=now, parked=[(Part("261123-120000", "acme"), "422: <b>no such option</b>")],
        gone=1, retired=2, used=49_000, most=50_000, trouble=None, notices=[],
    )  # fmt: skip
    frame = Frame("/mirror", ZoneInfo("UTC"), now)
    text = drawn("mirror", frame, {"how": how, "base": "appX", "trouble": ""})
    for each in ("3 rows behind", "422: &lt;b&gt;no such option", "tallybook mirror repair", "nearly full"):
        assert each in text
    told = replace(
        how,
        owed=0,
        used=40,
        parked=[],
        notices=[Notice("renamed", "Job Tracking", "Status", "the column Status was renamed", "")],
    )
    assert "Airtable was told everything" in drawn("mirror", frame, {"how": told, "base": "appX", "trouble": ""})
    waits = replace(how, trouble=Trouble("quota", "the month's calls are used up", now, now))
    assert "It waits since" in drawn("mirror", frame, {"how": waits, "base": "appX", "trouble": ""})
    assert "half a configuration" in drawn(
        "mirror", frame, {"how": None, "base": "", "trouble": "half a configuration"}
    )


def test_schedules_tell_what_is_next_and_what_was_missed(admin: Visitor, app: App) -> None:
    schedule = Schedule("0 3 * * *", 1)
    due = utc_now().replace(hour=3, minute=0, second=0, microsecond=0) - timedelta(days=1)
    _miss(app.ledger, schedule.schedule_id, due, Missed.NO_SERVER)
    assert "no server kept the schedule then" in seen(admin.get("/schedules")).text
    assert "no server kept the schedule then" in seen(admin.get("/")).text


def _miss(books: Ledger, schedule_id: str, due: datetime, reason: str) -> None:
    statement = "INSERT INTO @missed_runs (schedule_id, due_at, stream, reason, noticed_at) VALUES (?, ?, 1, ?, ?)"
    books.do(lambda tx: tx.execute(statement, (schedule_id, stamp(due), reason, tx.stamp)))


def test_every_form_is_tried_by_some_test() -> None:
    """A new form needs its own test: extend this list when it has one."""
    assert {each.path for each in guarded() if each.methods == {"POST"}} == {
        "/runs/{run_id}/pause", "/runs/{run_id}/cancel", "/runs/{run_id}/resume", "/alerts/{alert_id}/acknowledge",
        "/inbox/{source}/{delivery_id}/replay", "/doctor", "/tokens/{token_id}/revoke", "/sign-out",
    }  # fmt: skip

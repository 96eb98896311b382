"""What is done by a form: it does what the command of that name does, is noted, and leads back to the page."""

import sqlalchemy as sa

from tallybook.app import App
from tallybook.domain.access import Scope
from tallybook.domain.delivery import Delivery, News
from tallybook.domain.run import Status
from tallybook.ledger import read
from tallybook.ledger.audit_log import list_entries
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.tables import alerts
from tallybook.ledger.tokens import list_tokens
from tallybook.ledger.write import inbox
from tallybook.ledger.write.starts import RunIdStyle
from tests.ledger.scenes import asked, planned
from tests.pages.conftest import SignedIn
from tests.pages.visiting import Visitor, seen
from tests.web.calling import ALERT, DRIVEN, RUN
from tests.web.scenes import everything, furnished
from tests.web.serving import made_token


def test_a_run_is_paused_resumed_and_canceled(signed_in: SignedIn, app: App) -> None:
    everything(app)
    operator, database = signed_in(Scope.RUNS_READ, Scope.RUNS_START), app.ledger.database
    for verb, status in (("pause", Status.PAUSED), ("resume", Status.RUNNING), ("cancel", Status.CANCELED)):
        answer = operator.post(f"/runs/{DRIVEN}/{verb}")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/{DRIVEN}")
        assert read.status(database, DRIVEN) is status
    page = seen(operator.get(f"/runs/{DRIVEN}"))
    assert "Canceled" in page.text
    assert not [each for each in page.addresses() if each.startswith(f"/runs/{DRIVEN}/") and "diff" not in each]
    assert [each.action for each in list_entries(app.database, limit=3)] == [
        "run_canceled",
        "run_resumed",
        "run_paused",
    ]


def test_what_has_ended_or_is_driven_by_another_program_is_not_stopped(admin: Visitor, app: App) -> None:
    everything(app)
    admin.post(f"/runs/{DRIVEN}/cancel")
    for run_id in (DRIVEN, RUN):
        assert admin.post(f"/runs/{run_id}/pause").status_code == 409
    assert admin.post("/runs/261101-000000/pause").status_code == 404


def test_a_tenant_may_stop_the_run_that_is_for_it_alone(signed_in: SignedIn, app: App, books: Ledger) -> None:
    furnished(app, "acme", "other")
    tenant = signed_in(Scope.RUNS_READ, Scope.RUNS_START, client_id="acme")
    both = planned(books, "acme", "other", start=asked(stream=1))
    own = planned(books, "acme", start=asked("acme", stream=2, queue_behind=True))
    assert f"/runs/{own}/cancel" in list(seen(tenant.get(f"/runs/{own}")).addresses())
    assert f"/runs/{both}/cancel" not in list(seen(tenant.get(f"/runs/{both}")).addresses())
    assert tenant.post(f"/runs/{both}/cancel").status_code == 403
    assert tenant.post(f"/runs/{own}/cancel").status_code == 303


def test_an_alert_is_acknowledged(admin: Visitor, app: App) -> None:
    everything(app)
    assert "Something is wrong" in admin.get("/").text
    for _ in range(2):
        assert admin.post(f"/alerts/{ALERT}/acknowledge").headers["location"] == "/alerts"
    assert "No alert is open" in admin.get("/alerts").text
    assert "acknowledged" in admin.get("/alerts?everything=true").text
    assert [each.action for each in list_entries(app.database, limit=2)].count("alert_acknowledged") == 1
    assert admin.post("/alerts/none/acknowledge").status_code == 404


def test_a_tenant_acknowledges_its_own_alerts_alone(signed_in: SignedIn, app: App) -> None:
    everything(app)
    other = signed_in(Scope.RUNS_READ, Scope.RUNS_START, client_id="other")
    assert "Something is wrong" not in other.get("/alerts").text
    assert other.post(f"/alerts/{ALERT}/acknowledge").status_code == 404
    with app.database.reading() as connection:
        assert connection.execute(sa.select(alerts.c.acknowledged_at)).scalar() is None


def test_a_delivery_that_nobody_could_place_is_applied_by_hand(admin: Visitor, app: App, books: Ledger) -> None:
    furnished(app, "acme", level=2)
    orphan = Delivery("apify", "odd id/1", "{}", {}, "ACTOR.RUN.SUCCEEDED", News.OVER, "run1", None, None, "task")
    books.do(inbox.keep, orphan, RunIdStyle())
    books.do(inbox.apply, "apify", "odd id/1", None)
    assert "1 orphan" in seen(admin.get("/")).text
    assert "nobody knows whose run it is" in admin.get("/inbox?state=orphan").text
    replay = "/inbox/apify/odd%20id%2F1/replay"
    assert replay in list(seen(admin.get("/inbox")).addresses())
    assert admin.post(replay, client="nobody").status_code == 404
    assert admin.post(replay, client="acme").headers["location"] == "/inbox"
    assert "No delivery stands so" in admin.get("/inbox?state=orphan").text
    (entry,) = [each for each in list_entries(app.database) if each.action == "delivery_replayed"]
    assert entry.actor.startswith("token ")
    assert admin.post("/inbox/apify/none/replay").status_code == 404


def test_a_token_is_revoked(admin: Visitor, app: App) -> None:
    made = made_token(app, Scope.RUNS_READ)
    assert admin.post(f"/tokens/{made.token_id}/revoke").headers["location"] == "/tokens"
    assert [each.token_id for each in list_tokens(app.database) if each.revoked_at] == [made.token_id]
    assert "token revoked" in seen(admin.get("/audit")).text
    assert admin.post("/tokens/none/revoke").status_code == 404

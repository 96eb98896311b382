"""What doctor checks about mail: does the server let us in, what waits, and what nobody knows to have been sent."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tallybook.cli.finding import Finding, Findings, notice, ok, wrong
from tallybook.domain.errors import BadSetting
from tallybook.domain.telling import Standing
from tallybook.report import words

if TYPE_CHECKING:
    from tallybook.app import App
    from tallybook.followers.report_mail import PostOffice
    from tallybook.ledger.following import FollowerBook

NAMED = 5


def mail(app: "App") -> Findings:
    """Nothing is sent. Where no mail is configured, nobody is asked."""
    from tallybook.followers.mailing import post_office

    try:
        office = post_office(app.settings)
    except BadSetting as error:
        yield wrong("mail", str(error), "Until then no process can work.")
        return
    if office is None:
        yield ok("mail", "No mail is sent")
        return
    yield _reached(office)
    yield from _from_the_books(app)


def _reached(office: "PostOffice") -> Finding:
    from tallybook.followers.smtp import NotSent

    try:
        how = office.server.check()
    except NotSent as error:
        return wrong(
            "mail", f"No mail can be sent: {error}", "No run waits for it: mails are sent once that is mended."
        )
    return ok("mail", f"The mail server {office.server.shown} is there ({how})")


# -- asked of the books ------------------------------------------------------------------------------------------------


def _from_the_books(app: "App") -> Findings:
    from tallybook.followers import report_digest, report_mail
    from tallybook.ledger.following import FollowerBook

    mails = FollowerBook(app.ledger, report_mail.NAME)
    yield from _troubled("mail_owed", "The mails", mails)
    yield from _troubled("mail_digest", "The digest", FollowerBook(app.ledger, report_digest.NAME))
    counts = mails.counts()
    if owed := counts.get(Standing.OWED, 0):
        said = f"{words.count(owed, 'report is', 'reports are')} still to be mailed"
        yield notice("mail_owed", said, "`tallybook serve` does it, and tries again what failed.")
    for standing, what in ((Standing.DOUBTFUL, "may not have been sent"), (Standing.PARKED, "was not sent")):
        for run_id in mails.standing_so(standing)[::-1][:NAMED]:
            why = mails.tellings(run_id)[0].error
            said = f"The report mail of run {run_id} {what}: {why}"
            yield notice(f"mail_{standing.value}", said, f"tallybook report {run_id} --send")


def _troubled(check: str, what: str, book: "FollowerBook") -> Findings:
    from tallybook.followers.mail_trouble import trouble_in

    if trouble := trouble_in(book):
        since, until = words.instant(trouble.since), words.instant(trouble.until)
        yield wrong(check, f"{what} cannot be sent since {since}: {trouble.text}", f"It is tried again at {until}.")


CHECKS: tuple[Callable[["App"], Findings], ...] = (mail,)

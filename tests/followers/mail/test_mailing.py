"""Who mails what, by the settings; and that half of them is refused."""

import pytest

from tallybook.app import App
from tallybook.domain.errors import BadInput, BadSetting
from tallybook.followers.mailing import envelope
from tallybook.settings import Mail, Settings
from tallybook.settings.secret import Secret
from tests.followers.mail.postbox import PASSWORD, office_at

URL = Secret("smtp://u:p@mail.test")
WHOLE = {"url": URL, "from_": "a@b.test", "to": ("c@d.test",)}


def names(**mail: object) -> list[str]:
    return [each.name for each in App(Settings(mail=Mail(**mail))).followers]  # type: ignore[arg-type]  # passed on


def test_without_a_server_nobody_mails() -> None:
    assert names() == []


def test_each_run_has_its_mail_and_a_digest_is_asked_for() -> None:
    assert names(**WHOLE) == ["report_mail"]
    assert names(**WHOLE, digest="daily") == ["report_mail", "report_digest"]
    assert names(**WHOLE, digest="weekly", each="all") == ["report_mail", "report_digest"]


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"url": URL}, "TALLYBOOK_MAIL__FROM and TALLYBOOK_MAIL__TO"),
        ({"from_": "a@b.test", "to": ("c@d.test",)}, "TALLYBOOK_MAIL__URL"),
        ({"digest": "daily"}, "TALLYBOOK_MAIL__URL and TALLYBOOK_MAIL__FROM and TALLYBOOK_MAIL__TO"),
    ],
)
def test_half_of_it_is_refused(given: dict[str, object], missing: str) -> None:
    with pytest.raises(BadSetting, match=f"half configured: set {missing} as well"):
        names(**given)


@pytest.mark.parametrize("wrong", [{"from_": "ä@b.test"}, {"url": Secret("smtp://u:%C3%A4@b.test")}])
def test_what_no_server_takes_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadSetting, match="mail cannot be sent as it is configured"):
        names(**{**WHOLE, **wrong})


def test_others_by_hand_are_addresses_too() -> None:
    office = office_at(25, signs_in=True)
    assert [str(each) for each in envelope(office, ["x@y.test"]).to] == ["x@y.test"]
    with pytest.raises(BadInput, match="'x' is no address"):
        envelope(office, ["x"])
    assert PASSWORD not in repr(office)

"""The look-alike refuses in the words that tests/live holds against Airtable's own."""

from pyairtable import Api

from tallybook.airtable.seen import OperatorBase
from tallybook.testing.airtable_owner import OpenBase
from tallybook.testing.airtable_server import AirtableServer
from tests.airtable.premises import TOKEN
from tests.airtable.told import SAID, what_it_says, what_several_matches_say


def test_it_refuses_in_airtables_words(server: AirtableServer, base: OpenBase) -> None:
    api = Api(TOKEN, endpoint_url=server.url)
    assert what_it_says(api, OperatorBase(base.id)) == dict(SAID)
    assert what_several_matches_say(api, OperatorBase(base.id))[0] == 422

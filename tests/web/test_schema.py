"""What the API says of itself is true: see conforming.py. `python -m benchmarks.schema` tries ten thousand cases."""

import pytest

from tallybook.app import App
from tallybook.web import doorkeeper
from tests.web.conforming import tried
from tests.web.scenes import everything
from tests.web.serving import MakeToken


def test_the_api_does_what_its_description_says(
    base_url: str, app: App, make_token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorkeeper, "MOST_FAILURES", 10**9)
    everything(app)
    phases = ("examples", "fuzzing", "stateful")
    found = tried(base_url, make_token(), phases=phases, most=2, any_client_id=False)
    assert found.troubles == []
    assert sum(found.cases.values()) > 100
    assert found.cases["stateful"] > 0

"""What an operation nobody was registered for closes with."""

import pytest

from tallybook.domain.client import Client
from tallybook.domain.run import OperationName
from tallybook.engine.runner import not_configured


@pytest.mark.parametrize(
    ("name", "level", "reason"),
    [
        (OperationName.POST_HARVESTING, 1, "below_service_level"),
        (OperationName.POST_HARVESTING, 2, "no_harvester"),
        (OperationName.LEAD_SCORING, 2, None),
    ],
)
def test_a_missing_harvester_is_named_only_where_posts_are_wanted(
    name: OperationName, level: int, reason: str | None
) -> None:
    assert not_configured(name, Client("acme", "Acme Law", service_level=level)) == reason

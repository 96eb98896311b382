"""The demo's cast: three fictional clients, what each looks for, and how people say it in and out of their words."""

from dataclasses import dataclass

from tallybook.domain.client import Client
from tallybook.domain.rubric import Attribute, Rubric
from tallybook.testing import demo_acme_law, demo_brightside, demo_north_harbor
from tallybook.testing.demo_traits import Trait


@dataclass(frozen=True, slots=True)
class Script:
    """A client and the traits its leads may have.

    *misleading* has the rubric's words about somebody else. Both *foreign* texts say the first trait; the rubric has
    a phrase for the headline only.
    """

    client: Client
    traits: tuple[Trait, ...]
    post_traits: tuple[Trait, ...]
    misleading: str
    foreign_headline: str
    foreign_words: str

    @property
    def rubric(self) -> Rubric:
        return Rubric(_attributes(self.traits), _attributes(self.post_traits))


def _attributes(traits: tuple[Trait, ...]) -> tuple[Attribute, ...]:
    return tuple(each.attribute for each in traits)


SCRIPTS = (
    Script(
        Client("acme-law", "Acme Law", service_level=2, timezone="Europe/London"),
        demo_acme_law.TRAITS,
        demo_acme_law.POST_TRAITS,
        misleading="My sister is a general counsel and talks of nothing but GDPR; I sell bicycles.",
        foreign_headline="法務部長｜東京在住",
        foreign_words="رئيسة الشؤون القانونية في شركة عائلية",
    ),
    Script(
        Client("brightside-coaching", "Brightside Coaching", service_level=1, timezone="America/Chicago"),
        demo_brightside.TRAITS,
        (),
        misleading="My neighbour is the founder of a start-up and wrote about burnout; I fix his roof.",
        foreign_headline="最高経営責任者｜大阪在住",
        foreign_words="एक छोटी पारिवारिक कंपनी की मुखिया",
    ),
    Script(
        Client("north-harbor-it", "North Harbor IT", service_level=3, timezone="Europe/Oslo"),
        demo_north_harbor.TRAITS,
        demo_north_harbor.POST_TRAITS,
        misleading="My landlord is a CISO and keeps warning me of ransomware; I bake bread.",
        foreign_headline="情報セキュリティ責任者｜京都在住",
        foreign_words="Руководитель службы информационной безопасности",
    ),
)

"""Short forms that mean the same on any profile. A rubric's own phrases cover all else."""

from collections.abc import Iterator

from tallybook.scorers.words import phrase_keys

Keys = tuple[str, ...]

GROUPS = (
    ("ceo", "chief executive officer", "chief executive"),
    ("cfo", "chief financial officer"),
    ("coo", "chief operating officer"),
    ("cto", "chief technology officer"),
    ("cio", "chief information officer"),
    ("ciso", "chief information security officer"),
    ("cmo", "chief marketing officer"),
    ("vp", "vice president"),
    ("svp", "senior vice president"),
    ("cofounder", "co-founder"),
    ("lawyer", "attorney"),
    ("ai", "artificial intelligence"),
    ("ml", "machine learning"),
    ("hr", "human resources"),
    ("pr", "public relations"),
    ("r&d", "research and development"),
    ("m&a", "mergers and acquisitions"),
    ("saas", "software as a service"),
    ("smb", "small and medium-sized businesses", "sme"),
    ("cpa", "certified public accountant"),
)
_GROUPS = tuple(tuple(phrase_keys(text) for text in group) for group in GROUPS)


def wordings(phrase: Keys) -> frozenset[Keys]:
    """*phrase*, and each wording of it in which one short form is spelled out, or the other way round."""
    return frozenset((phrase, *_replaced(phrase)))


def _replaced(phrase: Keys) -> Iterator[Keys]:
    for group in _GROUPS:
        for said in group:
            for at in range(len(phrase) - len(said) + 1):
                if phrase[at : at + len(said)] == said:
                    yield from (phrase[:at] + other + phrase[at + len(said) :] for other in group)

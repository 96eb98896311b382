"""Lead files: LinkedIn's Connections.csv, LinkedHelper exports, our own columns; and posts keyed by profile URL."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tallybook.domain.errors import BadInput
from tallybook.domain.lead import Lead, Position, lead_id_of_url, read_lead_id
from tallybook.domain.outcome import LeadId
from tallybook.stores.cells import Row, blank, fields_of, folded, list_of, text_of, texts_of
from tallybook.stores.json_rows import Part
from tallybook.stores.merging import merged
from tallybook.stores.post_files import lists_by_url, posts_in
from tallybook.stores.tabular import BadRow, Imported, Wanted, checked, decoded, rows_of

READ_FROM: Mapping[str, tuple[str, ...]] = {
    "id": (),  # only by --map
    "profile_url": ("profile_url", "URL", "LinkedIn Profile URL"),
    "full_name": ("full_name", "name"),
    "first_name": ("first_name",),
    "last_name": ("last_name",),
    "headline": ("headline",),
    "about": ("about", "summary"),
    "location": ("location", "location_name"),
    "industry": ("industry",),
    "position": ("position",),
    "company": ("company",),
    "positions": ("positions",),
    "skills": ("skills",),
    "posts": ("posts",),
}
"""Our field -> the columns it is read from: the first that is not blank counts."""

MOST_JOBS = 50
_JOBS = [
    tuple(
        (folded(name.format(number)),)
        for name in (
            "organization_title_{}",
            "organization_{}",
            "organization_description_{}",
            "organization_start_{}",
        )
    )
    for number in range(1, MOST_JOBS + 1)
]
"""LinkedHelper's columns of each job, in the order of Position's fields."""
_JOB_COLUMNS = {column for job in _JOBS for (column,) in job}


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where our fields stand in one file: folded column names. *mapped*: those named by --map, which must be there."""

    of: Mapping[str, tuple[str, ...]]
    mapped: frozenset[str]

    @classmethod
    def told(cls, mapping: Mapping[str, str]) -> "_Columns":
        named = {ours: (theirs,) for ours, theirs in mapping.items()}
        of = {ours: tuple(map(folded, names)) for ours, names in {**READ_FROM, **named}.items()}
        return cls(of, frozenset(map(folded, mapping.values())))

    def known(self, names: Collection[str]) -> int:
        """How many columns mean something; 0 when what names a lead, or a column of --map, is not among them."""
        there = set(names)
        if not self.mapped <= there or there.isdisjoint(self.naming):
            return 0
        return len(there & {name for names in self.of.values() for name in names} | (there & _JOB_COLUMNS))

    @property
    def naming(self) -> tuple[str, ...]:
        """The columns a lead's id comes from."""
        return self.of["id"] or self.of["profile_url"]


@dataclass(frozen=True, slots=True)
class _Read:
    """What a row came to: a lead, or none; and what was wrong."""

    lead: Lead | None
    bad: Sequence[BadRow] = ()


def read_mapping(words: Iterable[str]) -> Mapping[str, str]:
    """`--map OURS=THEIRS`, each word one. Raises BadInput."""
    return dict(_pair(word) for word in words)


def read_leads(data: bytes, mapping: Mapping[str, str] | None = None) -> Imported[Lead]:
    """The leads of a file; of one keyed by profile URL, leads that hold posts and nothing else.

    *mapping*: our field -> their column. The same person twice is one lead: the later row wins, but for what it leaves
    empty. A post that cannot be read is reported, and its lead kept. Raises ImportRefused, when nothing can be used.
    """
    text = decoded(data)
    columns = _Columns.told(mapping or {})
    wanted = Wanted(_words(mapping or {}), columns.known)
    if keyed := lists_by_url(text):
        return checked(_once_each(map(_lead_of_posts, keyed)), wanted)
    return checked(_once_each(_read(row, columns) for row in rows_of(text, wanted)), wanted)


def _pair(word: str) -> tuple[str, str]:
    ours, _, theirs = word.partition("=")
    if blank(theirs):
        raise BadInput(f"--map takes OURS=THEIRS, got {word!r}")
    for name in READ_FROM:
        if folded(name) == folded(ours):
            return name, theirs.strip()
    raise BadInput(f"--map: {ours.strip()!r} is none of our columns; use one of: {', '.join(READ_FROM)}")


def _words(mapping: Mapping[str, str]) -> str:
    urls = f"a column with profile URLs ({', '.join(READ_FROM['profile_url'])}, or --map profile_url=COLUMN)"
    if not mapping:
        return urls
    named = ", ".join(map(repr, mapping.values()))
    return f"every column that --map names ({named})" + ("" if "id" in mapping else f", and {urls}")


def profile_in(told: Mapping[str, object], profile_url: str) -> Lead:
    """The lead that an object with the columns of a file tells of. Raises BadInput."""
    cells = {folded(name): value for name, value in told.items()}
    return _lead_of(Row(0, {**cells, folded("profile_url"): profile_url}), _Columns.told({}))


def _once_each(read: Iterable[_Read]) -> Imported[Lead]:
    leads: dict[LeadId, Lead] = {}
    bad: list[BadRow] = []
    repeated = 0
    for each in read:
        bad.extend(each.bad)
        if each.lead:
            known = leads.get(each.lead.lead_id)
            repeated += known is not None
            leads[each.lead.lead_id] = merged(known, each.lead) if known else each.lead
    return Imported(list(leads.values()), bad, repeated)


# -- one row -----------------------------------------------------------------------------------------------------------


def _read(row: Row | BadRow, columns: _Columns) -> _Read:
    if isinstance(row, BadRow):
        return _Read(None, [row])
    try:
        lead = _lead_of(row, columns)
    except BadInput as error:
        return _Read(None, [BadRow(row.line, str(error))])
    posts, bad = posts_in(row.value(columns.of["posts"]), row.line)
    return _Read(replace(lead, posts=posts) if posts else lead, [_kept(each) for each in bad])


def _lead_of_posts(part: Part) -> _Read:
    try:
        profile_url = text_of(part.key, "profile_url")
        lead = Lead(lead_id_of_url(profile_url), profile_url)
    except BadInput as error:
        return _Read(None, [BadRow(part.line, str(error))])
    posts, bad = posts_in(part.value, part.line)
    return _Read(replace(lead, posts=posts) if posts else None, bad)


def _kept(bad: BadRow) -> BadRow:
    return BadRow(bad.line, f"{bad.reason} (the lead is kept)")


def _lead_of(row: Row, columns: _Columns) -> Lead:
    def text(ours: str, *, long: bool = False) -> str:
        return row.text(columns.of[ours], ours, long=long)

    profile_url = text("profile_url")
    title = text("position")
    return Lead(
        lead_id=read_lead_id(text("id")) if columns.of["id"] else lead_id_of_url(profile_url),
        profile_url=profile_url,
        full_name=text("full_name") or f"{text('first_name')} {text('last_name')}".strip(),
        headline=text("headline") or title,
        about=text("about", long=True),
        location=text("location"),
        industry=text("industry"),
        positions=tuple(_positions(row, columns)) or _only_position(title, text("company")),
        skills=skills_in(row.value(columns.of["skills"])),
    )


def _positions(row: Row, columns: _Columns) -> Iterator[Position]:
    """Our own list, else LinkedHelper's numbered columns, up to the first number that is missing."""
    listed = row.value(columns.of["positions"])
    if listed is not None:
        yield from filter(_says_something, (position_in(each) for each in list_of(listed, "positions")))
        return
    for title, company, description, started in _JOBS:
        if title[0] not in row.cells and company[0] not in row.cells:
            return
        position = Position(
            title=row.text(title, "a job's title"),
            company=row.text(company, "a job's company"),
            description=row.text(description, "a job's description", long=True),
            started=row.text(started, "a job's start"),
        )
        if _says_something(position):
            yield position


def position_in(told: object) -> Position:
    """One of a list of positions. Raises BadInput."""
    if isinstance(told, str):
        return Position(text_of(told, "a position"))
    fields = fields_of(told, "a position")
    return Position(
        title=fields.text(("title",), "title"),
        company=fields.text(("company",), "company"),
        description=fields.text(("description",), "description", long=True),
        started=fields.text(("started",), "started"),
    )


def _says_something(position: Position) -> bool:
    return bool(position.title or position.company or position.description)


def _only_position(title: str, company: str) -> tuple[Position, ...]:
    """LinkedIn's own export knows one job."""
    return (Position(title, company),) if title or company else ()


def skills_in(cell: object) -> tuple[str, ...]:
    """A list, JSON text of one, or text with separators; commas separate where nothing else does."""
    if blank(cell):
        return ()
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        return texts_of(list_of(cell, "skills"), "skills")
    skills = texts_of(cell, "skills")
    if isinstance(cell, str) and len(skills) == 1:
        return texts_of(skills[0].split(","), "skills")
    return skills

"""Acme Law, a fictional firm that advises growing technology companies, looks for those who choose outside lawyers."""

from tallybook.testing.demo_traits import trait

TRAITS = (
    trait(
        "decides_on_counsel",
        "Decides on outside lawyers",
        20,
        "general counsel | head of legal | legal director | chief legal officer | in-house counsel | 法務部長",
        headlines="General Counsel | Head of Legal | Legal Director, EU",
        said="""
            As general counsel I choose the firms we work with.
            I have been head of legal since the company had twelve people.
            In-house counsel with a taste for short memos.""",
        held_out="""
            Whenever the company needs outside advice on its obligations, the choice of adviser is mine.
            I run the department that reads everything before our chief signs it.""",
    ),
    trait(
        "growing_company",
        "Works at a growing technology company",
        15,
        "scale-up | series A | series B | venture-backed | hypergrowth | SaaS",
        headlines="SaaS | Series B scale-up",
        said="""
            We are a venture-backed company of eighty people.
            Our software as a service is used in forty hospitals.
            We closed our series A in spring.""",
        held_out="""
            Our headcount tripled in two years, and new investors came in this spring.
            What began as four engineers in a garage now fills three floors.""",
    ),
    trait(
        "cross_border",
        "Does business across borders",
        15,
        "international expansion | cross-border | multiple jurisdictions | EMEA | global markets | export",
        headlines="EMEA | International expansion",
        said="""
            I lead our international expansion into six countries.
            Most of my days go to cross-border deals.
            We deal with multiple jurisdictions before lunch.""",
        held_out="""
            We opened offices in Lisbon, Seoul and Toronto last year.
            Half of our customers live in another country than we do.""",
    ),
    trait(
        "data_privacy",
        "Looks after data privacy",
        10,
        "/GDPR|CCPA/ | data privacy | data protection | privacy program | privacy officer | ISO 27701",
        headlines="Data Privacy | GDPR",
        said="""
            Built the privacy program from scratch.
            I answer for data protection in all our products.
            GDPR was my entry into this field.""",
        held_out="""
            I make sure that what customers tell us about themselves stays with us.
            I wrote our rules on which personal details we keep, and for how long.""",
    ),
    trait(
        "contracts",
        "Handles commercial contracts",
        10,
        "commercial contracts | contract negotiation | procurement | vendor agreement | licensing | service agreement",
        headlines="Commercial Contracts | Licensing",
        said="""
            I draft and negotiate commercial contracts every day.
            Shortened contract negotiation from weeks to days.
            Responsible for licensing and all vendor agreements.""",
        held_out="""
            No deal leaves the house before I have gone through its terms.
            I settle with suppliers what they owe us, in writing.""",
    ),
    trait(
        "board_experience",
        "Serves on a board",
        10,
        "board member | board of directors | non-executive director | trustee | advisory board | board secretary",
        headlines="Board Member | Non-Executive Director",
        said="""
            Trustee of a children's museum.
            I report to the board of directors each quarter.
            Also on the advisory board of two young companies.""",
        held_out="""
            Twice a month I sit with the owners and vote on where the company goes.
            The shareholders elected me to keep an eye on management.""",
        bonus=True,
    ),
    trait(
        "competitor",
        "Sells legal services",
        -15,
        "law firm partner | solicitor | barrister | legal consultancy | my law practice | of counsel",
        headlines="Solicitor | Law Firm Partner",
        said="""
            I founded a legal consultancy for start-ups.
            My law practice takes on new clients.
            Solicitor, admitted twenty years ago.""",
        held_out="""
            I advise clients by the hour on their disputes, from my own chambers.
            Companies hire me to plead for them before the judge.""",
        disqualifying=True,
    ),
    trait(
        "job_seeker",
        "Is looking for a job",
        -10,
        "open to work | new opportunities | looking for a new role | between jobs | available immediately",
        headlines="Open to work",
        said="""
            Currently between jobs and enjoying the garden.
            I am looking for a new role in a friendly team.""",
        held_out="""
            My last employer closed its doors; talk to me if you have a vacancy.
            I would start tomorrow if somebody had a desk for me.""",
    ),
)

POST_TRAITS = (
    trait(
        "regulation",
        "Writes about regulation",
        40,
        "regulation | compliance | AI Act | legislation | regulator | new rules",
        said="""
            The new rules on product liability will cost us a quarter, and nobody has read them yet.
            What the AI Act means for a company of eighty people, in plain words.""",
        held_out="""
            Brussels has decided again what we may build; here is my summary on one page.
            From January on every one of our forms needs a second signature by law.""",
    ),
    trait(
        "growth_news",
        "Tells of growth",
        30,
        "we are hiring | funding round | new office | acquisition | raised | record year",
        said="""
            We are hiring three people for our team in Lisbon!
            So proud: we raised enough to build what we always wanted.""",
        held_out="""
            Nine desks are being delivered on Monday, and we have nobody yet to sit at them.
            Twice as many customers as last summer. I still cannot believe it.""",
    ),
    trait(
        "promotion",
        "Is mere promotion",
        -20,
        "discount | limited offer | giveaway | link in bio | buy now",
        said="""
            Limited offer: our checklist for half the price, until Friday only.
            Giveaway! Comment below and win a mug.""",
        held_out="""
            Half price until Friday, then never again. Write to me today.
            Everything must go. Ask for my price list.""",
        fixed=True,
    ),
)

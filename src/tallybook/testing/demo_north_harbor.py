"""North Harbor IT, a fictional security consultancy, looks for those who answer for security where it is regulated."""

from tallybook.testing.demo_traits import trait

TRAITS = (
    trait(
        "owns_security",
        "Answers for security",
        20,
        "CISO | head of security | information security | IT director | CIO | 情報セキュリティ責任者",
        headlines="CISO | Head of Security | IT Director",
        said="""
            As IT director I answer for everything with a plug.
            Chief information officer since the old one retired.
            Information security is my job and my hobby.""",
        held_out="""
            If somebody gets into our machines at night, it is me they wake.
            I am the one who says no to weak passwords, in all eleven buildings.""",
        min_to_qualify=2,
    ),
    trait(
        "regulated_sector",
        "Works in a regulated sector",
        15,
        "bank | insurance | healthcare | hospital | utilities | pharmaceuticals",
        headlines="Healthcare | Banking group, retail bank",
        said="""
            Our hospitals treat nine thousand patients a year.
            Fifteen years in insurance, all of them instructive.
            I joined a small bank with a large past.""",
        held_out="""
            We keep the water running for two million households.
            Our nurses work on tablets that must never fail.""",
    ),
    trait(
        "cloud",
        "Moves to the cloud",
        15,
        "AWS | Azure | cloud migration | Kubernetes | Google Cloud | multi-cloud",
        headlines="Azure | Cloud migration",
        said="""
            Our cloud migration is two thirds done.
            We run Kubernetes, and sometimes it runs us.
            From our own cellar to AWS in eighteen months.""",
        held_out="""
            Bit by bit our own server room empties, and the machines of others take over.
            By summer the last of our racks will be sold; we rent computing time instead.""",
    ),
    trait(
        "incidents",
        "Has lived through incidents",
        10,
        "ransomware | incident response | data breach | phishing | disaster recovery | penetration test",
        headlines="Incident Response | Disaster Recovery",
        said="""
            After the ransomware of 2021 we rebuilt everything.
            I train six hundred colleagues against phishing.
            Our last penetration test was almost boring.""",
        held_out="""
            One night strangers locked our files and asked for money.
            I invite people to break in, so that we learn where the holes are.""",
    ),
    trait(
        "compliance",
        "Works to a standard",
        10,
        "/ISO ?27001/ | SOC 2 | NIS2 | PCI DSS | security audit | DORA",
        headlines="ISO 27001 | NIS2",
        said="""
            Led us to ISO 27001 in eleven months.
            We passed SOC 2 without a finding.
            NIS2 keeps me awake, but in a good way.""",
        held_out="""
            Once a year inspectors go through our paperwork, and I hand them the folders.
            I took us to the certificate that our customers insist on.""",
    ),
    trait(
        "budget",
        "Holds a budget",
        10,
        "budget | vendor selection | P&L | tender | supplier management | cost savings",
        headlines="P&L | Supplier Management",
        said="""
            I hold the budget for all infrastructure.
            Vendor selection is mine, and so are its mistakes.
            Saved a fifth through supplier management.""",
        held_out="""
            What we spend on machines is decided at my desk.
            I choose whom we buy from, and what we pay.""",
        bonus=True,
    ),
    trait(
        "sells_it",
        "Sells IT",
        -15,
        "account executive | sales engineer | reseller | managed service provider | business development | pre-sales",
        headlines="Account Executive | Business Development",
        said="""
            Account executive for the north.
            We are a managed service provider with a heart.""",
        held_out="""
            I meet my quota by the third week of the month.
            My customers are people like you, and I have just the box for them.""",
    ),
    trait(
        "junior",
        "Is at the start of a career",
        -10,
        "intern | apprentice | junior | trainee | help desk | entry level",
        headlines="Apprentice | Junior Analyst",
        said="""
            Trainee in my second year.
            I started on the help desk and am still there.""",
        held_out="""
            This is my first job, and everything is new.
            I am learning the trade from a patient colleague.""",
    ),
)

POST_TRAITS = (
    trait(
        "security_topic",
        "Writes about security",
        40,
        "ransomware | phishing | zero-day | vulnerability | incident | patch",
        said="""
            Three lessons from a phishing mail that fooled even me.
            Patch your firewalls tonight. Yes, tonight.""",
        held_out="""
            Somebody called our reception today and pretended to be me. He nearly got in.
            Change your passwords, all of them, before you read on.""",
    ),
    trait(
        "asks_for_help",
        "Asks for advice",
        30,
        "any recommendations | looking for advice | who do you use | /can (anyone|somebody) recommend/",
        said="""
            Any recommendations for a firm that tests hospital networks?
            Can anyone recommend a good trainer for our administrators?""",
        held_out="""
            I am stuck and would love to hear how you solved it.
            Which firm would you trust with this? Names, please.""",
        fixed=True,
    ),
    trait(
        "sales_pitch",
        "Is a sales pitch",
        -20,
        "book a demo | discount | our solution | webinar | sign up",
        said="""
            Book a demo this week and see for yourself.
            Our solution is used by nine of ten market leaders. Sign up today.""",
        held_out="""
            Nine of ten market leaders trust us. When do we talk?
            Come and see what we have built; the first month is free.""",
        fixed=True,
    ),
)

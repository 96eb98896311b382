"""Settings: one frozen object, from flags, the environment, tallybook.toml and defaults.

sections.py is the list of them. Only app and the command line read settings; a plug is handed what it needs.
"""

from tallybook.settings.load import Loaded, load, load_with_origins
from tallybook.settings.origin import Origin, Source
from tallybook.settings.secret import MASK, Secret
from tallybook.settings.sections import (
    Airtable,
    Alerts,
    Apify,
    Budget,
    Database,
    Debug,
    Engine,
    Log,
    Mail,
    Price,
    RunIds,
    Schedule,
    Scorer,
    Scripted,
    Server,
    Settings,
)
from tallybook.settings.shown import Shown, shown
from tallybook.settings.template import TEMPLATE

__all__ = [
    "MASK",
    "TEMPLATE",
    "Airtable",
    "Alerts",
    "Apify",
    "Budget",
    "Database",
    "Debug",
    "Engine",
    "Loaded",
    "Log",
    "Mail",
    "Origin",
    "Price",
    "RunIds",
    "Schedule",
    "Scorer",
    "Scripted",
    "Secret",
    "Server",
    "Settings",
    "Shown",
    "Source",
    "load",
    "load_with_origins",
    "shown",
]

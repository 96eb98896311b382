"""The tallybook.toml that `tallybook init` writes: every setting explained, commented out."""

import json

from tallybook.settings.sections import SECTIONS, SETTINGS, Price, Schedule, Setting, settings_of

_HEAD = """\
# The settings of Tallybook. "#name = …" is a default: remove the # to change it. What has no default has an example.
# The environment goes before this file: TALLYBOOK_SECTION__KEY. Secrets are better there, or each in a file of its own
# that TALLYBOOK_SECTION__KEY_FILE names. `tallybook config show --origin` prints what is in force, and from where.
"""
_SCHEDULE = """
# When runs start by themselves: a [[schedule]] for each.
# Example: [[schedule]]
"""
_PRICES = """
# What models cost, where the built-in prices lack or misstate one: a table for each model.
# Example: [prices."openai:gpt-5-mini"]
"""
_EXPLAINED_AT = 50  # column


def _template() -> str:
    schedule = "".join(map(_example, settings_of(Schedule, "")))
    price = "".join(map(_example, settings_of(Price, "")))
    return _HEAD + "".join(map(_section, SECTIONS)) + _SCHEDULE + schedule + _PRICES + price


def _section(name: str) -> str:
    settings = [setting for setting in SETTINGS.values() if setting.section == name]
    return f"\n[{name}]\n" + "".join(_example(each) if each.spec.example else _default(each) for each in settings)


def _default(setting: Setting) -> str:
    return _explained(f"#{setting.word} = {_toml(setting.default)}", setting)


def _example(setting: Setting) -> str:
    return _explained(f"# Example: {setting.word} = {_toml(setting.spec.example or setting.default)}", setting)


def _explained(assignment: str, setting: Setting) -> str:
    return f"{assignment:<{_EXPLAINED_AT}} # {setting.spec.about}\n"


def _toml(value: object) -> str:
    """Numbers, lists and plain text are written alike in JSON and TOML."""
    return json.dumps(value if isinstance(value, int | float | list) else str(value))


TEMPLATE = _template()

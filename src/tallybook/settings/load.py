"""Loading: flag > environment > tallybook.toml > default, then each value is checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tallybook.domain.errors import BadSetting
from tallybook.settings import readers
from tallybook.settings.environment import CONFIG, read_environment
from tallybook.settings.file import NAME, Document, Entry, read_document
from tallybook.settings.origin import DEFAULT, FLAG, Given, Origin, Source, plain, unknown
from tallybook.settings.sections import SECTIONS, SETTINGS, Price, Schedule, Setting, Settings, settings_of

NO_FLAGS: Mapping[str, object] = MappingProxyType({})
CONFIG_FLAG = "config"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings and where each comes from, by key. *file*: the one that was read, None if there was none."""

    settings: Settings
    origins: Mapping[str, Origin]
    file: Path | None = None


def load(flags: Mapping[str, object] = NO_FLAGS, *, environ: Mapping[str, str], folder: Path) -> Settings:
    """The settings of a process with these *flags* and this *environ*, in the working *folder*.

    *flags*: value by key (`server.port`), None for a flag not given; `config` is the path of the file.
    Raises BadSetting: one line that says what is wrong, where it was set, and what to do.
    """
    return load_with_origins(flags, environ=environ, folder=folder).settings


def load_with_origins(flags: Mapping[str, object] = NO_FLAGS, *, environ: Mapping[str, str], folder: Path) -> Loaded:
    """As `load`, with what `config show --origin` needs to know."""
    path, document = _document(flags, environ, folder)
    given = {**document.given, **read_environment(environ, folder), **_read_flags(flags)}
    origins = {key: given[key].origin if key in given else DEFAULT for key in SETTINGS}
    entries = {entry.name: entry.origin for entry in (*document.schedules, *document.prices)}
    settings = Settings(
        **{name: section(**_values(section, name, given)) for name, section in SECTIONS.items()},
        schedule=tuple(Schedule(**_entry(Schedule, entry)) for entry in document.schedules),
        prices=tuple(map(_price, document.prices)),
    )
    return Loaded(settings, {**origins, **entries}, path)


def _document(flags: Mapping[str, object], environ: Mapping[str, str], folder: Path) -> tuple[Path | None, Document]:
    """The file that was named must be there; the one in the working folder may be."""
    named = _named_file(flags, environ)
    name = _file_name(named) if named else NAME
    document = read_document(folder / name, name)
    if document is None and named:
        raise BadSetting(f"there is no file of settings {name}: make it, or {named.origin.remedy}")
    return (folder / name, document) if document else (None, Document())


def _named_file(flags: Mapping[str, object], environ: Mapping[str, str]) -> Given | None:
    if flags.get(CONFIG_FLAG) is not None:
        return Given(str(flags[CONFIG_FLAG]), FLAG)
    if CONFIG in environ:
        return Given(environ[CONFIG], Origin(Source.ENVIRONMENT, CONFIG))
    return None


def _file_name(named: Given) -> str:
    try:
        return readers.text(named.value)
    except ValueError as error:
        raise named.refuse("the file of settings", str(error)) from None


def _read_flags(flags: Mapping[str, object]) -> dict[str, Given]:
    for key in flags:
        if key not in SETTINGS and key != CONFIG_FLAG:
            raise unknown(key, "the flags", SETTINGS)
    return {key: Given(value, FLAG) for key, value in flags.items() if key != CONFIG_FLAG and value is not None}


def _values(kind: type[Any], name: str, given: Mapping[str, Given]) -> dict[str, Any]:
    """The attributes of *kind* that something under *name* is given for, checked."""
    found = [setting for setting in settings_of(kind, name) if setting.key in given]
    return {setting.name: _value(setting, given[setting.key]) for setting in found}


def _value(setting: Setting, given: Given) -> Any:
    try:
        return setting.spec.read(given.value)
    except ValueError as error:
        raise given.refuse(setting.key, str(error)) from None


def _entry(kind: type[Any], entry: Entry) -> dict[str, Any]:
    for setting in settings_of(kind, entry.name):
        if setting.required and setting.key not in entry.given:
            raise BadSetting(f"{plain(setting.key)} is missing: add it in {entry.origin}")
    return _values(kind, entry.name, entry.given)


def _price(entry: Entry) -> Price:
    name = entry.name.removeprefix("prices.")
    try:
        model = readers.model(name)
    except ValueError as error:
        raise Given(name, entry.origin).refuse("a model in prices", str(error)) from None
    return Price(model=model, **_entry(Price, entry))

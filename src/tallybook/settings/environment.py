"""The environment's variables: TALLYBOOK_SECTION__KEY, TALLYBOOK_SECTION__KEY_FILE for secrets, and DEBUG_KEY."""

from collections.abc import Mapping
from pathlib import Path

from tallybook.domain.errors import BadSetting
from tallybook.settings.origin import Given, Origin, Source, unknown
from tallybook.settings.sections import SETTINGS, Setting

PREFIX = "TALLYBOOK_"
CONFIG = "TALLYBOOK_CONFIG"  # names the file of settings; no setting itself
_SETTINGS: Mapping[str, Setting] = {setting.variable: setting for setting in SETTINGS.values()}
_FILES: Mapping[str, Setting] = {f"{name}_FILE": each for name, each in _SETTINGS.items() if each.spec.secret}


def read_environment(environ: Mapping[str, str], folder: Path) -> dict[str, Given]:
    """What *environ* gives by key. Files of secrets are looked for from *folder*.

    Raises BadSetting for an unknown name with our prefix, and for a secret that is given twice or cannot be read.
    """
    given: dict[str, Given] = {}
    for name in sorted(environ):
        if setting := _SETTINGS.get(name):
            if setting.section != "debug" or environ[name].strip():  # those names are not ours alone
                given[setting.key] = Given(environ[name], Origin(Source.ENVIRONMENT, name))
        elif setting := _FILES.get(name):
            if setting.variable in environ:
                raise BadSetting(f"{setting.variable} and {name} are both set: unset one of them")
            given[setting.key] = Given(_secret_in(environ[name], name, folder), Origin(Source.ENVIRONMENT, name))
        elif name.startswith(PREFIX) and name != CONFIG:
            raise unknown(name, "the environment", [*_SETTINGS, *_FILES, CONFIG])
    return given


def _secret_in(path: str, name: str, folder: Path) -> str:
    """No error repeats *path*: somebody may have put the secret itself there."""
    try:
        return (folder / path).read_bytes().decode("utf-8").strip()
    except UnicodeDecodeError:
        problem = "is not UTF-8 text: write only the secret into it"
    except OSError as error:
        problem = f"cannot be read ({error.strerror}): mend or unset it"
    except ValueError:
        problem = "can have no such name: name the file that holds the secret, or unset it"
    raise BadSetting(f"the file that {name} names {problem}")  # out here, as the decoding error carries the secret

"""The installed console script, as a user runs it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

SCRIPT = str(Path(sys.executable).with_name("tallybook"))
OURS = ("TALLYBOOK_", "DEBUG_", "NO_COLOR", "FORCE_COLOR")


def environment(**more: str) -> Mapping[str, str]:
    """This one's, without anything that settings or output would heed."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**plain, "PYTHONIOENCODING": "", "COLUMNS": "100", **more}


def console(*args: str, cwd: Path, read_as: str = "utf-8", **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *args],
        cwd=cwd,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding=read_as,
        timeout=120,
        check=False,
    )

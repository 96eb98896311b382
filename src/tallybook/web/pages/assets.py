"""The style sheet and the script: ours alone, named by what is in them, so that a browser keeps them for good."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "static"
MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Asset:
    name: str
    body: bytes
    media_type: str


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    return Asset(f"{path.stem}.{hashlib.sha256(body).hexdigest()[:12]}{path.suffix}", body, MEDIA_TYPES[path.suffix])


STYLE, SCRIPT = _asset(FOLDER / "tallybook.css"), _asset(FOLDER / "tallybook.js")
ASSETS: Mapping[str, Asset] = {each.name: each for each in (STYLE, SCRIPT)}

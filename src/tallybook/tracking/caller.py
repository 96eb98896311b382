"""Who called: the nearest line of code outside Tallybook."""

import sys
from pathlib import Path

_OURS = str(Path(__file__).resolve().parent.parent)


def call_site() -> str:
    """File and line, such as `jobs/nightly.py:42`. Two parts of the path: the rest is nobody's business."""
    frame = sys._getframe(1)  # what inspect offers reads source files, too slow for every verb
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    parts = Path(frame.f_code.co_filename).parts[-2:]
    return f"{'/'.join(part for part in parts if part != '/')}:{frame.f_lineno}"

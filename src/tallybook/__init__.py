"""Runs multi-tenant AI batch jobs and keeps exact books of them.

`tallybook.JobTracking()` is the book for programs that run their own jobs; with `url=` and `token=` it is kept by a
server.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["JobTracking", "__version__"]


def __getattr__(name: str) -> Any:
    """JobTracking is wired by app and imported when first asked for: `import tallybook` stays instant."""
    if name == "JobTracking":
        return import_module("tallybook.app").job_tracking
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

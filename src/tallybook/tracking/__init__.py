"""The verbs by which other programs report their runs. What goes wrong here never reaches them, unless they ask."""

from tallybook.tracking.job_tracking import JobTracking

__all__ = ["JobTracking"]

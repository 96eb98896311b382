"""How long what has happened is news."""

from datetime import timedelta

MISSED_FOR = timedelta(days=7)
"""A run that was missed longer ago is only history."""

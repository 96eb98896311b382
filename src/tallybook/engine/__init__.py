"""Drives runs, on DBOS. Only this room and app know that it is DBOS."""

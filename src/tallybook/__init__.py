"""Runs multi-tenant AI batch jobs and keeps exact books of them."""

__version__ = "0.1.0"

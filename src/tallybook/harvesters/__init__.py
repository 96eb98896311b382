"""Harvesters: who fetches posts."""

"""Shipped with Tallybook, outside the product: demo data, and look-alike servers of the services it talks to."""

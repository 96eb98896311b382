"""Who is told when runs change: the mirror in Airtable."""

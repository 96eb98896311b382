"""The one door to Airtable: what is asked there, how often, what went wrong, and which fields are whose."""

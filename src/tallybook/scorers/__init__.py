"""Who judges: plugs of the port `Scorer`."""

"""What is done with leads: plugs of the port `Operation`."""

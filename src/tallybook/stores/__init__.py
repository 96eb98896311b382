"""Where clients' leads are kept, and the files they come from."""

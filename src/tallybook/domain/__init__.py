"""What the words mean. Pure: standard library only, no clock, no I/O."""

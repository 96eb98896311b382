"""The only INSERT and UPDATE of run data: functions over an open transaction, each safe to repeat."""

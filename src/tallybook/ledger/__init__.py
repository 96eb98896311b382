"""The only memory of runs. Everything that is written goes through one group commit; totals are derived."""

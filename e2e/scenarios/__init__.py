"""Scenarios: what inferfleet promises, shown on a real cluster. `python -m e2e.scenarios [--only a,b] [--full]`."""

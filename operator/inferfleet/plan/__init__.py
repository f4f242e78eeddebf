"""Decisions, as pure functions from a snapshot to values that carry their reasons."""

"""The queue and the beat: observe, plan, apply. Nothing is decided here."""

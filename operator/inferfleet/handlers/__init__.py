"""The process: kopf's events, signals and probes come in here. Thin, and the only room besides cli with a clock."""

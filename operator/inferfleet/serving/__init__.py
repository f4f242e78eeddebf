"""Model servers: real inferences, their metrics, and the progress of downloads, read from pods by their address.

The one rule: an address comes from the pod cache, ports and paths are fixed, and what answers is bounded.
"""

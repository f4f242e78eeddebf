"""Weights: one step that brings a source to a disk, and one that lays what is there out for a server.

The one rule: a directory without its marker is never served, and no secret leaves the process but to its own host.
"""

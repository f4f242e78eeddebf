"""End-to-end proof: the rig (a real Kubernetes on one machine) and the scenarios that run on it."""

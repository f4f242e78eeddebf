"""inferfleet: a Kubernetes operator that serves open-weight models on your own GPU fleet."""

__version__ = "0.1.0"

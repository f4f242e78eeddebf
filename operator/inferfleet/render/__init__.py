"""What was decided, written down as Kubernetes manifests: dicts, never text templates."""

"""Labels, annotations and names of what belongs to a model.

The one rule: a name is made of the model's name and of hashes, so that doing it twice is doing it once. A model's name
is a DNS label, so a dot in a child's name can never be another model's name.
"""

from __future__ import annotations

import hashlib

MANAGED_BY = "app.kubernetes.io/managed-by"
OPERATOR = "inferfleet"
SELECTOR = f"{MANAGED_BY}={OPERATOR}"

MODEL = "inferfleet.dev/model"
REVISION = "inferfleet.dev/revision"
SHAPE = "inferfleet.dev/shape"
ROLE = "inferfleet.dev/role"
TRAFFIC = "inferfleet.dev/traffic"
ROLE_SERVER = "server"
ROLE_DOWNLOAD = "download"

PROVEN = "inferfleet.dev/proven"
GOOD = "inferfleet.dev/good"
FAILED = "inferfleet.dev/failed"
DEATHS = "inferfleet.dev/deaths"
APPLIED = "inferfleet.dev/applied"
ATTEMPT = "inferfleet.dev/attempt"
SECRET = "inferfleet.dev/secret"  # noqa: S105 - the name of an annotation that holds the name of a Secret
TEMPLATE = "inferfleet.dev/template"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


def revision_name(model: str, revision: str, shape: str) -> str:
    """Name the ReplicaSet, the ControllerRevision and the ConfigMap of a revision and shape."""
    return f"{model}-{revision}-{shape}"


def download_name(model: str, revision: str, attempt: int) -> str:
    """Name a download Job of a revision; each attempt is a Job of its own, so that none waits for another's end."""
    return f"{model}-{revision}-fetch-{attempt}"


def service_name(model: str) -> str:
    """Name the Service that sends requests to serving pods."""
    return model


def held_service_name(model: str, revision: str) -> str:
    """Name the Service of a revision that has not proven itself."""
    return f"{model}-{revision}-held"


def budget_name(model: str) -> str:
    """Name the PodDisruptionBudget."""
    return model


def serving_policy_name(model: str) -> str:
    """Name the NetworkPolicy of serving pods."""
    return model


def download_policy_name(model: str) -> str:
    """Name the NetworkPolicy of download Jobs."""
    return f"{model}.download"


def claim_name(model: str) -> str:
    """Name the claim that is made for a model's weights."""
    return f"{model}.weights"


def source_directory(source: str) -> str:
    """Name the directory of a source in a cache volume; below it lies one directory for each commit."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]

"""How our pods are locked in: Pod Security `restricted`, a read-only root, no token of the API server.

The one rule: every pod and every container that we render is made with these.
"""

from __future__ import annotations

from inferfleet.api.base import Json
from inferfleet.api.config import FleetConfig


def pod_security(config: FleetConfig, *, writes_claim: bool) -> Json:
    """Write a pod's security context; a pod that writes to a claim has a group of its own there."""
    found: Json = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if config.run_as_user is None:
        return found
    found["runAsUser"] = config.run_as_user
    if writes_claim:
        found |= {"fsGroup": config.run_as_user, "fsGroupChangePolicy": "OnRootMismatch"}
    return found


def container_security() -> Json:
    """Write a container's security context."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def locked_pod(config: FleetConfig, *, writes_claim: bool) -> Json:
    """Write the part of a pod's spec that is the same in all pods."""
    secrets = [{"name": secret.name} for secret in config.images.pull_secrets]
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(config, writes_claim=writes_claim),
    } | ({"imagePullSecrets": secrets} if secrets else {})

"""The kinds of Kubernetes objects that we read or write, and where each lives under the API server's root.

The one rule: a path is built here and nowhere else, from a kind of this table, and every name in it is quoted.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from inferfleet.api.base import GROUP, KIND, PLURAL, VERSION, Json


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object: its group (empty for the core group), version, plural name, kind and scope."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """Join group and version as a manifest writes them."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Build the path of a collection (no name), an object, or one of its subresources."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name == "":
            raise ValueError(f"a {self.kind} without a name would be all of them")
        if name is not None:
            parts.append(quote(name, safe=""))
        if subresource is not None:
            parts.append(subresource)
        return "/".join(parts)


@dataclass(frozen=True, slots=True)
class Ref:
    """One object by name; which object of that name is meant, a uid tells."""

    kind: Kind
    namespace: str | None
    name: str

    @property
    def path(self) -> str:
        """Build the object's path."""
        return self.kind.path(self.namespace, self.name)


MODEL_DEPLOYMENTS = Kind(GROUP, VERSION, PLURAL, KIND)
REPLICA_SETS = Kind("apps", "v1", "replicasets", "ReplicaSet")
CONTROLLER_REVISIONS = Kind("apps", "v1", "controllerrevisions", "ControllerRevision")
SERVICES = Kind("", "v1", "services", "Service")
CONFIG_MAPS = Kind("", "v1", "configmaps", "ConfigMap")
JOBS = Kind("batch", "v1", "jobs", "Job")
CLAIMS = Kind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
BUDGETS = Kind("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
NETWORK_POLICIES = Kind("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
PODS = Kind("", "v1", "pods", "Pod")
NODES = Kind("", "v1", "nodes", "Node", namespaced=False)
RESOURCE_QUOTAS = Kind("", "v1", "resourcequotas", "ResourceQuota")
LEASES = Kind("coordination.k8s.io", "v1", "leases", "Lease")
# The core kind, not events.k8s.io: its repeats are one number that a merge patch moves, which is all that the rights
# `create` and `patch` allow, and `kubectl get events` shows it.
EVENTS = Kind("", "v1", "events", "Event")

CHILDREN = (
    REPLICA_SETS,
    CONTROLLER_REVISIONS,
    SERVICES,
    CONFIG_MAPS,
    JOBS,
    CLAIMS,
    BUDGETS,
    NETWORK_POLICIES,
)
"""Every kind of object that we own for a model; pods come from their ReplicaSets and Jobs."""

_ALL = (MODEL_DEPLOYMENTS, *CHILDREN, PODS, NODES, RESOURCE_QUOTAS, LEASES, EVENTS)
_BY_TYPE = {(kind.api_version, kind.kind): kind for kind in _ALL}


def kind_of(manifest: Json) -> Kind:
    """Find the kind of a manifest by its apiVersion and kind."""
    api_version, kind = str(manifest.get("apiVersion")), str(manifest.get("kind"))
    try:
        return _BY_TYPE[api_version, kind]
    except KeyError as error:
        raise ValueError(f"no {kind} of {api_version} is known here") from error

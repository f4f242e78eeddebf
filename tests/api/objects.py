"""The one table of good and bad ModelDeployments, and texts that mean harm.

The one rule: a row says which layer of the CRD refuses it and what the user reads; every judge gets every row.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from inferfleet.api.base import API_VERSION, KIND, Json

Layer = Literal["schema", "rule", "both"]
SOURCE = "hf://org/model"


@dataclass(frozen=True, slots=True)
class Good:
    """An object that everyone accepts."""

    title: str
    raw: Json = field(hash=False)


@dataclass(frozen=True, slots=True)
class Bad:
    """An object that everyone refuses: by which layer, at which field, with which words."""

    title: str
    raw: Json = field(hash=False)
    layer: Layer
    where: str
    says: str


def deployment(name: Any = "chat", **spec: Any) -> Json:
    """Write an object: the smallest one, with these fields of its spec besides."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"model": {"source": SOURCE}, **spec},
    }


def serving(**template: Any) -> Json:
    """Write an object with fields of its template."""
    return deployment(template=template)


def server(**fields: Any) -> Json:
    """Write an object with fields of the server container."""
    return deployment(template={"server": fields})


def _taking(prefix: str) -> Json:
    """Write a source of variables with a prefix."""
    return {"prefix": prefix, "configMapRef": {"name": "c"}}


def volume(**source: Any) -> Json:
    """Write an object with one volume."""
    return serving(volumes=[{"name": "extra", **source}])


def deep(levels: int) -> Any:
    """Nest lists."""
    found: Any = "x"
    for _ in range(levels):
        found = [found]
    return found


SELECTOR = {
    "matchLabels": {"app": "chat"},
    "matchExpressions": [
        {"key": "tier", "operator": "In", "values": ["front", "back"]},
        {"key": "tier", "operator": "Exists"},
    ],
}
POD_TERM = {"labelSelector": SELECTOR, "namespaces": ["team-b"], "topologyKey": "kubernetes.io/hostname"}
POD_AFFINITY = {
    "requiredDuringSchedulingIgnoredDuringExecution": [POD_TERM],
    "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": POD_TERM}],
}
NODE_TERM = {
    "matchExpressions": [
        {"key": "example.com/rack", "operator": "NotIn", "values": ["r1"]},
        {"key": "example.com/rack", "operator": "DoesNotExist", "values": []},
        {"key": "example.com/generation", "operator": "Gt", "values": ["3"]},
    ]
}
AFFINITY = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [NODE_TERM]},
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": NODE_TERM}],
    },
    "podAffinity": POD_AFFINITY,
    "podAntiAffinity": POD_AFFINITY,
}
FILES = [{"key": "tls.crt", "path": "certs/tls.crt", "mode": 288}]
POD_FILES = {
    "items": [
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {"path": "team", "fieldRef": {"fieldPath": "metadata.annotations['example.com/team']"}},
    ]
}
CLAIM = {
    "metadata": {"labels": {"team": "a"}},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "1.5Ti"}},
    },
}
VOLUMES = [
    {"name": "a", "configMap": {"name": "settings", "items": FILES, "optional": True}},
    {"name": "b", "secret": {"secretName": "certs", "items": FILES, "optional": False}},
    {"name": "c", "csi": {"driver": "csi.example.com", "readOnly": True, "volumeAttributes": {"share": "a=b; c"}}},
    {"name": "d", "downwardAPI": POD_FILES},
    {"name": "e", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
    {"name": "f", "persistentVolumeClaim": {"claimName": "shared", "readOnly": True}},
    {"name": "g", "ephemeral": {"volumeClaimTemplate": CLAIM}},
    {
        "name": "h",
        "projected": {
            "sources": [
                {"configMap": {"name": "settings", "items": FILES, "optional": True}},
                {"secret": {"name": "certs", "items": FILES, "optional": True}},
                {"downwardAPI": POD_FILES},
            ]
        },
    },
]
SERVER = {
    "env": [
        {"name": "LEVEL", "value": "info: {} [] \"'"},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "token", "optional": True}}},
        {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "mode", "optional": False}}},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
    ],
    "envFrom": [
        {"prefix": "A_", "secretRef": {"name": "more"}},
        {"prefix": "b", "configMapRef": {"name": "even.more"}},
    ],
    "volumeMounts": [{"name": "e", "mountPath": "/scratch/fast", "readOnly": False, "subPath": "a/b"}],
    "resources": {
        "requests": {"cpu": 4, "memory": "16Gi", "rdma/hca_shared": 1},
        "limits": {"ephemeral-storage": "1.5Gi", "hugepages-2Mi": "64Mi"},
    },
}
TEMPLATE = {
    "labels": {"team": "search", "example.com/cost-centre": "42"},
    "annotations": {"example.com/note": "free text: {{ x }} $(y)\nand\tmore"},
    "nodeSelector": {"topology.kubernetes.io/zone": "a"},
    "affinity": AFFINITY,
    "tolerations": [
        {"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoExecute", "tolerationSeconds": 60},
        {"operator": "Exists"},
    ],
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": SELECTOR,
        }
    ],
    "imagePullSecrets": [{"name": "registry"}],
    "runtimeClassName": "nvidia",
    "schedulerName": "other-scheduler",
    "volumes": VOLUMES,
    "server": SERVER,
}
WHOLE = {
    "model": {
        "source": "hf://Org.1/Model_x-2/folder/sub",
        "revision": "refs/pr/3",
        "name": "llama-3.1",
        "secretRef": {"name": "hub.token"},
    },
    "engine": {
        "type": "triton",
        "image": "registry.example.com:5000/a/b:v1@sha256:" + "0" * 64,
        "options": {"http-thread-count": "16", "log-format": "ISO8601, a=b/c:d"},
    },
    "gpu": {"products": ["H100-80GB", "L4"], "count": 16},
    "replicas": 1000,
    "rollout": {"outage": "Allow", "drainTimeoutSeconds": 7200, "progressDeadlineSeconds": 86400, "paused": True},
    "cache": {"type": "PVC", "size": "1.5Ti", "whenDeleted": "Delete"},
    "access": {"egress": "Deny"},
    "limits": {"priorityClass": "gold"},
    "suspend": True,
    "template": TEMPLATE,
}

GOOD = (
    Good("a source alone", deployment()),
    Good("every field", {**deployment(), "spec": WHOLE}),
    Good("a claim, served in place", deployment(model={"source": "pvc://weights/a/b"}, cache={"type": "Auto"})),
    Good("a given claim", deployment(cache={"claim": "weights", "type": "PVC", "whenDeleted": "Retain"})),
    Good("open pods that download", deployment(cache={"type": "Pod", "size": "10Gi"}, access={"egress": "Allow"})),
    Good("closed pods, and a cache that is chosen", deployment(cache={"type": "Auto"}, access={"egress": "Deny"})),
    Good("CPUs only", deployment(gpu={"count": 0, "products": []})),
    Good("no replica", deployment(replicas=0)),
    Good("the longest name", deployment("a" * 40)),
    Good("the shortest name", deployment("a")),
    Good("empty objects and lists", deployment(gpu={}, engine={"options": {}}, template={"volumes": [], "labels": {}})),
    Good("a null, which is a field that is not set", deployment(gpu=None, template={"labels": {"a": None}})),
    Good("a whole number that YAML wrote with a point", deployment(gpu={"count": 2.0})),
    Good("a dotted Secret", deployment(model={"source": SOURCE, "secretRef": {"name": "a.b-c.d"}})),
    Good("the longest key of a label", serving(labels={"a" * 63: "b" * 63})),
)

_NAME = "metadata.name must be a DNS label that starts with a letter and has at most 40 characters"
_ROUTE = "spec.template.server"
_SYSTEM = "must not use the prefixes of inferfleet.dev"

NAMES = (
    Bad("a long name", deployment("a" * 41), "rule", "metadata.name", _NAME),
    Bad("a name that starts with a digit", deployment("7b"), "rule", "metadata.name", _NAME),
    Bad("a name with a dot", deployment("qwen-2.5"), "rule", "metadata.name", _NAME),
)
SHAPES = (
    Bad("an unknown field", deployment(modle={}), "schema", "spec.modle", "this field does not exist"),
    Bad("an unknown field inside", deployment(gpu={"cuont": 1}), "schema", "spec.gpu.cuont", "does not exist"),
    Bad("no source", {**deployment(), "spec": {"model": {}}}, "schema", "spec.model.source", "is required; set it"),
    Bad("no model", {**deployment(), "spec": {}}, "schema", "spec.model", "is required; set it"),
    Bad("a null source", deployment(model={"source": None}), "schema", "spec.model.source", "is required"),
    Bad("no spec", {**deployment(), "spec": None}, "schema", "spec", "found null"),
    Bad("text for a number", deployment(replicas="3"), "schema", "spec.replicas", 'found "3"'),
    Bad("a boolean for a number", deployment(replicas=True), "schema", "spec.replicas", "found true"),
    Bad("a broken number", deployment(replicas=1.5), "schema", "spec.replicas", "found 1.5"),
    Bad("text for a boolean", deployment(suspend="yes"), "schema", "spec.suspend", 'found "yes"'),
    Bad("a list for an object", deployment(gpu=[]), "schema", "spec.gpu", "found []"),
    Bad("a number for text", deployment(model={"source": 7}), "schema", "spec.model.source", "found 7"),
    Bad("a null in a list", deployment(gpu={"products": [None]}), "schema", "spec.gpu.products.0", "found null"),
    Bad("deep nesting", deployment(replicas=deep(90)), "schema", "spec.replicas", "found [["),
    Bad(
        "a revision that goes up",
        deployment(model={"source": SOURCE, "revision": "a/../b"}),
        "schema",
        "spec.model",
        "a/..",
    ),
    Bad("an unknown engine", deployment(engine={"type": "vllm"}), "schema", "spec.engine.type", "'triton'"),
    Bad("an unknown cache", deployment(cache={"type": "Node"}), "schema", "spec.cache.type", "'Auto', 'PVC' or 'Pod'"),
)
BOUNDS = (
    Bad("too many replicas", deployment(replicas=1001), "schema", "spec.replicas", "less than or equal to 1000"),
    Bad("fewer than none", deployment(replicas=-1), "schema", "spec.replicas", "greater than or equal to 0"),
    Bad("too many GPUs", deployment(gpu={"count": 17}), "schema", "spec.gpu.count", "less than or equal to 16"),
    Bad("a huge number", deployment(replicas=10**30), "schema", "spec.replicas", "less than or equal to 1000"),
    Bad("a long source", deployment(model={"source": f"hf://o/{'x' * 600}"}), "schema", "spec.model.source", "at most"),
    Bad("no time to drain", deployment(rollout={"drainTimeoutSeconds": 0}), "schema", "spec.rollout", "equal to 1"),
    Bad("an early deadline", deployment(rollout={"progressDeadlineSeconds": 59}), "schema", "spec.rollout", "60"),
    Bad("too many products", deployment(gpu={"products": list("abcdefghi")}), "schema", "spec.gpu.products", "8"),
    Bad(
        "too many options",
        deployment(engine={"options": {f"o{n}": "1" for n in range(33)}}),
        "schema",
        "spec.engine.options",
        "at most 32",
    ),
    Bad("less than no cpu", server(resources={"requests": {"cpu": -1}}), "schema", f"{_ROUTE}.resources", "equal to 0"),
    Bad("no unit", server(resources={"limits": {"memory": "16GB"}}), "schema", f"{_ROUTE}.resources", "16GB"),
    Bad("empty text for a size", deployment(cache={"size": ""}), "schema", "spec.cache.size", "at least 1"),
    Bad("a long key", serving(labels={"a" * 64: "b"}), "rule", "spec.template.labels", "match"),
    Bad("a long option", deployment(engine={"options": {"o" * 65: "1"}}), "rule", "spec.engine.options", "at most 64"),
)
SOURCES = tuple(
    Bad(f"source {text!r}", deployment(model={"source": text}), "schema", "spec.model.source", "Where the weights")
    for text in (
        "https://example.com/model",
        "hf://org",
        "hf://org/model/../../etc",
        "hf://org/model//x",
        "hf://org/model/.hidden",
        "hf://-org/model",
        "hf://org/model\n",
        "hf://org/model?x=y",
        "hf://user:password@org/model",
        "pvc://Claim/x",
        "pvc://../claim",
        "pvc://claim/../x",
        "s3://bucket/key",
        "file:///etc/passwd",
        "HF://org/model",
    )
)
EXCLUSIVES = (
    Bad(
        "a revision of a claim",
        deployment(model={"source": "pvc://w", "revision": "main"}),
        "rule",
        "spec.model",
        "revision is for hf:// sources; a claim has none: remove revision",
    ),
    Bad(
        "credentials for a claim",
        deployment(model={"source": "pvc://w", "secretRef": {"name": "s"}}),
        "rule",
        "spec.model",
        "secretRef is for hf:// sources; a claim needs no credentials: remove secretRef",
    ),
    Bad(
        "products without GPUs",
        deployment(gpu={"count": 0, "products": ["L4"]}),
        "rule",
        "spec.gpu",
        "count 0 runs on CPUs and takes no product: remove products, or set count to 1 or more",
    ),
    Bad(
        "a product twice",
        deployment(gpu={"products": ["L4", "L4"]}),
        "both",
        "spec.gpu",
        "products must not name a class twice; remove one",
    ),
    Bad(
        "a claim for pods that download",
        deployment(cache={"type": "Pod", "claim": "w"}),
        "rule",
        "spec.cache",
        "type Pod downloads into each pod and uses no claim: remove claim, or set type to PVC",
    ),
    Bad(
        "a size for a given claim",
        deployment(cache={"claim": "w", "size": "1Gi"}),
        "rule",
        "spec.cache",
        "a given claim has its own size: remove size, or remove claim to have one made",
    ),
    Bad(
        "an end for a given claim",
        deployment(cache={"claim": "w", "whenDeleted": "Delete"}),
        "rule",
        "spec.cache",
        "a given claim is never deleted: remove whenDeleted, or remove claim to have one made",
    ),
    Bad(
        "a cache for a claim that is served in place",
        deployment(model={"source": "pvc://w"}, cache={"type": "PVC"}),
        "rule",
        "spec",
        "a pvc:// source is served in place and needs no cache: remove cache.type, cache.claim and cache.size",
    ),
    Bad(
        "pods that download and reach nobody",
        deployment(cache={"type": "Pod"}, access={"egress": "Deny"}),
        "rule",
        "spec",
        "cache.type Pod downloads from the serving pods, which access.egress Deny forbids: "
        "remove egress, or set cache.type to PVC",
    ),
)
_TAKEN = "are set by inferfleet; remove it"
_PREFIX = "prefix must not begin a name that inferfleet sets"
_PATHS = "which inferfleet uses; choose another path"
TEMPLATES = (
    Bad("privileges", serving(securityContext={}), "schema", "spec.template.securityContext", "does not exist"),
    Bad("the node's network", serving(hostNetwork=True), "schema", "spec.template.hostNetwork", "does not exist"),
    Bad("the node's files", volume(hostPath={"path": "/"}), "schema", "spec.template.volumes.0.hostPath", "not exist"),
    Bad("a command", server(command=["sh"]), "schema", f"{_ROUTE}.command", "does not exist"),
    Bad("an image", server(image="x"), "schema", f"{_ROUTE}.image", "does not exist"),
    Bad("another account", serving(serviceAccountName="x"), "schema", "spec.template.serviceAccount", "not exist"),
    Bad("a fixed node", serving(nodeName="n"), "schema", "spec.template.nodeName", "does not exist"),
    Bad(
        "a token",
        volume(projected={"sources": [{"serviceAccountToken": {"path": "t"}}]}),
        "schema",
        "spec.template.volumes.0.projected.sources.0.serviceAccountToken",
        "does not exist",
    ),
    Bad("GPUs", server(resources={"limits": {"nvidia.com/gpu": 1}}), "rule", f"{_ROUTE}.resources.limits", "match"),
    Bad("a system label", serving(labels={"inferfleet.dev/traffic": "serving"}), "rule", "spec.template", _SYSTEM),
    Bad("a tracking label", serving(labels={"app.kubernetes.io/instance": "x"}), "rule", "spec.template", _SYSTEM),
    Bad("a system note", serving(annotations={"a.k8s.io/x": ""}), "rule", "spec.template", f"annotations {_SYSTEM}"),
    Bad("no source", volume(), "rule", "spec.template.volumes.0", "exactly one of configMap, secret, csi"),
    Bad(
        "two sources",
        volume(emptyDir={}, configMap={"name": "x"}),
        "rule",
        "spec.template.volumes.0",
        "exactly one of configMap, secret, csi",
    ),
    Bad(
        "our volume",
        serving(volumes=[{"name": "weights", "emptyDir": {}}]),
        "rule",
        "spec.template.volumes.0",
        "are taken by inferfleet; choose another name",
    ),
    Bad(
        "an empty projection",
        volume(projected={"sources": [{}]}),
        "rule",
        "spec.template.volumes.0.projected.sources.0",
        "exactly one of configMap, secret, downwardAPI must be set",
    ),
    Bad(
        "a claim without size",
        volume(ephemeral={"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {}}}}),
        "schema",
        "spec.template.volumes.0.ephemeral.volumeClaimTemplate.spec.resources.requests",
        "is required",
    ),
    Bad(
        "a pod field that no file may show",
        volume(downwardAPI={"items": [{"path": "a", "fieldRef": {"fieldPath": "status.podIP"}}]}),
        "schema",
        "spec.template.volumes.0.downwardAPI.items.0.fieldRef.fieldPath",
        'found "status.podIP"',
    ),
    Bad(
        "a pod field that no variable may show",
        server(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels"}}}]),
        "schema",
        f"{_ROUTE}.env.0.valueFrom.fieldRef.fieldPath",
        'found "metadata.labels"',
    ),
    Bad("all GPUs", server(env=[{"name": "NVIDIA_VISIBLE_DEVICES"}]), "rule", f"{_ROUTE}.env.0", _TAKEN),
    Bad("our variable", server(env=[{"name": "DRAIN_SECONDS", "value": "1"}]), "rule", f"{_ROUTE}.env.0", _TAKEN),
    Bad("a preloaded library", server(env=[{"name": "LD_PRELOAD", "value": "x"}]), "rule", f"{_ROUTE}.env.0", _TAKEN),
    Bad(
        "two values",
        server(env=[{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
        "rule",
        f"{_ROUTE}.env.0",
        "at most one of value, valueFrom may be set",
    ),
    Bad(
        "a value from nowhere",
        server(env=[{"name": "A", "valueFrom": {}}]),
        "rule",
        f"{_ROUTE}.env.0.valueFrom",
        "exactly one of secretKeyRef, configMapKeyRef, fieldRef must be set",
    ),
    Bad(
        "variables from nowhere",
        server(envFrom=[{"prefix": "A_"}]),
        "rule",
        f"{_ROUTE}.envFrom.0",
        "exactly one of secretRef",
    ),
    Bad(
        "variables with their own names",
        server(envFrom=[{"secretRef": {"name": "s"}}]),
        "schema",
        f"{_ROUTE}.envFrom.0.prefix",
        "required",
    ),
    Bad("all GPUs by a prefix", server(envFrom=[_taking("NVIDIA_VISIBLE_")]), "rule", f"{_ROUTE}.envFrom.0", _PREFIX),
    Bad("all GPUs by a letter", server(envFrom=[_taking("N")]), "rule", f"{_ROUTE}.envFrom.0", _PREFIX),
    Bad("a library by a prefix", server(envFrom=[_taking("LD_")]), "rule", f"{_ROUTE}.envFrom.0", _PREFIX),
    Bad("a variable twice", server(env=[{"name": "A"}, {"name": "A"}]), "both", _ROUTE, "must not name a variable"),
    Bad(
        "our path",
        serving(
            volumes=[{"name": "x", "emptyDir": {}}],
            server={"volumeMounts": [{"name": "x", "mountPath": "/weights/mine"}]},
        ),
        "rule",
        f"{_ROUTE}.volumeMounts.0",
        _PATHS,
    ),
    Bad(
        "a path twice",
        serving(
            volumes=[{"name": "x", "emptyDir": {}}],
            server={"volumeMounts": [{"name": "x", "mountPath": "/a"}, {"name": "x", "mountPath": "/a"}]},
        ),
        "rule",
        _ROUTE,
        "volumeMounts must not use a mountPath twice; remove one",
    ),
    Bad(
        "a mount of nothing",
        server(volumeMounts=[{"name": "x", "mountPath": "/a"}]),
        "rule",
        "spec.template",
        "server.volumeMounts must name volumes of this template; add the volume, or remove the mount",
    ),
    Bad(
        "a volume twice",
        serving(volumes=[{"name": "x", "emptyDir": {}}, {"name": "x", "emptyDir": {}}]),
        "both",
        "spec.template",
        "volumes must not name a volume twice; remove one",
    ),
    Bad(
        "a toleration of everything, by mistake",
        serving(tolerations=[{"effect": "NoSchedule"}]),
        "rule",
        "spec.template.tolerations.0",
        "a toleration without key matches every taint and needs operator Exists; set key, or operator Exists",
    ),
    Bad(
        "a value that is not compared",
        serving(tolerations=[{"key": "a", "operator": "Exists", "value": "b"}]),
        "rule",
        "spec.template.tolerations.0",
        "operator Exists compares no value; remove value, or operator",
    ),
    Bad(
        "seconds for another effect",
        serving(tolerations=[{"key": "a", "effect": "NoSchedule", "tolerationSeconds": 5}]),
        "rule",
        "spec.template.tolerations.0",
        "tolerationSeconds counts for the effect NoExecute only; set effect, or remove tolerationSeconds",
    ),
    Bad(
        "a condition on nodes without values",
        serving(
            affinity={
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["x"]}]}]
                    }
                }
            }
        ),
        "rule",
        "spec.template.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
        ".nodeSelectorTerms.0.matchExpressions.0",
        "In and NotIn need values, Gt and Lt one whole number, Exists and DoesNotExist none; mend values",
    ),
    Bad(
        "a condition on labels with values that nobody reads",
        serving(
            topologySpreadConstraints=[
                {
                    "maxSkew": 1,
                    "topologyKey": "a",
                    "whenUnsatisfiable": "DoNotSchedule",
                    "labelSelector": {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]},
                }
            ]
        ),
        "rule",
        "spec.template.topologySpreadConstraints.0.labelSelector.matchExpressions.0",
        "In and NotIn need values, Exists and DoesNotExist take none; mend values",
    ),
)
BAD = (*NAMES, *SHAPES, *BOUNDS, *SOURCES, *EXCLUSIVES, *TEMPLATES)

HOSTILE = {
    "NUL": "a\x00b",
    "a bell": "a\x07b",
    "a megabyte": "x" * 1_000_000,
    "a way up": "../../../../etc/passwd",
    "a way up inside": "a/../../b",
    "a URL": "https://attacker.example/x?y=z#w",
    "an address with credentials": "https://user:password@attacker.example",
    "jinja": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "a jinja block": "{% for x in range(10**9) %}{{ x }}{% endfor %}",
    "YAML": "x\n  hostNetwork: true\n- &a [*a, *a]",
    "a YAML tag": "!!python/object/apply:os.system ['id']",
    "pbtxt": 'x" } instance_group { count: 99 } name: "y',
    "argv": "--model-control-mode=explicit --allow-metrics=true",
    "a shell": "$(id); `id` | sh && reboot",
    "an expansion of Kubernetes": "$(HF_TOKEN)$(ADMIN_KEY)",
    "a line end": "main\n",
    "a carriage return": "main\r",
    "a look-alike": "mоdel",  # noqa: RUF001 - the second letter is Cyrillic
    "writing from right to left": "\u202egnp.exe",
    "an emoji": "\U0001f680",
    "an escape of terminals": "\x1b[2J\x1b]0;title\x07",
    "blanks": " \t ",
}
"""Texts that mean harm in some place: each is refused, or is inert where free text belongs."""

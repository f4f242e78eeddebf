"""Specs as hypothesis draws them: everything that the API lets pass, hostile text included."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from inferfleet.api.spec import ModelDeploymentSpec
from inferfleet.plan.desired import CachePlan
from render.values import spec

# A busy machine is no failure: drawing a spec checks every rule of the API.
patiently = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
HOSTILE = [
    "",
    "a",
    '"} inject {',
    "{{ 7*7 }}",
    "$(ADMIN_KEY)",
    "'; rm -rf /",
    "\u2028- x: y",
    "a: b\n- c",
    "\U0001f600",
]
text = st.sampled_from(HOSTILE)
word = st.sampled_from(["a", "b", "gpu"])
label_key = word.map(lambda found: f"example.com/{found}")
labels = st.dictionaries(label_key, word, max_size=3)
amounts = st.dictionaries(st.sampled_from(["cpu", "memory"]), st.sampled_from(["1", "2"]), max_size=2)
expressions = st.lists(
    st.fixed_dictionaries(
        {"key": label_key, "operator": st.just("In"), "values": st.lists(word, min_size=1, max_size=2)}
    ),
    max_size=2,
)
terms = st.lists(st.fixed_dictionaries({"matchExpressions": expressions}), min_size=1, max_size=2)
node_affinity = st.fixed_dictionaries(
    {},
    optional={
        "requiredDuringSchedulingIgnoredDuringExecution": terms.map(lambda found: {"nodeSelectorTerms": found}),
        "preferredDuringSchedulingIgnoredDuringExecution": st.lists(
            st.fixed_dictionaries(
                {
                    "weight": st.integers(1, 100),
                    "preference": expressions.map(lambda found: {"matchExpressions": found}),
                }
            ),
            max_size=2,
        ),
    },
)
sources = st.one_of(
    st.fixed_dictionaries({"configMap": st.fixed_dictionaries({"name": word})}),
    st.fixed_dictionaries({"secret": st.fixed_dictionaries({"secretName": word, "optional": st.booleans()})}),
    st.fixed_dictionaries({"emptyDir": st.sampled_from([{}, {"medium": "Memory", "sizeLimit": "1Gi"}])}),
    st.fixed_dictionaries({"csi": st.fixed_dictionaries({"driver": word}, optional={"readOnly": st.booleans()})}),
    st.fixed_dictionaries({"persistentVolumeClaim": st.fixed_dictionaries({"claimName": word})}),
    st.just({"downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.name"}}]}}),
    st.just({"projected": {"sources": [{"secret": {"name": "s"}}, {"configMap": {"name": "c"}}]}}),
)
FREE_ENV = ["A", "B", "USER", "TRTLLM_NO_USAGE_STATS"]


@st.composite
def templates(draw: st.DrawFn) -> dict[str, Any]:
    volumes = draw(st.lists(sources, max_size=3))
    named = [{"name": f"v{index}"} | source for index, source in enumerate(volumes)]
    mounts = [{"name": volume["name"], "mountPath": f"/extra/{index}"} for index, volume in enumerate(named)]
    names = draw(st.lists(st.sampled_from(FREE_ENV), unique=True))
    return {
        "labels": draw(labels),
        "annotations": draw(st.dictionaries(label_key, text, max_size=2)),
        "nodeSelector": draw(labels),
        "affinity": {"nodeAffinity": draw(node_affinity)},
        "tolerations": draw(
            st.lists(st.fixed_dictionaries({"key": label_key, "operator": st.just("Exists")}), max_size=2)
        ),
        "volumes": named,
        "server": {
            "env": [{"name": name, "value": draw(text)} for name in names],
            "volumeMounts": mounts,
            "resources": {"requests": draw(amounts), "limits": draw(amounts)},
        },
    }


@st.composite
def specs(draw: st.DrawFn) -> tuple[ModelDeploymentSpec, CachePlan]:
    """Draw a spec, and where its weights lie."""
    kind = draw(st.sampled_from(["PVC", "Pod", "Sized", "Source"]))
    model: dict[str, Any] = {"source": "pvc://claim/folder" if kind == "Source" else "hf://org/models"}
    if kind != "Source" and draw(st.booleans()):
        model["secretRef"] = {"name": "hub"}
    options = st.dictionaries(st.just("log-verbose"), st.sampled_from(["", "1", "--model-repository=/etc", "a b,c=d"]))
    cache = {
        "PVC": CachePlan("PVC", claim="w"),
        "Pod": CachePlan("Pod"),
        "Sized": CachePlan("Pod", size="10Gi", storage_class=draw(st.sampled_from(["", "fast"]))),
        "Source": CachePlan("Source", claim="claim"),
    }[kind]
    drain = draw(st.integers(1, 7200))
    found = spec(
        model=model,
        template=draw(templates()),
        engine={"options": draw(options)},
        rollout={"drainTimeoutSeconds": drain},
    )
    return found, cache

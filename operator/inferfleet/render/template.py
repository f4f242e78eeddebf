"""The pod template of a revision, and the data of its ConfigMaps: what goes into its record, once.

The one rule: a template is rendered when its revision is recorded and never again; it is restored from the record.
"""

from __future__ import annotations

from inferfleet.api.base import Json
from inferfleet.api.config import FleetConfig
from inferfleet.engines.profile import EngineProfile
from inferfleet.engines.triton import TRITON
from inferfleet.fleet import names
from inferfleet.fleet.revision import digest
from inferfleet.plan.desired import ServingPlan
from inferfleet.render import commands, merge
from inferfleet.render.config_pbtxt import generated
from inferfleet.render.metadata import labels
from inferfleet.render.security import locked_pod
from inferfleet.render.server import MIB, cache_limit_mib, server_container, server_mounts
from inferfleet.render.steps import fetch_step, link_step

MODELS_LIMIT, TMP_LIMIT = "64Mi", "16Gi"
FIRST = ""
"""Suffix of the ConfigMap that has the revision's own name; later ones, if any, get another."""


def pod_template(serving: ServingPlan, config: FleetConfig, profile: EngineProfile = TRITON) -> Json:
    """Write the template; traffic, drain, priority and avoided nodes are laid over it later."""
    theirs = serving.spec.template
    marks = labels(
        serving.owner.name,
        revision=serving.revision,
        shape=serving.shape.short,
        role=names.ROLE_SERVER,
        traffic="held",
    )
    metadata: Json = {"labels": dict(theirs.labels) | marks}
    if theirs.annotations:
        metadata["annotations"] = dict(theirs.annotations)
    return {"metadata": metadata, "spec": _pod(serving, config, profile)}


def config_maps(serving: ServingPlan) -> dict[str, dict[str, str]]:
    """Write the data of the revision's ConfigMaps by the suffix of their names: what the repository lacks."""
    found = generated(serving.repository.models)
    return {FIRST: found} if found else {}


def template_digest(template: Json) -> str:
    """Name a template: equal templates have equal names."""
    return digest(template)[:16]


def _pod(serving: ServingPlan, config: FleetConfig, profile: EngineProfile) -> Json:
    configured = bool(config_maps(serving))
    source = serving.spec.model.source
    steps = [_fetch(serving, config)] if serving.cache.kind == "Pod" else []
    steps.append(link_step(source, serving.repository.commit, config, configured=configured))
    mounts = server_mounts(serving, configured=configured)
    pod = merge.add_pull_secrets(locked_pod(config, writes_claim=_own_claim(serving)), serving.spec)
    drain = serving.spec.rollout.drain_timeout_seconds
    found = pod | merge.scheduling(serving.spec, serving.owner.name, serving.products)
    return found | {
        "terminationGracePeriodSeconds": profile.drain.grace(drain),
        "initContainers": steps,
        "containers": [server_container(serving, profile, config, mounts)],
        "volumes": _volumes(serving, profile, configured=configured),
    }


def _fetch(serving: ServingPlan, config: FleetConfig) -> Json:
    limit = 0 if serving.cache.size else cache_limit_mib(serving) * MIB
    wanted = commands.Fetch(serving.spec.model.source, serving.repository.commit, size_limit=limit)
    return fetch_step(wanted, _secret(serving), [{"name": "weights", "mountPath": commands.CACHE}], config)


def _secret(serving: ServingPlan) -> str:
    reference = serving.spec.model.secret_ref
    return reference.name if reference else ""


def _own_claim(serving: ServingPlan) -> bool:
    return serving.cache.kind == "Pod" and bool(serving.cache.size)


def _volumes(serving: ServingPlan, profile: EngineProfile, *, configured: bool) -> list[Json]:
    name = names.revision_name(serving.owner.name, serving.revision, serving.shape.short)
    found: list[Json] = [
        {"name": "weights"} | _weights(serving),
        {"name": "models", "emptyDir": {"sizeLimit": MODELS_LIMIT}},
        {"name": "tmp", "emptyDir": {"sizeLimit": TMP_LIMIT}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": f"{profile.shared_memory_mib}Mi"}},
    ]
    if configured:
        found.append({"name": "config", "configMap": {"name": name + FIRST}})
    if serving.cache.kind == "Pod" and _secret(serving):
        found.append(commands.ca_volume(_secret(serving)))
    return found + [merge.as_written(volume) for volume in serving.spec.template.volumes]


def _weights(serving: ServingPlan) -> Json:
    cache = serving.cache
    if cache.kind != "Pod":
        # Read-only as a volume too, so that no kubelet rewrites the owners of a whole cache.
        return {"persistentVolumeClaim": {"claimName": cache.claim, "readOnly": True}}
    if not cache.size:
        return {"emptyDir": {"sizeLimit": f"{cache_limit_mib(serving)}Mi"}}
    claim: Json = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": cache.size}}}
    if cache.storage_class:
        claim["storageClassName"] = cache.storage_class
    return {"ephemeral": {"volumeClaimTemplate": {"spec": claim}}}

"""What the CRD cannot check: a spec against this cluster's configuration and against what the source holds.

The one rule: a field is enforced or refused here, never ignored.
"""

from __future__ import annotations

from inferfleet.api.config import FleetConfig
from inferfleet.api.parse import Problem
from inferfleet.api.spec import ModelDeploymentSpec
from inferfleet.engines import triton
from inferfleet.fleet import names
from inferfleet.plan.desired import CachePlan, Owner


def problems(spec: ModelDeploymentSpec, config: FleetConfig) -> tuple[Problem, ...]:
    """List what this cluster cannot do for the spec."""
    return (*_products(spec, config), *_cache(spec, config), *_options(spec, config))


def cache_plan(spec: ModelDeploymentSpec, owner: Owner, config: FleetConfig) -> CachePlan:
    """Choose where the weights lie: the source's own claim, a given one, one of ours, or each pod."""
    cache, shared = spec.cache, config.cache.shared_storage_class or ""
    if spec.model.source.startswith("pvc://"):
        return CachePlan("Source", claim=spec.model.source.removeprefix("pvc://").split("/", 1)[0])
    if cache.claim:
        return CachePlan("PVC", claim=cache.claim)
    if cache.type != "Pod" and shared:
        size = cache.size or config.cache.size
        return CachePlan("PVC", names.claim_name(owner.name), size, shared, ours=True)
    return CachePlan("Pod", size=cache.size or "")


def _products(spec: ModelDeploymentSpec, config: FleetConfig) -> tuple[Problem, ...]:
    known = [found.name for found in config.classes]
    allowed = ", ".join(known) or "none: set classes in the chart's values"
    return tuple(
        Problem(f"spec.gpu.products.{index}", f'found "{name}"; the configured classes are {allowed}')
        for index, name in enumerate(spec.gpu.products)
        if name not in known
    )


def _cache(spec: ModelDeploymentSpec, config: FleetConfig) -> tuple[Problem, ...]:
    shared = config.cache.shared_storage_class
    if spec.model.source.startswith("pvc://") or spec.cache.claim or (shared and spec.cache.type != "Pod"):
        return ()
    if spec.cache.type == "PVC":
        message = (
            "PVC needs a claim, and no shared storage class is configured (cache.sharedStorageClass of the chart); "
            "set cache.claim, or cache.type to Pod"
        )
        return (Problem("spec.cache.type", message),)
    if spec.access.egress == "Deny":
        message = (
            "found Deny; no shared storage class is configured (cache.sharedStorageClass of the chart), so each pod "
            "downloads its own weights and must reach the source; remove egress, or set cache.claim"
        )
        return (Problem("spec.access.egress", message),)
    return ()


def _options(spec: ModelDeploymentSpec, config: FleetConfig) -> tuple[Problem, ...]:
    found = triton.check_options(spec.engine.options, config.triton.allowed_options)
    return tuple(Problem("spec.engine.options", message) for message in found)

"""Where a replica can run: GPU classes, whole GPUs on one node, and why not, in numbers.

The one rule: counted, never guessed; a sentence that says no says what is missing where.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inferfleet.api.affinity import NodeRequirement
from inferfleet.api.config import FleetConfig, ProductClass
from inferfleet.api.spec import ModelDeploymentSpec
from inferfleet.api.template import Toleration
from inferfleet.errors import SpecError
from inferfleet.fleet.nodes import Fleet, Node, Quota, Taint
from inferfleet.fleet.revision import Shape

LARGEST_COUNT = 16
MOST_SLOTS = 1 << 20
"""No quota bounds the replicas."""
USABLE = 90
"""Percent of a GPU's memory that weights and reserve may fill."""
RESERVE_MIB = 2355
"""Context and activations of one GPU: 2.3 GiB, and 5 % of its share of the weights on top (kaito's estimator)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing can be placed now: a word and a sentence with numbers."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Placement:
    """A class and a count, and how many replicas of it could start now."""

    shape: Shape
    products: tuple[str, ...]
    slots: int
    why: str


@dataclass(frozen=True, slots=True)
class NodeView:
    """One node from one model's point of view: how many GPUs are free, or why it is out."""

    node: Node
    free: int
    out: str = ""


def place(
    spec: ModelDeploymentSpec, weights_bytes: int, fleet: Fleet, quotas: Sequence[Quota], config: FleetConfig
) -> Placement | Refusal:
    """Choose the first class with a free slot, else the first that could ever hold a replica."""
    if spec.gpu.count == 0:
        return Placement(Shape("", 0), (), slots=LARGEST_COUNT, why="gpu.count is 0: runs on CPUs")
    candidates = fitting(spec, weights_bytes, config)
    views = {found.name: node_views(spec, found, fleet) for found, _ in candidates}
    for found, count in candidates:
        slots = min(free_slots(views[found.name], count), quota_slots(quotas, count))
        if slots:
            return _placed(found, count, slots, f"{_words(count, found)} free on one node")
    for found, count in candidates:
        if can_ever_hold(found, views[found.name], count):
            return _placed(found, count, 0, f"{_words(count, found)} not free now; the first class that can hold it")
    return explain(spec, weights_bytes, fleet, quotas, config)


def _placed(found: ProductClass, count: int, slots: int, why: str) -> Placement:
    return Placement(Shape(found.name, count), found.products, slots, why)


def wanted_classes(spec: ModelDeploymentSpec, config: FleetConfig) -> list[ProductClass]:
    """List the classes that the spec names in its order, or all in the chart's order."""
    by_name = {found.name: found for found in config.classes}
    if not spec.gpu.products:
        return list(config.classes)
    return [by_name[name] for name in spec.gpu.products if name in by_name]


def fitting(spec: ModelDeploymentSpec, weights_bytes: int, config: FleetConfig) -> list[tuple[ProductClass, int]]:
    """List the wanted classes whose memory holds the weights, each with the GPUs that one replica needs."""
    classes = wanted_classes(spec, config)
    found = [(each, gpus) for each in classes if (gpus := gpus_needed(spec, each, weights_bytes))]
    if classes and not found:
        needed = memory_per_gpu_mib(weights_bytes, LARGEST_COUNT)
        sizes = ", ".join(f"{each.name} has {each.memory_mib} MiB" for each in classes)
        raise SpecError(
            "DoesNotFit",
            f"spec.gpu: the weights are {weights_bytes >> 20} MiB and need {needed} MiB on each of {LARGEST_COUNT} "
            f"GPUs; {sizes}. Name a class with more memory in spec.gpu.products, or serve smaller weights.",
        )
    return found


def gpus_needed(spec: ModelDeploymentSpec, found: ProductClass, weights_bytes: int) -> int | None:
    """Take the count as written, or the smallest power of two whose memory holds the weights; None if none does."""
    if spec.gpu.count is not None:
        return spec.gpu.count
    counts = (1, 2, 4, 8, LARGEST_COUNT)
    return next((n for n in counts if memory_per_gpu_mib(weights_bytes, n) * 100 <= found.memory_mib * USABLE), None)


def memory_per_gpu_mib(weights_bytes: int, gpus: int) -> int:
    """Estimate the memory of one GPU in MiB: share of the weights x 1.02, 5 % of it again, and a fixed reserve."""
    if not gpus:
        return 0
    share = -(-(weights_bytes >> 20) * 102 // (100 * gpus))
    return share + share * 5 // 100 + RESERVE_MIB


def node_views(spec: ModelDeploymentSpec, found: ProductClass, fleet: Fleet) -> list[NodeView]:
    """Look at every node of a class: its free GPUs, and why it is out where it is."""
    free = fleet.free()
    nodes = [node for node in fleet.nodes if node.product in found.products]
    return [NodeView(node, free.get(node.name, 0), _why_out(spec, node)) for node in nodes]


def free_slots(views: Sequence[NodeView], gpus: int) -> int:
    """Count the replicas that could start now: whole replicas on one node each."""
    return sum(view.free // gpus for view in views if not view.out)


def can_ever_hold(found: ProductClass, views: Sequence[NodeView], gpus: int) -> bool:
    """Tell whether a replica would fit a node of the class if nothing else ran there."""
    if found.provisionable and found.gpus_per_node >= gpus:
        return True
    return any(max(view.node.gpus, view.node.capacity) >= gpus and not view.out for view in views)


def quota_slots(quotas: Sequence[Quota], gpus: int) -> int:
    """Count the replicas for which every quota leaves room; pods that exist are used room, with a node or without."""
    return min((max(0, quota.hard - quota.used) // gpus for quota in quotas), default=MOST_SLOTS)


def explain(
    spec: ModelDeploymentSpec, weights_bytes: int, fleet: Fleet, quotas: Sequence[Quota], config: FleetConfig
) -> Refusal:
    """Say in numbers why no replica can start now, for the class that comes nearest."""
    stories = [
        _story(found, gpus, node_views(spec, found, fleet), quotas)
        for found, gpus in fitting(spec, weights_bytes, config)
    ]
    if not stories:
        return Refusal("NoGpuClasses", "The operator knows no GPU class; set classes in the chart's values.")
    first = min(stories, key=lambda story: RANK.index(story.reason))
    others = [f"Or {story.message.removeprefix('Needs ')}" for story in stories if story is not first][:3]
    advice = ADVICE.get(first.reason)
    return Refusal(first.reason, " ".join([first.message, *others, *([advice] if advice else [])]))


RANK = ("NoGpuFree", "QuotaExceeded", "NodesUnavailable", "TooFewGpusOnOneNode", "NoSuchProduct")
"""Reasons from the nearest to the farthest from a slot."""
ADVICE = {"TooFewGpusOnOneNode": "Lower spec.gpu.count or add a larger node."}


def _story(found: ProductClass, gpus: int, views: Sequence[NodeView], quotas: Sequence[Quota]) -> Refusal:
    need = f"Needs {_words(gpus, found)} on one node;"
    if not views and not found.provisionable:
        labels = " or ".join(found.products)
        return Refusal("NoSuchProduct", f"{need} no node carries the label nvidia.com/gpu.product={labels}.")
    usable = [view for view in views if not view.out]
    if views and not usable:
        out = "; ".join(f"{view.node.name} {view.out}" for view in views[:4])
        return Refusal("NodesUnavailable", f"{need} none of {len(views)} nodes can be used: {out}.")
    if not can_ever_hold(found, views, gpus):
        largest = max(usable, key=lambda view: view.node.gpus)
        total = sum(view.node.gpus for view in usable)
        return Refusal(
            "TooFewGpusOnOneNode",
            f"{need} the largest node, {largest.node.name}, has {largest.node.gpus} ({total} in all, on "
            f"{len(usable)} node{'s' * (len(usable) != 1)}).",
        )
    for quota in quotas:
        if quota.hard - quota.used < gpus:
            return Refusal(
                "QuotaExceeded",
                f"{need} ResourceQuota {quota.name} allows {quota.hard} GPUs and {quota.used} are used.",
            )
    return Refusal("NoGpuFree", f"{need} {_free_words(usable)}.")


def _free_words(usable: Sequence[NodeView]) -> str:
    best = sorted(usable, key=lambda view: -view.free)[:3]
    words = ", ".join(f"{view.node.name} has {view.free} of {view.node.gpus} free" for view in best)
    return f"{words} ({sum(view.free for view in usable)} free in all)" if words else "no node is there yet"


def _words(gpus: int, found: ProductClass) -> str:
    return f"{gpus} x {found.name}"


def _why_out(spec: ModelDeploymentSpec, node: Node) -> str:
    if not node.ready:
        return "is not ready"
    if node.cordoned:
        return "is cordoned"
    for taint in node.taints:
        if not _is_borne(taint, spec.template.tolerations):
            value = f"={taint.value}" if taint.value else ""
            return f"has the taint {taint.key}{value}:{taint.effect}, which spec.template.tolerations does not bear"
    for key, value in spec.template.node_selector.items():
        if node.labels.get(key) != value:
            return f"lacks the label {key}={value} of spec.template.nodeSelector"
    if not _affine(spec, node):
        return "is excluded by spec.template.affinity"
    return ""


def _is_borne(taint: Taint, tolerations: Sequence[Toleration]) -> bool:
    if taint.effect == "PreferNoSchedule" or taint.key == "nvidia.com/gpu":
        return True  # the extended resource's own taint: serving pods always bear it
    return any(_bears(toleration, taint) for toleration in tolerations)


def _bears(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect not in (None, taint.effect) or toleration.key not in (None, taint.key):
        return False
    if toleration.operator == "Exists":
        return True
    return toleration.key is not None and (toleration.value or "") == taint.value


def _affine(spec: ModelDeploymentSpec, node: Node) -> bool:
    affinity = spec.template.affinity
    required = (
        affinity
        and affinity.node_affinity
        and (affinity.node_affinity.required_during_scheduling_ignored_during_execution)
    )
    if not required:
        return True
    return any(
        all(_holds(requirement, node) for requirement in term.match_expressions)
        for term in required.node_selector_terms
    )


def _holds(requirement: NodeRequirement, node: Node) -> bool:
    value = node.labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value in requirement.values
        case "NotIn":
            return value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            return _compares(requirement, value)


def _compares(requirement: NodeRequirement, value: str | None) -> bool:
    bound = requirement.values[0] if requirement.values else ""
    if value is None or not value.lstrip("-").isdigit() or not bound.lstrip("-").isdigit():
        return False
    return int(value) > int(bound) if requirement.operator == "Gt" else int(value) < int(bound)

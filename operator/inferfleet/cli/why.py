"""`inferfleet why NAME`: what a model waits for, and the arithmetic of every node.

The one rule: the arithmetic is the planner's own, on what this user may see.
"""

from __future__ import annotations

from dataclasses import dataclass

import yaml
from pydantic import ValidationError
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from inferfleet.api.config import FleetConfig, Images, ProductClass
from inferfleet.api.parse import parse_spec
from inferfleet.api.spec import ModelDeploymentSpec
from inferfleet.cli.cluster import Access, Seen, allowed, ask, seen
from inferfleet.cli.screen import show
from inferfleet.fleet.nodes import Fleet
from inferfleet.kube import facts
from inferfleet.kube.client import Client, Scope
from inferfleet.kube.kinds import CONFIG_MAPS, NODES, PODS
from inferfleet.plan.placement import node_views, wanted_classes

OF_THE_OPERATOR = ("app.kubernetes.io/name=inferfleet", "helm.sh/chart")
"""Labels to look for, in this order: `nameOverride` of the chart changes the first, and nothing changes the second."""
CHART = "inferfleet-"
BLIND = "Pods of other namespaces cannot be listed with your rights: fewer GPUs may be free."
SHOWN = ("Accepted", "Cached", "Scheduled", "Ready", "Available", "Stalled", "UpdateAvailable")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A model, and what of the fleet this user may see."""

    model: Seen
    fleet: Fleet | None
    config: FleetConfig | None


def explain(access: Access, name: str) -> int:
    """Print the explanation; return 0, whatever it says."""
    namespace = access.where

    async def question(client: Client) -> Evidence:
        return Evidence(await seen(client, namespace, name), await _fleet(client), await configuration(client))

    found = ask(access, question)
    show(*_conditions(found.model), *_arithmetic(found))
    return 0


async def _fleet(client: Client) -> Fleet | None:
    nodes, pods = await allowed(client, NODES, Scope()), await allowed(client, PODS, Scope())
    if nodes is None:
        return None
    held = [found for raw in pods or () if (found := facts.gpu_pod_from(raw))]
    return Fleet(tuple(map(facts.node_from, nodes)), tuple(held), blind=pods is None)


async def configuration(client: Client) -> FleetConfig | None:
    """Read the operator's configuration, where this user may see it."""
    for labels in OF_THE_OPERATOR:
        for raw in await allowed(client, CONFIG_MAPS, Scope(labels=labels)) or ():
            chart = str(raw["metadata"]["labels"].get("helm.sh/chart", CHART))
            if chart.startswith(CHART) and (found := _parsed(raw.get("data", {}).get("config.yaml"))):
                return found
    return None


def _parsed(text: str | None) -> FleetConfig | None:
    try:
        return FleetConfig.model_validate(yaml.safe_load(text), strict=False) if text else None
    except (ValidationError, yaml.YAMLError):
        return None


def _conditions(model: Seen) -> list[RenderableType]:
    ready = model.condition("Ready")
    head = f"{model.name}: {ready.get('reason', 'not looked at yet')}"
    message = ready.get("message", "The operator has not looked at it yet: does it run, and watch here?")
    table = Table(box=None, pad_edge=False)
    for column in ("CONDITION", "STATUS", "REASON", "MESSAGE"):
        table.add_column(column)
    for kind in SHOWN:
        if found := model.condition(kind):
            table.add_row(kind, found["status"], found["reason"], Text(found["message"]))
    return [Text(head, style="bold"), Text(message), table]


def _arithmetic(found: Evidence) -> list[RenderableType]:
    spec = parse_spec(found.model.raw)
    if isinstance(spec, tuple) or spec.gpu.count == 0:
        return []
    if found.fleet is None:
        return [Text("Nodes cannot be listed with your rights, so their GPUs are not shown.")]
    classes = wanted_classes(spec, found.config or _guess(found.fleet))
    needed = spec.gpu.count or found.model.status.get("plan", {}).get("gpus") or 1
    table = _node_table(spec, classes, needed, found.fleet)
    if not table.row_count:
        return []
    # No title or caption of the table's own: those are wrapped to its width.
    title = Text(f"\n{needed} GPU{'s' * (needed != 1)} on one node for each replica", style="italic")
    return [title, table, *([Text(BLIND, style="dim")] if found.fleet.blind else [])]


def _node_table(spec: ModelDeploymentSpec, classes: list[ProductClass], needed: int, fleet: Fleet) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("NODE", "CLASS", "GPUS", "FREE", "REPLICAS THAT FIT NOW"):
        table.add_column(column)
    for each in classes:
        for view in node_views(spec, each, fleet):
            fits = f"none: it {view.out}" if view.out else str(view.free // needed)
            table.add_row(view.node.name, each.name, str(view.node.gpus), str(view.free), Text(fits))
    return table


def _guess(fleet: Fleet) -> FleetConfig:
    """Take each product that a node shows as a class, where the operator's configuration cannot be seen."""
    products = sorted({node.product for node in fleet.nodes if node.product})
    classes = tuple(ProductClass(name=each, products=(each,), memory_mib=4_194_304) for each in products)
    return FleetConfig(namespace="unknown", images=Images(operator="unknown", triton="unknown"), classes=classes)

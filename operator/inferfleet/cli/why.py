"""`inferfleet why NAME`: what a model waits for, and the arithmetic of every node.

The one rule: the arithmetic is the planner's own, on what this user may see.
"""

from __future__ import annotations

from dataclasses import dataclass

import yaml
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from inferfleet.api.config import FleetConfig, Images, ProductClass
from inferfleet.api.parse import parse_spec
from inferfleet.api.spec import ModelDeploymentSpec
from inferfleet.cli.cluster import Access, Seen, allowed, ask, seen
from inferfleet.fleet.nodes import Fleet
from inferfleet.kube import facts
from inferfleet.kube.client import Client, Scope
from inferfleet.kube.kinds import CONFIG_MAPS, NODES, PODS
from inferfleet.plan.placement import node_views, wanted_classes

OPERATOR_SELECTOR = "app.kubernetes.io/name=inferfleet"
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
        return Evidence(await seen(client, namespace, name), await _fleet(client), await _config(client))

    found = ask(access, question)
    console = Console()
    _conditions(console, found.model)
    _arithmetic(console, found)
    return 0


async def _fleet(client: Client) -> Fleet | None:
    nodes, pods = await allowed(client, NODES, Scope()), await allowed(client, PODS, Scope())
    if nodes is None:
        return None
    held = [found for raw in pods or () if (found := facts.gpu_pod_from(raw))]
    return Fleet(tuple(map(facts.node_from, nodes)), tuple(held), blind=pods is None)


async def _config(client: Client) -> FleetConfig | None:
    """Read the operator's configuration, where this user may see it."""
    maps = await allowed(client, CONFIG_MAPS, Scope(labels=OPERATOR_SELECTOR))
    for raw in maps or ():
        text = raw.get("data", {}).get("config.yaml")
        if text:
            try:
                return FleetConfig.model_validate(yaml.safe_load(text), strict=False)
            except (ValidationError, yaml.YAMLError):
                return None
    return None


def _conditions(console: Console, model: Seen) -> None:
    ready = model.condition("Ready")
    head = f"{model.name}: {ready.get('reason', 'not looked at yet')}"
    console.print(Text(head, style="bold"))
    console.print(Text(ready.get("message", "The operator has not looked at it yet: does it run, and watch here?")))
    table = Table(box=None, pad_edge=False)
    for column in ("CONDITION", "STATUS", "REASON", "MESSAGE"):
        table.add_column(column)
    for kind in SHOWN:
        if found := model.condition(kind):
            table.add_row(kind, found["status"], found["reason"], Text(found["message"]))
    console.print(table)


def _arithmetic(console: Console, found: Evidence) -> None:
    spec = parse_spec(found.model.raw)
    if isinstance(spec, tuple) or spec.gpu.count == 0:
        return
    if found.fleet is None:
        console.print("Nodes cannot be listed with your rights, so their GPUs are not shown.")
        return
    classes = wanted_classes(spec, found.config or _guess(found.fleet))
    table = _node_table(spec, classes, found.model, found.fleet)
    if table.row_count:
        console.print()
        console.print(table)


def _node_table(spec: ModelDeploymentSpec, classes: list[ProductClass], model: Seen, fleet: Fleet) -> Table:
    needed = spec.gpu.count or model.status.get("plan", {}).get("gpus") or 1
    table = Table(
        title=f"{needed} GPU{'s' * (needed != 1)} on one node for each replica", title_justify="left", box=None
    )
    for column in ("NODE", "CLASS", "GPUS", "FREE", "REPLICAS THAT FIT NOW"):
        table.add_column(column)
    for each in classes:
        for view in node_views(spec, each, fleet):
            fits = f"none: it {view.out}" if view.out else str(view.free // needed)
            table.add_row(view.node.name, each.name, str(view.node.gpus), str(view.free), Text(fits))
    if fleet.blind:
        table.caption = "Pods of other namespaces cannot be listed with your rights: fewer GPUs may be free."
    return table


def _guess(fleet: Fleet) -> FleetConfig:
    """Take each product that a node shows as a class, where the operator's configuration cannot be seen."""
    products = sorted({node.product for node in fleet.nodes if node.product})
    classes = tuple(ProductClass(name=each, products=(each,), memory_mib=4_194_304) for each in products)
    return FleetConfig(namespace="unknown", images=Images(operator="unknown", triton="unknown"), classes=classes)

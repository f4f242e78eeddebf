"""`inferfleet status`: models, revisions, pods and GPUs as a tree, once or live.

The one rule: it shows what the operator says and what the cluster shows, and decides nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from inferfleet.api.base import Json
from inferfleet.cli.cluster import Access, Seen, all_seen, ask, seen
from inferfleet.cli.screen import is_terminal, show
from inferfleet.fleet import names
from inferfleet.fleet.text import size_words
from inferfleet.kube import facts
from inferfleet.kube.client import Client

TICK = 1.0
COLOURS = {"True": "green", "False": "red", "Unknown": "yellow"}


@dataclass(frozen=True, slots=True)
class StatusOptions:
    """What is shown."""

    name: str = ""
    watch: bool = False
    as_json: bool = False
    timeout: int = 1800


def show_status(access: Access, options: StatusOptions) -> int:
    """Show models; return 0 if all are Ready, 1 if not, 2 if the time is over."""
    if options.watch:
        return _follow(access, options)
    models = _look(access, options)
    if options.as_json:
        print(json.dumps([each.raw for each in models], indent=2))
    else:
        show(_page(models, access.where))
    return 0 if models and all(_is_ready(each) for each in models) else 1


def _look(access: Access, options: StatusOptions) -> list[Seen]:
    namespace = access.where

    async def question(client: Client) -> list[Seen]:
        return [await seen(client, namespace, options.name)] if options.name else await all_seen(client, namespace)

    return ask(access, question)


def _follow(access: Access, options: StatusOptions) -> int:
    """Show models until all are settled: Ready, or Stalled."""
    looks, models = _looks(access, options), list[Seen]()
    if is_terminal():
        with Live(console=Console(), auto_refresh=False) as live:
            for models in looks:
                live.update(_page(models, access.where), refresh=True)
    else:
        models = _told(looks)
        show(_page(models, access.where))
    if not _are_settled(models):
        return 2
    return 0 if all(_is_ready(each) for each in models) else 1


def _looks(access: Access, options: StatusOptions) -> Iterator[list[Seen]]:
    """Look again and again, until all are settled or the time is over."""
    end = time.monotonic() + options.timeout
    while True:
        models = _look(access, options)
        yield models
        if _are_settled(models) or time.monotonic() >= end:
            return
        time.sleep(TICK)


def _told(looks: Iterable[list[Seen]]) -> list[Seen]:
    """Print a line whenever an unsettled model says something new; return the last look."""
    told, models = dict[str, str](), list[Seen]()
    for models in looks:
        for model in models:
            line = f"{_head(model).plain}  {model.condition('Ready').get('message', '')}".rstrip()
            if not _are_settled(models) and told.get(model.name) != line:
                told[model.name] = line
                print(line, flush=True)
    return models


def _are_settled(models: list[Seen]) -> bool:
    return bool(models) and all(_is_settled(each) for each in models)


def _is_ready(model: Seen) -> bool:
    return model.is_current and model.condition("Ready").get("status") == "True"


def _is_settled(model: Seen) -> bool:
    stalled = model.is_current and model.condition("Stalled").get("status") == "True"
    return stalled or (_is_ready(model) and not model.condition("Reconciling"))


def _page(models: list[Seen], namespace: str) -> Group | Text:
    if not models:
        return Text(f"No modeldeployments.inferfleet.dev in namespace {namespace}.")
    return Group(*(tree(model) for model in models))


def tree(model: Seen) -> Tree:
    """Draw one model: what is said of it, then revision, pod, node and GPU."""
    ready = model.condition("Ready")
    root = Tree(_head(model))
    if ready.get("message"):
        root.add(Text(ready["message"]))
    for line in _plan_lines(model):
        root.add(Text(line, style="dim"))
    for pod_set in sorted(model.sets, key=lambda each: str(each["metadata"]["creationTimestamp"])):
        _add_revision(root, pod_set, model)
    return root


def _head(model: Seen) -> Text:
    ready, summary = model.condition("Ready"), model.status.get("summary", {})
    reason = (ready.get("reason", "not looked at yet"), COLOURS.get(ready.get("status", ""), "yellow"))
    return Text.assemble(
        (model.name, "bold"), "  ", reason, f"  {summary.get('replicas', '')}  {summary.get('gpus', '')}".rstrip()
    )


def _plan_lines(model: Seen) -> list[str]:
    status = model.status
    plan, download, rollout = (status.get(key) or {} for key in ("plan", "download", "rollout"))
    lines = [f"endpoint {status['endpoint']}"] if status.get("endpoint") else []
    if plan.get("revision"):
        lines.append(f"weights {plan['revision'][:12]}, {size_words(plan.get('weightsMib', 0) << 20)}, {plan['cache']}")
    if download:
        share = 100 * download["bytesDone"] // max(1, download["bytesTotal"])
        left = f", {download['secondsLeft']} s left" if download.get("secondsLeft") else ""
        sizes = f"{size_words(download['bytesDone'])} of {size_words(download['bytesTotal'])}"
        lines.append(f"download {share} % ({sizes}{left})")
    if rollout.get("step"):
        change = f"{rollout['from']} to {rollout['to']}" if rollout.get("from") else rollout.get("to", "")
        lines.append(f"rollout {change} {rollout.get('strategy', '')} {rollout['step']} {rollout.get('why', '')}")
    return lines


def _add_revision(root: Tree, pod_set: Json, model: Seen) -> None:
    found = facts.set_from(pod_set)
    branch = root.add(Text(f"revision {found.revision} ({found.traffic}), {found.wanted} wanted"))
    for raw in model.pods:
        if facts.owner_uid(raw) == found.uid and facts.label(raw, names.ROLE) == names.ROLE_SERVER:
            branch.add(_pod_line(raw))


def _pod_line(raw: Json) -> Text:
    replica = facts.replica_from(raw)
    words, colour = ("serving", "green") if replica.serves else ("starting", "yellow")
    if replica.terminating:
        words, colour = "draining", "yellow"
    elif replica.blocker:
        words, colour = f"{replica.blocker.reason}: {replica.blocker.message}", "red"
    elif replica.ready and replica.traffic == "held":
        words = "ready, awaits a real inference"
    gpus = facts.pod_gpus(raw["spec"])
    where = f"{replica.node or 'no node yet'}" + (f", {gpus} GPU{'s' * (gpus != 1)}" if gpus else "")
    return Text.assemble(replica.name, f"  {where}  ", (words, colour))

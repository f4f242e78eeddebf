"""From a plan to manifests, in the order in which they are written: what guards pods comes before pods."""

from __future__ import annotations

from inferfleet.api.base import Json
from inferfleet.api.config import FleetConfig
from inferfleet.plan.actions import Plan
from inferfleet.plan.desired import Owner, WantedClaim
from inferfleet.render import children
from inferfleet.render.download import download_job
from inferfleet.render.policies import policies
from inferfleet.render.record import record


def before_pods(plan: Plan, owner: Owner, config: FleetConfig) -> list[Json]:
    """Render policies, Services, the budget and the ConfigMaps of revisions in use."""
    wanted = plan.children
    found: list[Json] = list(policies(wanted.policies, config)) if wanted.policies else []
    found += [children.service(owner)] if wanted.served else []
    found += [children.held_service(owner, revision) for revision in wanted.held]
    found += [children.budget(owner, wanted.budget)] if wanted.budget else []
    for each in wanted.sets:
        found += children.config_maps(each.recorded, owner)
    return found


def created(plan: Plan, config: FleetConfig) -> list[Json]:
    """Render what is created once and never written again: a download Job, a record."""
    found = [download_job(plan.start, config)] if plan.start else []
    return found + ([record(plan.record, config)] if plan.record else [])


def pods(plan: Plan, owner: Owner) -> list[Json]:
    """Render the ReplicaSets in the plan's order."""
    return [children.replica_set(each, owner) for each in plan.children.sets]


def claim(wanted: WantedClaim) -> Json:
    """Render a claim."""
    return children.claim(wanted)

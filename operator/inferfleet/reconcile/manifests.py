"""From a plan to manifests, in the order in which they are written: what guards pods comes before pods."""

from __future__ import annotations

from inferfleet.api.base import Json
from inferfleet.api.config import FleetConfig
from inferfleet.plan.actions import Plan
from inferfleet.plan.desired import Owner, WantedClaim, WantedSet
from inferfleet.render import children
from inferfleet.render.download import download_job
from inferfleet.render.policies import policies
from inferfleet.render.record import record


def guards(plan: Plan, config: FleetConfig) -> list[Json]:
    """Render the policies, without which no pod may start."""
    wanted = plan.children.policies
    return list(policies(wanted, config)) if wanted else []


def before_pods(plan: Plan, owner: Owner) -> list[Json]:
    """Render the Services and the budget."""
    wanted = plan.children
    found = [children.service(owner)] if wanted.served else []
    found += [children.held_service(owner, revision) for revision in wanted.held]
    return found + ([children.budget(owner, wanted.budget)] if wanted.budget else [])


def download(plan: Plan, config: FleetConfig) -> list[Json]:
    """Render the download Job that starts, if one does."""
    return [download_job(plan.start, config)] if plan.start else []


def recorded(plan: Plan, config: FleetConfig) -> list[Json]:
    """Render the new record, if there is one."""
    return [record(plan.record, config)] if plan.record else []


def before_replicas(wanted: WantedSet, owner: Owner) -> list[Json]:
    """Render what the pods of a ReplicaSet mount."""
    return list(children.config_maps(wanted.recorded, owner))


def replicas(wanted: WantedSet, owner: Owner) -> Json:
    """Render a ReplicaSet."""
    return children.replica_set(wanted, owner)


def claim(wanted: WantedClaim) -> Json:
    """Render a claim."""
    return children.claim(wanted)


def whole(plan: Plan, owner: Owner, config: FleetConfig) -> list[Json]:
    """Render everything that a plan writes, in order."""
    found = guards(plan, config) + before_pods(plan, owner) + [claim(wanted) for wanted in plan.children.claims]
    found += download(plan, config) + recorded(plan, config)
    for wanted in plan.children.sets:
        found += before_replicas(wanted, owner)
    return found + [replicas(wanted, owner) for wanted in plan.children.sets]

"""From a plan to manifests, in the order in which they are written: what guards pods comes before pods."""

from __future__ import annotations

from inferfleet.api.base import Json
from inferfleet.api.config import FleetConfig
from inferfleet.plan.actions import Plan
from inferfleet.plan.desired import Owner, WantedClaim, WantedDownload, WantedRecord
from inferfleet.render import children, jobs, network
from inferfleet.render import record as records


def before_pods(plan: Plan, owner: Owner, config: FleetConfig) -> list[Json]:
    """Render policies, Services, the budget and the ConfigMaps of revisions in use."""
    wanted = plan.children
    found: list[Json] = list(network.policies(wanted.policies, config)) if wanted.policies else []
    found += [children.service(owner)] if wanted.served else []
    found += [children.held_service(owner, revision) for revision in wanted.held]
    found += [children.budget(owner, wanted.budget)] if wanted.budget else []
    for each in wanted.sets:
        found += children.config_maps(owner, each.recorded)
    return found


def pods(plan: Plan, owner: Owner, config: FleetConfig) -> list[Json]:
    """Render the ReplicaSets in the plan's order."""
    return [children.replica_set(each, owner, config) for each in plan.children.sets]


def download(wanted: WantedDownload, config: FleetConfig) -> Json:
    """Render a download Job."""
    return jobs.download_job(wanted, config)


def record(wanted: WantedRecord, config: FleetConfig) -> Json:
    """Render a ControllerRevision."""
    return records.record(wanted, config)


def claim(wanted: WantedClaim) -> Json:
    """Render a claim."""
    return children.claim(wanted)


def claim_patch(wanted: Json, live: Json) -> Json:
    """Say what a claim that exists needs: more room, or to be tied to the model or untied; empty if nothing."""
    return children.claim_patch(wanted, live)

"""The download Job of a revision.

The one rule: it is the only pod of ours that may leave the cluster, and it runs nothing but our own image.
"""

from __future__ import annotations

from inferfleet.api.base import Json
from inferfleet.api.config import FleetConfig
from inferfleet.fleet import names
from inferfleet.fleet.revision import digest
from inferfleet.plan.desired import CachePlan, Owner, WantedDownload
from inferfleet.render import commands
from inferfleet.render.metadata import child, labels
from inferfleet.render.policies import CLAIM, HUB, SOURCE
from inferfleet.render.security import locked_pod
from inferfleet.render.steps import fetch_step

GRACE = 30


def download_job(wanted: WantedDownload, config: FleetConfig) -> Json:
    """Write the Job: one attempt, kept until its result was read and its revision is gone."""
    owner = wanted.owner
    marks = labels(owner.name, revision=wanted.revision, role=names.ROLE_DOWNLOAD)
    marks[SOURCE] = CLAIM if commands.is_claim(wanted.source) else HUB
    notes = {names.ATTEMPT: str(wanted.attempt), names.SECRET: wanted.secret, names.TEMPLATE: download_template(config)}
    name = names.download_name(owner.name, wanted.revision, wanted.attempt)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": child(owner, name, marks, notes),
        "spec": {"backoffLimit": 0, "template": {"metadata": {"labels": marks}, "spec": _pod(wanted, config)}},
    }


def download_template(config: FleetConfig) -> str:
    """Name what the chart makes of a download today, whatever it downloads: a short digest of one that has it all."""
    return digest(_pod(_ANY, config))[:16]


_ANY = WantedDownload(Owner("any", "any", ""), "", "hf://any/model", "main", "any", CachePlan("PVC", claim="any"), 0)


def _pod(wanted: WantedDownload, config: FleetConfig) -> Json:
    volume = _volume(wanted)
    fetch = commands.Fetch(
        wanted.source,
        wanted.wanted_revision,
        wanted.resolve_only,
        evict=wanted.evict,
        in_use=wanted.in_use,
        port=commands.PROGRESS_PORT,
    )
    step = fetch_step(fetch, wanted.secret, [volume[0]] if volume else [], config)
    step["ports"] = [{"name": "progress", "containerPort": commands.PROGRESS_PORT}]
    volumes = [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}]
    volumes += [volume[1]] if volume else []
    volumes += [commands.ca_volume(wanted.secret)] if wanted.secret else []
    return locked_pod(config, writes_claim=wanted.cache.kind == "PVC" and not wanted.resolve_only) | {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE,
        "containers": [step],
        "volumes": volumes,
    }


def _volume(wanted: WantedDownload) -> tuple[Json, Json] | None:
    """Mount the source's own claim to look at, the cache to write to, or nothing to resolve only."""
    if commands.is_claim(wanted.source):
        claim = {"claimName": wanted.cache.claim, "readOnly": True}
        mount = {"name": "weights", "mountPath": commands.CLAIM, "readOnly": True}
        return mount, {"name": "weights", "persistentVolumeClaim": claim}
    if wanted.resolve_only:
        return None
    mount = {"name": "weights", "mountPath": commands.CACHE}
    return mount, {"name": "weights", "persistentVolumeClaim": {"claimName": wanted.cache.claim}}

"""Observe: one model and its surroundings as a snapshot, from the object and the caches.

The one rule: a child is the model's only if its controller is this very object; one without a controller is taken in
when its labels say that it is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from inferfleet.api.base import Json
from inferfleet.api.config import FleetConfig
from inferfleet.api.parse import parse_spec
from inferfleet.fleet import names
from inferfleet.fleet.downloads import Download
from inferfleet.fleet.replicas import Replica
from inferfleet.fleet.revision import Recorded
from inferfleet.fleet.snapshot import Snapshot, Subject
from inferfleet.kube import facts
from inferfleet.kube.kinds import CONTROLLER_REVISIONS, JOBS, REPLICA_SETS
from inferfleet.plan.desired import Owner
from inferfleet.reconcile.caches import Caches, leaving
from inferfleet.reconcile.queue import Key
from inferfleet.render.download import download_template
from inferfleet.render.record import is_outdated
from inferfleet.serving.prober import Prober
from inferfleet.serving.progress import ProgressReader


@dataclass(frozen=True, slots=True)
class Sources:
    """Where facts come from."""

    caches: Caches
    prober: Prober
    reader: ProgressReader
    config: FleetConfig
    outdated: dict[str, bool] = field(default_factory=dict)
    """What is known of records by uid: whether they would be rendered otherwise today."""


def observe(raw: Json, sources: Sources) -> Snapshot:
    """Take a snapshot of one model."""
    subject = subject_from(raw)
    key = Key(subject.namespace, subject.name)
    caches = sources.caches
    records = _records(caches, key, subject.uid)
    sets = caches.owned(REPLICA_SETS, key, subject.uid)
    return Snapshot(
        subject=subject,
        recorded=records,
        sets=tuple(child.pods for child in sets if child.pods),
        replicas=_replicas(sources, key, {child.uid for child in sets}),
        downloads=_downloads(sources, key, subject.uid, {record.revision for record in records}),
        fleet=caches.fleet(),
        quotas=tuple(found.quota for found in caches.quotas.indexed(subject.namespace)),
        updates=tuple(record.name for record in records if _is_outdated(record, subject, sources)),
    )


def _is_outdated(record: Recorded, subject: Subject, sources: Sources) -> bool:
    """Tell whether a record would be rendered otherwise today; asked once, since neither side changes."""
    known = sources.outdated.get(record.uid)
    if known is None:
        known = is_outdated(record, Owner(subject.namespace, subject.name, subject.uid), sources.config)
        sources.outdated[record.uid] = known
    return known


def subject_from(raw: Json) -> Subject:
    """Read a ModelDeployment, with what is wrong with its spec."""
    meta, spec = raw["metadata"], parse_spec(raw)
    wrong = spec if isinstance(spec, tuple) else ()
    return Subject(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        generation=meta["generation"],
        spec=None if isinstance(spec, tuple) else spec,
        written=raw["spec"] if isinstance(raw.get("spec"), dict) else {},
        problems=wrong,
        status=raw.get("status", {}),
        annotations=meta.get("annotations", {}),
    )


def _records(caches: Caches, key: Key, uid: str) -> tuple[Recorded, ...]:
    children = caches.owned(CONTROLLER_REVISIONS, key, uid)
    return tuple(child.recorded for child in children if child.recorded)


def _replicas(sources: Sources, key: Key, set_uids: set[str]) -> tuple[Replica, ...]:
    found = [pod.replica for pod in sources.caches.pods.indexed(str(key)) if pod.replica]
    return tuple(
        replace(
            leaving(replica, sources.caches.nodes.get("", replica.node)),
            proof=sources.prober.proof(replica.uid, replica.restarts),
            in_flight=sources.prober.in_flight(replica.uid, replica.restarts),
        )
        for replica in found
        if replica.set_uid in set_uids
    )


def _downloads(sources: Sources, key: Key, uid: str, recorded: set[str]) -> tuple[Download, ...]:
    """Look at downloads; what one found is asked for until it is recorded, and may be forgotten then."""
    pods = {pod.download.job_uid: pod.download for pod in sources.caches.pods.indexed(str(key)) if pod.download}
    jobs = [child.raw for child in sources.caches.owned(JOBS, key, uid)]
    found = [_download(job, pods.get(job["metadata"]["uid"]), sources) for job in jobs]
    return tuple(
        job if job.revision in recorded else replace(job, repository=sources.reader.repository(job.pod_uid))
        for job in found
    )


def _download(raw: Json, pod: facts.DownloadPod | None, sources: Sources) -> Download:
    found = facts.download_from(raw, pod)
    return replace(
        found,
        progress=sources.reader.progress(found.pod_uid),
        outdated=bool(found.blocked) and facts.annotation(raw, names.TEMPLATE) != download_template(sources.config),
    )

"""What is known of the cluster, one store for each kind, and whom a change wakes.

The one rule: a store is filled by informers and by answers to our own writes alone; a change only wakes, it decides
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from inferfleet.api.base import Json
from inferfleet.api.config import FleetConfig
from inferfleet.fleet import names
from inferfleet.fleet.nodes import Fleet, GpuPod, Node, Quota
from inferfleet.fleet.packed import Packed
from inferfleet.fleet.replicas import Replica
from inferfleet.fleet.revision import PodSet, Recorded
from inferfleet.kube import facts
from inferfleet.kube.client import Client, Scope
from inferfleet.kube.informer import Informer, InformerMeter, Watched
from inferfleet.kube.kinds import CHILDREN, CONTROLLER_REVISIONS, JOBS, NODES, PODS, REPLICA_SETS, RESOURCE_QUOTAS, Kind
from inferfleet.kube.store import Store
from inferfleet.kube.timing import Time
from inferfleet.reconcile.queue import Key
from inferfleet.render.record import read_record

Wake = Callable[[Key], None]
Read = Callable[[Key, list[tuple[str, str]]], None]
"""Told all downloads of a model: the uid of each pod, and its address while it runs."""


@dataclass(frozen=True, slots=True)
class Child:
    """An object of ours: what each beat asks of it, and the rest as the API server holds it."""

    key: Key
    """The model that it belongs to."""
    name: str
    uid: str
    version: str
    owner: str
    """uid of its controller; empty without one."""
    packed: Packed
    recorded: Recorded | None = None
    """What a ControllerRevision records."""
    pods: PodSet | None = None
    """What a ReplicaSet says of its pods."""

    @property
    def raw(self) -> Json:
        """Decode it."""
        return self.packed.unpacked()


@dataclass(frozen=True, slots=True)
class OwnPod:
    """A pod of ours: a replica, or a download."""

    key: Key
    replica: Replica | None = None
    download: facts.DownloadPod | None = None


@dataclass(frozen=True, slots=True)
class NamespacedQuota:
    """A ResourceQuota and where it holds."""

    namespace: str
    quota: Quota


class Caches:
    """All stores of one operator."""

    def __init__(
        self, config: FleetConfig, wake: Wake, wake_soon: Wake, read: Read = lambda _model, _downloads: None
    ) -> None:
        """Start empty; `wake` is told of each model that a change concerns, `wake_soon` of those that it may concern.

        Many wake-ups of a model that come soon after another may be one. `read` is told of a model's downloads at once:
        a download waits for a minute to be read, and the queue may be longer.
        """
        self._config = config
        self._wake = wake
        self._wake_soon = wake_soon
        self._read = read
        self.unsettled: set[Key] = set()
        """Models that do not serve as wanted: a change of nodes wakes them."""
        self.waiting: set[Key] = set()
        """Those of them that wait for a GPU: a change of GPU pods wakes them too."""
        self._models: dict[Key, str] = {}
        """Which object each model is, by uid, as its beats have seen it; empty: there is none."""
        self._fleet: Fleet | None = None
        self._as: dict[str, tuple[str, str]] = {}
        """The version of a child that was found to be as a manifest wants it, and that manifest's name, by uid."""
        self.children: dict[Kind, Store[Child]] = {
            kind: Store(_decoder(kind), self._changed(kind), lambda child: str(child.key)) for kind in CHILDREN
        }
        self.pods: Store[OwnPod] = Store(_own_pod, self._pod_changed, lambda pod: str(pod.key))
        self.nodes: Store[Node] = Store(facts.node_from, self._node_changed)
        self.gpu_pods: Store[GpuPod] = Store(facts.gpu_pod_from, self._gpus_changed)
        self.quotas: Store[NamespacedQuota] = Store(_quota, self._gpus_changed, lambda found: found.namespace)

    def owned(self, kind: Kind, key: Key, uid: str) -> list[Child]:
        """List the children of a kind that belong to this very object, or to nobody and are labelled as its own."""
        return [child for child in self.children[kind].indexed(str(key)) if child.owner in ("", uid)]

    def sizes(self) -> dict[str, int]:
        """Count what each store holds."""
        found = {kind.plural: len(store) for kind, store in self.children.items()}
        found |= {PODS.plural: len(self.pods), NODES.plural: len(self.nodes), RESOURCE_QUOTAS.plural: len(self.quotas)}
        return found | {"gpupods": len(self.gpu_pods)}

    def fleet(self) -> Fleet:
        """Put nodes and GPU pods together; it is the same one until something changes."""
        if self._fleet is None:
            self._fleet = Fleet(tuple(self.nodes), tuple(self.gpu_pods), blind=not self._config.foreign_pods)
        return self._fleet

    def is_as(self, child: Child, mark: str) -> bool:
        """Tell whether this very state of a child was compared with this very manifest before, and held all of it."""
        return self._as.get(child.uid) == (child.version, mark)

    def found_as(self, live: Json, mark: str) -> None:
        """Remember that a state of a child holds all of a manifest."""
        meta = live["metadata"]
        self._as[meta["uid"]] = (meta["resourceVersion"], mark)

    def concern(self, key: Key, *, settled: bool, waits: bool) -> None:
        """Say whether a model serves as wanted, and whether it waits for a GPU."""
        for chosen, models in ((not settled, self.unsettled), (waits, self.waiting)):
            if chosen:
                models.add(key)
            else:
                models.discard(key)

    def exists(self, key: Key, uid: str) -> None:
        """Say which object a model is now, or that there is none: empty. Only downloads that are its own are read."""
        if self._models.get(key) != uid:
            self._models[key] = uid
            self._read_downloads({key})
        if not uid and not any(True for _ in self.children[JOBS].indexed(str(key))):
            del self._models[key]

    def informers(self, client: Client, time: Time, meter: InformerMeter) -> list[Informer[Any]]:
        """Make the informers that keep the stores equal to the API server."""
        ours = [(kind, store, names.SELECTOR) for kind, store in self.children.items()]
        stores: list[tuple[Kind, Store[Any], str | None]] = [*ours, (PODS, self.pods, names.SELECTOR)]
        stores.append((RESOURCE_QUOTAS, self.quotas, None))
        watched = [
            (Watched(kind, Scope(namespace, selector)), store)
            for kind, store, selector in stores
            for namespace in self._config.watch_namespaces or (None,)
        ]
        watched.append((Watched(NODES), self.nodes))
        if self._config.foreign_pods:
            watched.append((Watched(PODS), self.gpu_pods))
        return [Informer(client, each, store, time, meter) for each, store in watched]

    def _child_changed(self, before: Child | None, after: Child | None) -> None:
        if after is None and before is not None:
            self._as.pop(before.uid, None)
        self._wake_all(child.key for child in (before, after) if child)

    def _changed(self, kind: Kind) -> Callable[[Child | None, Child | None], None]:
        return self._job_changed if kind == JOBS else self._child_changed

    def _job_changed(self, before: Child | None, after: Child | None) -> None:
        self._child_changed(before, after)
        self._read_downloads({job.key for job in (before, after) if job})

    def _pod_changed(self, before: OwnPod | None, after: OwnPod | None) -> None:
        changed = [pod for pod in (before, after) if pod]
        self._read_downloads({pod.key for pod in changed if pod.download})
        self._wake_all(pod.key for pod in changed)

    def _read_downloads(self, keys: set[Key]) -> None:
        """Say which downloads are to be read: pods of a Job of this very model, and no others that bear our labels.

        Before its first beat a model is taken at the Job's word: its download may be waiting to be read.
        """
        for key in keys:
            all_jobs = self.children[JOBS].indexed(str(key))
            jobs = {job.uid for job in all_jobs if self._is_of_model(job)}
            pods = [pod.download for pod in self.pods.indexed(str(key)) if pod.download]
            found = [pod for pod in pods if pod.job_uid in jobs]
            # A pod that has ended shows nothing, and its address may be another's by now.
            self._read(key, [(pod.uid, pod.ip if pod.running else "") for pod in found])

    def _is_of_model(self, job: Child) -> bool:
        model = self._models.get(job.key)
        return facts.is_of_model(job.raw, job.key.name) if model is None else bool(model) and job.owner == model

    def _node_changed(self, before: Node | None, after: Node | None) -> None:
        self._fleet = None
        name = (after or before or Node("")).name
        self._wake_all(pod.key for pod in self.pods if pod.replica and pod.replica.node == name)
        for key in tuple(self.unsettled):
            self._wake_soon(key)

    def _gpus_changed(self, _before: object, _after: object) -> None:
        self._fleet = None
        for key in tuple(self.waiting):
            self._wake_soon(key)

    def _wake_all(self, keys: Iterable[Key]) -> None:
        for key in set(keys):
            self._wake(key)


def key_of(raw: Json) -> Key:
    """Name the model that a child belongs to."""
    return Key(raw["metadata"].get("namespace", ""), facts.label(raw, names.MODEL))


def _decoder(kind: Kind) -> Callable[[Json], Child | None]:
    def decode(raw: Json) -> Child | None:
        if not facts.label(raw, names.MODEL):
            return None
        # A listing leaves out what each item is; a manifest is compared with both.
        typed = {"apiVersion": kind.api_version, "kind": kind.kind, **facts.pruned(raw)}
        meta = raw["metadata"]
        recorded = read_record(typed) if kind is CONTROLLER_REVISIONS else None
        # What a record holds is never compared: it is written once.
        if recorded:
            del typed["data"]
        pods = facts.set_from(typed) if kind is REPLICA_SETS else None
        owner = facts.owner_uid(raw)
        return Child(
            key_of(raw), meta["name"], meta["uid"], meta["resourceVersion"], owner, Packed(typed), recorded, pods
        )

    return decode


def _own_pod(raw: Json) -> OwnPod | None:
    role, key = facts.label(raw, names.ROLE), key_of(raw)
    if not key.name:
        return None
    if role == names.ROLE_SERVER:
        return OwnPod(key, replica=facts.replica_from(raw))
    if role == names.ROLE_DOWNLOAD:
        return OwnPod(key, download=facts.download_pod_from(raw))
    return None


def _quota(raw: Json) -> NamespacedQuota | None:
    found = facts.quota_from(raw)
    return NamespacedQuota(raw["metadata"]["namespace"], found) if found else None


def leaving(replica: Replica, node: Node | None) -> Replica:
    """Mark a replica whose node is cordoned, or whose GPU has failed."""
    return replace(replica, leaving=bool(replica.gpu_failed) or (node is not None and node.cordoned))

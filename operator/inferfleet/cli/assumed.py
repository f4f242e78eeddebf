"""What `inferfleet render` assumes of a cluster that it does not see, and the beats that it plays on that.

The one rule: the planner and the renderer are the operator's own; only facts are assumed, and each is said.
"""

from __future__ import annotations

from dataclasses import replace

from inferfleet.api.base import Json
from inferfleet.api.config import FleetConfig
from inferfleet.fleet.downloads import Download
from inferfleet.fleet.nodes import Fleet, Node
from inferfleet.fleet.snapshot import Snapshot, Subject
from inferfleet.fleet.weights import Repository, RepositoryModel
from inferfleet.plan.actions import Plan
from inferfleet.plan.decide import decide
from inferfleet.plan.desired import Owner
from inferfleet.reconcile import manifests
from inferfleet.render.record import read_record

COMMIT = "0" * 40
NO_UID = "00000000-0000-0000-0000-000000000000"


def as_stored(raw: Json) -> Json:
    """Add to a manifest what the API server would."""
    return {**raw, "metadata": {"namespace": "default", "uid": NO_UID, "generation": 1, **raw["metadata"]}}


def assumptions(subject: Subject, config: FleetConfig) -> str:
    """Say as YAML comments what is assumed."""
    nodes = ", ".join(f"a free node with {each.gpus_per_node} x {each.name}" for each in config.classes) or "no GPUs"
    found = _repository(subject).models[0]
    said = (
        f"# {subject.name}: assumed are {nodes},\n"
        f"# and a Triton repository at commit {COMMIT[:7]}... with the model {found.name} and its config.pbtxt."
    )
    conditions = decide(_start(subject, config), config, now=0.0).status["conditions"]
    unplaced = [each["message"] for each in conditions if (each["type"], each["status"]) == ("Scheduled", "False")]
    return "\n".join([said, *(f"# No replica would run: {message}" for message in unplaced)])


def rendered(subject: Subject, config: FleetConfig) -> list[Json]:
    """Play a model's first beats: before its download, after it, and with its revision recorded."""
    owner = Owner(subject.namespace, subject.name, subject.uid)
    start = _start(subject, config)
    plan = decide(start, config, now=0.0)
    found = _written(plan, owner, config)
    if plan.start is None:
        return found
    done = Download(
        "download", NO_UID, plan.start.revision, "Succeeded", created=0.0, ended=0.0, repository=_repository(subject)
    )
    downloaded = replace(start, downloads=(done,))
    plan = decide(downloaded, config, now=1.0)
    found += _written(plan, owner, config)
    records = [each for each in found if each["kind"] == "ControllerRevision"]
    recorded = tuple(read_record(each) for each in records)
    plan = decide(replace(downloaded, recorded=recorded), config, now=2.0)
    return _once(found + _written(plan, owner, config))


def _written(plan: Plan, owner: Owner, config: FleetConfig) -> list[Json]:
    """Render all writes of a plan, in their order."""
    return manifests.whole(plan, owner, config)


def _once(found: list[Json]) -> list[Json]:
    """Keep the first of each object."""
    kept: dict[tuple[str, str], Json] = {}
    for each in found:
        kept.setdefault((each["kind"], each["metadata"]["name"]), each)
    return list(kept.values())


def _start(subject: Subject, config: FleetConfig) -> Snapshot:
    return Snapshot(subject, fleet=Fleet(tuple(_nodes(config))))


def _nodes(config: FleetConfig) -> list[Node]:
    return [
        Node(f"node-{number}", each.products[0], each.gpus_per_node, each.gpus_per_node, ready=True)
        for number, each in enumerate(config.classes, 1)
    ]


def _repository(subject: Subject) -> Repository:
    name = (subject.spec.model.name if subject.spec else None) or subject.name
    model = RepositoryModel(name=name, versions=(1,), files=("model.py",), config=f'name: "{name}"')
    return Repository(commit=COMMIT, shape="triton", total_bytes=1 << 30, models=(model,))

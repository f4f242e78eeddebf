"""What one beat is about, worked out once from a snapshot: the spec that holds, the target, what lies around it.

The one rule: a spec that is not accepted changes nothing: what was accepted last goes on serving.
"""

from __future__ import annotations

from dataclasses import dataclass

from inferfleet.api.base import Json
from inferfleet.api.config import FleetConfig
from inferfleet.api.parse import Problem, parse_spec
from inferfleet.api.spec import ModelDeploymentSpec
from inferfleet.engines.profile import start_up_seconds
from inferfleet.errors import SpecError
from inferfleet.fleet.replicas import Replica
from inferfleet.fleet.revision import Recorded, revision_hash
from inferfleet.fleet.snapshot import Snapshot
from inferfleet.plan import accept
from inferfleet.plan.desired import CachePlan, Owner
from inferfleet.plan.rollout import Line
from inferfleet.plan.truth import Truth

SHOWN_PROBLEMS = 5
RECOVERY_SECONDS = 300.0
"""How long a proven replica that stopped serving is still counted on; longer where its start-up takes longer."""
SINCE_THEN = ("rollout", "access", "limits")
"""Fields that no revision holds: each takes effect at once, also while another part of the spec is refused."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The spec that holds, and the revision that it asks for. `frozen`: the written spec is not accepted."""

    snapshot: Snapshot
    config: FleetConfig
    now: float
    owner: Owner
    accepted: Truth
    spec: ModelDeploymentSpec
    frozen: bool
    wanted: int
    cache: CachePlan
    revision: str
    asked: str
    """The revision that the written spec asks for; differs from `revision` while it is refused."""
    restarted: str
    record: Recorded | None
    """The target's record; None until it is known what to record."""

    @property
    def lines(self) -> tuple[Line, ...]:
        """List the revisions that have a ReplicaSet, the newest first."""
        found = sorted(self.snapshot.recorded, key=lambda record: -record.number)
        return tuple(self.line(record) for record in found if self.snapshot.set_of(record))

    @property
    def known_bytes(self) -> int:
        """Size of the target's weights; 0 while it is not known."""
        if self.record:
            return self.record.repository.total_bytes
        jobs = [job for job in self.snapshot.downloads if job.revision == self.revision and job.repository]
        return jobs[-1].repository.total_bytes if jobs and jobs[-1].repository else 0

    def line(self, record: Recorded) -> Line:
        """Look at one revision's replicas."""
        pod_set = self.snapshot.set_of(record)
        size = pod_set.wanted if pod_set else 0
        found = self.snapshot.replicas_of(record)
        proven = bool(record.proven)
        patience = max(RECOVERY_SECONDS, start_up_seconds(record.repository.total_bytes))
        recovering = [each for each in found if _may_serve_again(each, self.now - patience)]
        missing = 0 if pod_set and pod_set.blocked else max(0, size - sum(each.alive for each in found))
        return Line(
            record.name, record.revision, size, found, proven, recovering=len(recovering) + missing if proven else 0
        )


def _may_serve_again(replica: Replica, since: float) -> bool:
    """Tell whether a replica that does not serve has been so, or has existed, for a short time only."""
    idle = replica.alive and not replica.serves and not replica.proof.dead
    return idle and max(replica.created, replica.unready_at or 0.0) > since


def look(snapshot: Snapshot, config: FleetConfig, now: float, refused: SpecError | None) -> Scene | Truth:
    """Work out the scene, or say why there is nothing to do but say so."""
    subject = snapshot.subject
    problems = subject.problems or (accept.problems(subject.spec, config) if subject.spec else ())
    accepted = _accepted(problems, refused)
    in_use = _newest_in_use(snapshot)
    if accepted.fails:
        spec = _as_recorded(
            snapshot, in_use, {problem.field.split(".")[1] for problem in problems if "." in problem.field}
        )
        if spec is None or in_use is None:
            return accepted
        return _scene(snapshot, config, now, accepted, spec, in_use)
    assert subject.spec is not None  # noqa: S101 - a subject without a spec has problems
    return _scene(snapshot, config, now, accepted, subject.spec, None)


def _accepted(problems: tuple[Problem, ...], refused: SpecError | None) -> Truth:
    if problems:
        rest = f" (and {len(problems) - SHOWN_PROBLEMS} more)" if len(problems) > SHOWN_PROBLEMS else ""
        return Truth("False", "InvalidSpec", "; ".join(map(str, problems[:SHOWN_PROBLEMS])) + rest)
    if refused:
        return Truth("False", refused.reason, refused.message)
    return Truth("True", "Accepted", "Every field is accepted.")


def _scene(
    snapshot: Snapshot,
    config: FleetConfig,
    now: float,
    accepted: Truth,
    spec: ModelDeploymentSpec,
    kept: Recorded | None,
) -> Scene:
    subject = snapshot.subject
    owner = Owner(subject.namespace, subject.name, subject.uid)
    newest = max(snapshot.recorded, key=lambda record: record.number, default=None)
    restarted = newest.restarted if newest else ""
    asked = revision_hash(subject.spec, restarted) if subject.spec else ""
    revision = kept.revision if kept else asked
    record = kept or next((found for found in _newest_first(snapshot) if found.revision == revision), None)
    cache = CachePlan(**record.cache) if record else accept.cache_plan(spec, owner, config)
    wanted = 0 if spec.suspend else 1 if spec.replicas is None else spec.replicas
    return Scene(
        snapshot,
        config,
        now,
        owner,
        accepted,
        spec,
        kept is not None,
        wanted,
        cache,
        revision,
        asked,
        restarted,
        record,
    )


def _newest_first(snapshot: Snapshot) -> list[Recorded]:
    return sorted(snapshot.recorded, key=lambda record: -record.number)


def _newest_in_use(snapshot: Snapshot) -> Recorded | None:
    """Find the revision that serves on while the spec is not accepted: the newest that has proven itself, or any."""
    used = [record for record in _newest_first(snapshot) if snapshot.set_of(record)]
    return next((record for record in used if record.proven), used[0] if used else None)


def _as_recorded(snapshot: Snapshot, record: Recorded | None, refused: set[str]) -> ModelDeploymentSpec | None:
    """Read the spec that a revision was made from, at the size that it has now, with what no revision holds.

    `refused` names the parts of the written spec that are wrong: nothing is taken from them.
    """
    if record is None:
        return None
    spec = _parsed(snapshot, record.spec)
    if spec is None:
        return None
    written = snapshot.subject.written
    for section in [each for each in SINCE_THEN if each not in refused]:
        spec = _with(snapshot, spec, {section: written.get(section)}) or spec
    cache = written.get("cache", {})
    if "cache" not in refused and isinstance(cache, dict):
        kept = {**_dumped(spec).get("cache", {}), "whenDeleted": cache.get("whenDeleted")}
        spec = _with(snapshot, spec, {"cache": kept}) or spec
    size = sum(found.wanted for found in snapshot.sets)
    return spec.model_copy(update={"replicas": size, "suspend": False})


def _with(snapshot: Snapshot, spec: ModelDeploymentSpec, changed: Json) -> ModelDeploymentSpec | None:
    """Change a part of a spec; None when the whole would not be accepted."""
    return _parsed(snapshot, {**_dumped(spec), **changed})


def _parsed(snapshot: Snapshot, raw: Json) -> ModelDeploymentSpec | None:
    found = parse_spec({"metadata": {"name": snapshot.subject.name}, "spec": raw})
    return None if isinstance(found, tuple) else found


def _dumped(spec: ModelDeploymentSpec) -> Json:
    return spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)

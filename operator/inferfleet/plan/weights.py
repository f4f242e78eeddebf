"""Which download runs now, and what is known of the weights.

The one rule: a revision's weights are downloaded by Jobs that can be repeated at will: each attempt is a Job of its
own, a finished one costs a second to repeat, and a failure is tried again with backoff, longer where only the user can
mend it.
"""

from __future__ import annotations

from dataclasses import dataclass

from inferfleet.api.spec import ModelDeploymentSpec
from inferfleet.fleet.downloads import Download
from inferfleet.fleet.revision import Recorded
from inferfleet.fleet.text import size_words
from inferfleet.fleet.weights import Repository
from inferfleet.plan.desired import CachePlan, Owner, WantedDownload
from inferfleet.plan.truth import Truth

RESULT_WAIT = 20.0
"""Seconds after a Job's end during which its result may still be read."""
MISSING_AGAIN = 120.0
"""Seconds after a finished download before it is repeated because a pod did not find the weights."""
FIRST_BACKOFF, LONGEST_BACKOFF, USER_BACKOFF = 10.0, 300.0, 60.0
FOR_THE_USER = (
    "HubUnauthorized", "LicenceNotAccepted", "SourceNotFound", "RevisionNotFound", "FileNotFound", "DiskFull",
    "ClaimUnreadable", "SourceEmpty", "TlsError", "CacheUnwritable", "SourceInvalid", "SourceUnusable", "PathRefused",
    "ListingIncomplete", "EndpointInvalid", "ProxyInvalid", "RedirectRefused",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WeightsFacts:
    """What the decision rests on; `now` is seconds since the epoch."""

    owner: Owner
    spec: ModelDeploymentSpec
    revision: str
    cache: CachePlan
    record: Recorded | None
    downloads: tuple[Download, ...]
    now: float
    in_use: tuple[str, ...] | None = ()
    """Commits that stay when space is short, as in WantedDownload; None while that is not known: nothing goes."""
    missing: bool = False
    """A serving pod looked for the weights and did not find them."""


@dataclass(frozen=True, slots=True)
class WeightsPlan:
    """What to start and to remove, what is known, and when to look again (seconds from now)."""

    cached: Truth
    repository: Repository | None = None
    start: WantedDownload | None = None
    remove: tuple[Download, ...] = ()
    running: Download | None = None
    again: float | None = None


def plan_weights(facts: WeightsFacts) -> WeightsPlan:
    """Decide about the download of the target revision."""
    known = facts.record.repository if facts.record else None
    if facts.record and facts.cache.kind != "PVC":
        return WeightsPlan(_in_pods(facts.cache), known)
    mine = sorted((job for job in facts.downloads if job.revision == facts.revision), key=lambda job: job.attempt)
    other = next(
        (job for job in facts.downloads if job.revision != facts.revision and job.state in ("Waiting", "Running")), None
    )
    if facts.cache.ours and other and not mine:
        said = f"The download of revision {other.revision} ends first: it may remove weights that were not in use."
        return WeightsPlan(Truth("False", "Downloading", said), known, again=2.0)
    if not mine:
        return _start(facts, 0, Truth("False", "Downloading", "The download starts."), known)
    latest, earlier = mine[-1], tuple(mine[:-1])
    plan = _of_latest(facts, latest, known)
    stale = tuple(job for job in (*earlier, *plan.remove) if not job.terminating)
    return WeightsPlan(plan.cached, plan.repository, plan.start, stale, plan.running, plan.again)


def _of_latest(facts: WeightsFacts, latest: Download, known: Repository | None) -> WeightsPlan:
    secret = facts.spec.model.secret_ref.name if facts.spec.model.secret_ref else ""
    if latest.terminating:
        return WeightsPlan(Truth("False", "Downloading", "The last download is being removed."), known, again=2.0)
    if latest.state != "Succeeded" and latest.secret != secret:
        said = Truth("False", "Downloading", "The Secret reference changed: the download starts again.")
        return _start(facts, latest.attempt + 1, said, known, latest)
    if latest.outdated:
        said = Truth("False", "Downloading", "The chart's values changed: the download starts again with them.")
        return _start(facts, latest.attempt + 1, said, known, latest)
    if latest.state == "Succeeded":
        return _succeeded(facts, latest, known)
    if latest.state == "Failed":
        return _failed(facts, latest, known)
    return WeightsPlan(_progress(latest), known, running=latest, again=60.0)


def _start(
    facts: WeightsFacts, attempt: int, said: Truth, known: Repository | None, replaced: Download | None = None
) -> WeightsPlan:
    model = facts.spec.model
    resolved = facts.record.commit if facts.record else replaced and replaced.outcome and replaced.outcome.commit
    is_claim = model.source.startswith("pvc://")
    wanted = WantedDownload(
        owner=facts.owner,
        revision=facts.revision,
        source=model.source,
        wanted_revision="" if is_claim else resolved or model.revision or "main",
        secret=model.secret_ref.name if model.secret_ref else "",
        cache=facts.cache,
        attempt=attempt,
        resolve_only=facts.cache.kind == "Pod",
        evict=facts.cache.ours and facts.in_use is not None,
        in_use=facts.in_use or () if facts.cache.ours else (),
    )
    return WeightsPlan(said, known, start=wanted, remove=(replaced,) if replaced else ())


UNREAD = (
    "The download is done, and the operator could not read its result from port 8080 of its pod: it is looked at "
    "again. Let the operator's pods reach it, past NetworkPolicies and meshes of other makers."
)


def _succeeded(facts: WeightsFacts, latest: Download, known: Repository | None) -> WeightsPlan:
    found = known or latest.repository
    since = facts.now - (latest.ended or latest.created)
    if found and facts.missing and since > MISSING_AGAIN:
        said = Truth("False", "Downloading", "The weights are no longer on the claim: the download starts again.")
        return _start(facts, latest.attempt + 1, said, known, latest)
    if found:
        return WeightsPlan(_there(facts.cache, found), found)
    if since < min(LONGEST_BACKOFF, RESULT_WAIT * (1 << min(latest.attempt, 10))):
        return WeightsPlan(Truth("False", "Downloading", "The download is done; its result is being read."), again=2.0)
    said = Truth("False", "Downloading", UNREAD)
    return _start(facts, latest.attempt + 1, said, None, latest)


def _failed(facts: WeightsFacts, latest: Download, known: Repository | None) -> WeightsPlan:
    outcome = latest.outcome
    reason = outcome.reason if outcome and outcome.reason else "DownloadFailed"
    message = outcome.message if outcome and outcome.message else "The download Job failed without saying why."
    wait = backoff(latest.attempt, reason)
    due = (latest.ended or latest.created) + wait - facts.now
    said = Truth("False", reason, f"{message} Attempt {latest.attempt + 1}; the next follows {wait:.0f} s after it.")
    if due <= 0:
        return _start(facts, latest.attempt + 1, said, known, latest)
    return WeightsPlan(said, known, again=due)


def backoff(attempt: int, reason: str) -> float:
    """Seconds between the end of an attempt and the next: doubled each time, longer where only the user can mend it."""
    first = USER_BACKOFF if reason in FOR_THE_USER else FIRST_BACKOFF
    return min(LONGEST_BACKOFF, first * (1 << min(attempt, 10)))


def _progress(latest: Download) -> Truth:
    if latest.blocked:
        return Truth("False", latest.blocked[0], latest.blocked[1])
    progress = latest.progress
    if progress is None or not progress.bytes_total:
        return Truth("False", "Downloading", "The download has started.")
    total = size_words(progress.bytes_total)
    return Truth("False", "Downloading", f"Downloading {progress.files_total} files, {total} in all.")


def _in_pods(cache: CachePlan) -> Truth:
    if cache.kind == "Source":
        return Truth("True", "InPlace", f"The weights are served from the claim {cache.claim}.")
    return Truth("True", "InEachPod", "Each pod downloads the weights for itself.")


def _there(cache: CachePlan, found: Repository) -> Truth:
    if cache.kind != "PVC":
        return _in_pods(cache)
    return Truth(
        "True", "Downloaded", f"{size_words(found.total_bytes)} at {found.commit[:12]} on claim {cache.claim}."
    )

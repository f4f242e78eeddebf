"""One beat as a whole: from a snapshot to writes and status."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inferfleet.api.base import Json
from inferfleet.api.parse import Problem
from inferfleet.errors import SpecError
from inferfleet.fleet.names import source_directory
from inferfleet.fleet.replicas import Blocker, Proof
from inferfleet.fleet.snapshot import Snapshot
from inferfleet.plan.actions import Plan
from inferfleet.plan.decide import decide
from support.makers import (
    A100,
    CONFIG,
    H100,
    NOW,
    REPOSITORY,
    download,
    failed,
    fleet,
    node,
    pod_set,
    recorded,
    replica,
    snapshot,
    spec,
    subject,
)


def condition(plan: Plan, kind: str) -> Json:
    """Find a condition; empty if it is absent."""
    return next((each for each in plan.status["conditions"] if each["type"] == kind), {})


def said(plan: Plan, kind: str) -> tuple[str, str]:
    """Show status and reason of a condition."""
    found = condition(plan, kind)
    return found.get("status", ""), found.get("reason", "")


def serving(wanted: int = 1, **fields: object) -> Snapshot:
    """Make a model that serves as wanted."""
    found = spec(replicas=wanted)
    record = recorded(found, proven="2026-01-01T00:00:00Z", good="2026-01-01T00:01:00Z")
    plain = snapshot(
        found,
        recorded=(record,),
        sets=(pod_set(record, wanted),),
        replicas=tuple(replica(f"p{n}", record) for n in range(wanted)),
        downloads=(download(found),),
    )
    return replace(plain, **fields)  # type: ignore[arg-type]  # - fields of a snapshot by name


def test_a_new_model_starts_its_download_and_nothing_else() -> None:
    plan = decide(snapshot(), CONFIG, NOW)

    assert plan.start is not None
    assert (plan.start.wanted_revision, plan.start.attempt, plan.record, plan.children.sets) == ("main", 0, None, ())
    assert [claim.name for claim in plan.children.claims] == ["m.weights"]
    assert said(plan, "Ready") == ("False", "Downloading")
    assert said(plan, "Reconciling")[0] == "True"


def test_a_model_that_no_node_can_hold_says_so_in_numbers_and_downloads_nothing() -> None:
    plan = decide(snapshot(spec(gpu={"count": 16})), CONFIG, NOW)

    assert plan.start is None
    assert said(plan, "Scheduled") == ("False", "TooFewGpusOnOneNode")
    assert (
        "Needs 16 x H100-80GB on one node; the largest node, n1, has 8 (8 in all, on 1 node)"
        in condition(plan, "Ready")["message"]
    )


def test_downloaded_weights_are_recorded_with_a_place_before_any_pod_exists() -> None:
    found = spec()
    plan = decide(snapshot(found, downloads=(download(found, repository=REPOSITORY),)), CONFIG, NOW)

    assert plan.record is not None
    assert plan.record.serving.shape.product == "H100-80GB"
    assert plan.record.serving.repository.commit == "c" * 40
    assert plan.children.sets == ()


def test_a_recorded_revision_gets_its_replicas_and_no_traffic_yet() -> None:
    found = spec(replicas=2)
    record = recorded(found)
    plan = decide(snapshot(found, recorded=(record,), downloads=(download(found),)), CONFIG, NOW)

    (wanted,) = plan.children.sets
    assert (wanted.replicas, wanted.overlay.traffic, wanted.overlay.drain_seconds) == (2, "held", 540)


def test_the_first_real_answer_gives_the_revision_its_traffic() -> None:
    found = spec()
    record = recorded(found)
    pod = replica("p0", record, traffic="held")
    seen = snapshot(
        found,
        recorded=(record,),
        sets=(pod_set(record, 1, traffic="held"),),
        replicas=(pod,),
        downloads=(download(found),),
    )

    plan = decide(seen, CONFIG, NOW)

    assert [(note.target.name, list(note.annotations)) for note in plan.annotate] == [(record.name, ["proven"])]
    assert [(route.target.uid, route.traffic) for route in plan.route] == [("uid-p0", "serving")]
    assert plan.children.sets[0].overlay.traffic == "serving"
    assert said(plan, "Ready") == ("False", "Loading")


def test_a_settled_model_is_ready_and_writes_nothing() -> None:
    first = decide(serving(2), CONFIG, NOW)
    again = decide(serving(2, subject=subject(spec(replicas=2), status=first.status)), CONFIG, NOW + 5)

    assert said(again, "Ready") == ("True", "Serving")
    assert (again.start, again.record, again.annotate, again.route, again.costs, again.delete_pods) == (
        None, None, (), (), (), (),
    )  # fmt: skip
    assert again.status == first.status
    assert again.announce == ()
    assert [each["type"] for each in again.status["conditions"]] == [
        "Ready",
        "Available",
        "Accepted",
        "Cached",
        "Scheduled",
    ]


def test_a_bad_edit_leaves_the_last_good_revision_serving() -> None:
    bad = subject(None, spec=None, problems=(Problem("spec.gpu.count", "found -1; too small"),), generation=2)

    plan = decide(serving(2, subject=bad), CONFIG, NOW)

    assert [wanted.replicas for wanted in plan.children.sets] == [2]
    assert said(plan, "Accepted") == ("False", "InvalidSpec")
    assert said(plan, "Available") == ("True", "ReplicasServe")
    assert said(plan, "Stalled") == ("True", "InvalidSpec")
    assert said(plan, "Ready")[0] == "False"
    assert condition(plan, "Reconciling") == {}


def test_an_unknown_gpu_class_is_refused_with_the_classes_that_there_are() -> None:
    plan = decide(snapshot(spec(gpu={"products": ["H200"]})), CONFIG, NOW)

    message = condition(plan, "Accepted")["message"]
    assert message == 'spec.gpu.products.0: found "H200"; the configured classes are H100-80GB, A100-80GB'


def test_what_rendering_refuses_is_told_and_loses_nothing() -> None:
    error = SpecError("NotATritonRepository", "spec.model.source: no Triton repository.")
    edited = subject(spec(model={"source": "hf://org/other"}), generation=2)

    plan = decide(serving(1, subject=edited), CONFIG, NOW, error)

    assert said(plan, "Accepted") == ("False", "NotATritonRepository")
    assert [wanted.replicas for wanted in plan.children.sets] == [1]


def test_a_checkpoint_is_refused_once_its_shape_is_known_and_its_download_is_kept() -> None:
    found = spec()
    shape = REPOSITORY.model_copy(update={"shape": "checkpoint", "models": ()})

    plan = decide(snapshot(found, downloads=(download(found, repository=shape),)), CONFIG, NOW)

    assert said(plan, "Accepted") == ("False", "NotATritonRepository")
    assert (plan.start, plan.remove_downloads) == (None, ())


@pytest.mark.parametrize(
    ("reason", "age", "starts"),
    [
        ("ConnectionLost", 5, False),
        ("ConnectionLost", 11, True),
        ("HubUnauthorized", 30, False),
        ("HubUnauthorized", 61, True),
    ],
)
def test_a_failed_download_is_tried_again_with_backoff(reason: str, age: float, *, starts: bool) -> None:
    found = spec()
    plan = decide(snapshot(found, downloads=(failed(found, reason, ended=NOW - age),)), CONFIG, NOW)

    assert (plan.start is not None) is starts
    assert (plan.start.attempt if plan.start else None) == (1 if starts else None)
    assert said(plan, "Cached")[1] == reason


def test_a_changed_secret_reference_starts_the_download_at_once() -> None:
    found = spec(model={"source": "hf://org/model", "secretRef": {"name": "token"}})
    plan = decide(snapshot(found, downloads=(failed(found, "HubUnauthorized"),)), CONFIG, NOW)

    assert plan.start is not None
    assert (plan.start.secret, plan.start.attempt) == ("token", 1)


def test_a_lost_result_is_fetched_by_another_attempt() -> None:
    found = spec()
    early = decide(snapshot(found, downloads=(download(found, ended=NOW - 5),)), CONFIG, NOW)
    late = decide(snapshot(found, downloads=(download(found, ended=NOW - 60),)), CONFIG, NOW)

    assert early.start is None
    assert late.start is not None
    assert late.start.attempt == 1


def test_a_replica_whose_model_is_dead_is_deleted_with_a_short_grace() -> None:
    seen = serving(1)
    dead = replace(seen.replicas[0], proof=Proof(proven=True, dead=True, error="INTERNAL"))

    plan = decide(replace(seen, replicas=(dead,)), CONFIG, NOW)

    assert [(gone.target.uid, gone.grace, gone.reason) for gone in plan.delete_pods] == [("uid-p0", 30, "ModelDead")]


def test_a_shrinking_revision_first_marks_who_goes_and_shrinks_a_beat_later() -> None:
    seen = serving(3)
    fewer = replace(seen, subject=subject(spec(replicas=2), generation=2))

    first = decide(fewer, CONFIG, NOW)
    marks = {cost.target.uid: cost.cost for cost in first.costs}
    marked = tuple(replace(each, deletion_cost=marks[each.uid]) for each in fewer.replicas)
    second = decide(replace(fewer, replicas=marked), CONFIG, NOW)

    assert [wanted.replicas for wanted in first.children.sets] == [3]
    assert sorted(marks.values()) == [-100, 100, 100]
    assert [wanted.replicas for wanted in second.children.sets] == [2]


def first_to_go(seen: Snapshot) -> list[str]:
    return [cost.target.uid for cost in decide(seen, CONFIG, NOW).costs if cost.cost < 0]


def test_of_equal_replicas_the_one_with_the_least_in_flight_goes_first_and_stays_chosen() -> None:
    seen = serving(3)
    busy = tuple(replace(each, in_flight=flying) for each, flying in zip(seen.replicas, (4, 2, 3), strict=True))
    fewer = replace(seen, subject=subject(spec(replicas=2), generation=2), replicas=busy)
    chosen = seen.replicas[1].uid

    assert first_to_go(fewer) == [chosen]
    costs = (100, -100, 100)
    marked = tuple(replace(each, deletion_cost=cost) for each, cost in zip(busy, costs, strict=True))
    later = tuple(replace(each, in_flight=flying) for each, flying in zip(marked, (0, 9, 0), strict=True))
    assert decide(replace(fewer, replicas=later), CONFIG, NOW).costs == ()


def test_one_that_serves_nobody_goes_before_one_with_little_in_flight() -> None:
    seen = serving(3)
    held = replace(seen.replicas[0], ready=False, in_flight=9)
    fewer = replace(seen, subject=subject(spec(replicas=2), generation=2), replicas=(held, *seen.replicas[1:]))

    assert first_to_go(fewer) == [held.uid]


def test_suspend_takes_every_replica_and_keeps_the_weights() -> None:
    seen = serving(2)
    plan = decide(replace(seen, subject=subject(spec(replicas=2, suspend=True), generation=2)), CONFIG, NOW)
    gone = replace(seen, replicas=(), sets=(replace(seen.sets[0], wanted=0, existing=0),))
    after = decide(replace(gone, subject=subject(spec(replicas=2, suspend=True))), CONFIG, NOW)

    assert [wanted.replicas for wanted in plan.children.sets] == [0]
    assert said(after, "Ready") == ("True", "Suspended")
    assert said(after, "Available")[0] == "False"
    assert [claim.name for claim in after.children.claims] == ["m.weights"]


def test_half_of_the_replicas_is_ready_but_degraded_and_fewer_is_not() -> None:
    seen = serving(4)
    two = replace(seen, replicas=tuple(replace(each, ready=index < 2) for index, each in enumerate(seen.replicas)))
    one = replace(seen, replicas=tuple(replace(each, ready=index < 1) for index, each in enumerate(seen.replicas)))

    assert said(decide(two, CONFIG, NOW), "Ready") == ("True", "Degraded")
    assert said(decide(one, CONFIG, NOW), "Ready") == ("False", "Degraded")
    assert said(decide(one, CONFIG, NOW), "Available")[0] == "True"


def test_no_progress_for_the_deadline_is_stalled_and_clears_by_itself() -> None:
    found = spec(rollout={"progressDeadlineSeconds": 60})
    record = recorded(found)
    stuck = replica(
        "p0",
        record,
        ready=False,
        traffic="held",
        created=NOW - 100,
        blocker=Blocker("ImagePullFailed", "n1 cannot pull x"),
    )
    seen = snapshot(
        found, recorded=(record,), sets=(pod_set(record, 1),), replicas=(stuck,), downloads=(download(found),)
    )
    old = {"observedGeneration": 1, "conditions": []}

    late = decide(replace(seen, subject=subject(found, status=old)), CONFIG, NOW)
    moved = replace(stuck, ready=True, ready_at=NOW - 1)
    cleared = decide(replace(seen, subject=subject(found, status=late.status), replicas=(moved,)), CONFIG, NOW)

    assert said(late, "Stalled") == ("True", "ProgressDeadlineExceeded")
    assert "ImagePullFailed: n1 cannot pull x" in condition(late, "Ready")["message"]
    assert condition(late, "Reconciling") == {}
    assert condition(cleared, "Stalled") == {}


def test_a_spec_change_rolls_and_says_so() -> None:
    seen = serving(2)
    edited = spec(replicas=2, model={"source": "hf://org/model", "revision": "v2"})
    record = recorded(edited, number=2)
    rolling = replace(
        seen,
        subject=subject(edited, generation=2, status={"observedGeneration": 2}),
        recorded=(*seen.recorded, record),
        downloads=(*seen.downloads, download(edited)),
    )

    plan = decide(rolling, CONFIG, NOW)

    assert {wanted.recorded.number: wanted.replicas for wanted in plan.children.sets} == {1: 2, 2: 1}
    assert plan.children.sets[0].recorded.number == 2
    assert said(plan, "Ready") == ("Unknown", "RollingOut")
    assert plan.status["rollout"]["from"] == seen.recorded[0].revision
    assert plan.status["rollout"]["strategy"] == "Surge"


def test_on_a_full_fleet_one_replica_waits_for_consent_and_says_the_way_on() -> None:
    seen = serving(1)
    edited = spec(replicas=1, model={"source": "hf://org/model", "revision": "v2"})
    full = fleet(node("n1", 1), used={"n1": 1})
    rolling = replace(
        seen,
        fleet=full,
        subject=subject(edited, generation=2),
        recorded=(*seen.recorded, recorded(edited, number=2)),
        downloads=(download(edited),),
    )

    plan = decide(rolling, CONFIG, NOW)

    assert {wanted.recorded.number: wanted.replicas for wanted in plan.children.sets} == {1: 1}
    assert said(plan, "Ready") == ("Unknown", "NeedsOutage")
    assert "spec.rollout.outage to Allow" in condition(plan, "Ready")["message"]


def test_the_last_replica_is_kept_from_evictions_unless_an_outage_is_allowed() -> None:
    asked = decide(serving(1), CONFIG, NOW)
    seen = serving(1)
    allowed = decide(replace(seen, subject=subject(spec(replicas=1, rollout={"outage": "Allow"}))), CONFIG, NOW)

    assert asked.children.budget is not None
    assert asked.children.budget.max_unavailable == 0
    assert allowed.children.budget is not None
    assert allowed.children.budget.max_unavailable == "10%"


def test_the_second_class_is_taken_when_the_first_has_no_free_gpu() -> None:
    found = spec(gpu={"products": ["H100-80GB", "A100-80GB"], "count": 4})
    seen = snapshot(
        found,
        fleet=fleet(node("n1"), node("n2", product=A100), used={"n1": 6}),
        downloads=(download(found, repository=REPOSITORY),),
    )

    plan = decide(seen, CONFIG, NOW)

    assert plan.record is not None
    assert (plan.record.serving.shape.product, plan.record.serving.products) == ("A100-80GB", A100.products)


def test_weights_too_large_for_one_gpu_take_the_power_of_two_that_holds_them() -> None:
    found = spec()
    heavy = REPOSITORY.model_copy(update={"total_bytes": 131 << 30})
    seen = snapshot(found, downloads=(download(found, repository=heavy),), fleet=fleet(node("n1", product=H100)))

    plan = decide(seen, CONFIG, NOW)

    assert plan.record is not None
    assert plan.record.serving.shape.gpus == 4


def test_old_records_beyond_five_go_and_what_is_in_use_stays() -> None:
    seen = serving(1)
    spare = tuple(recorded(spec(model={"source": f"hf://org/m{n}"}), number=-n) for n in range(1, 9))

    plan = decide(replace(seen, recorded=(*seen.recorded, *spare)), CONFIG, NOW)

    assert sorted(target.name for target in plan.remove_records) == sorted(each.name for each in spare[5:])


def reverted() -> Snapshot:
    """Make a model that serves v2 and is edited back to an earlier spec, whose record is still there."""
    back = spec(replicas=1)
    edited = spec(replicas=1, model={"source": "hf://org/model", "revision": "v2"})
    seen = serving(1)
    record = recorded(edited, number=2, commit="d" * 40, proven="2026-01-02T00:00:00Z", good="2026-01-02T00:01:00Z")
    return replace(
        seen,
        subject=subject(back, generation=3),
        recorded=(recorded(back), record),
        sets=(pod_set(record, 1),),
        replicas=(replica("p0", record),),
        downloads=(download(edited),),
    )


def test_weights_that_were_out_of_use_are_downloaded_before_a_replica_goes() -> None:
    seen = reverted()

    plan = decide(seen, CONFIG, NOW)

    source = source_directory("hf://org/model")
    assert plan.start is not None
    assert (plan.start.evict, plan.start.in_use) == (True, (f"{source}/{'c' * 40}", f"{source}/{'d' * 40}"))
    assert plan.start.wanted_revision == "c" * 40
    assert {wanted.recorded.number: wanted.replicas for wanted in plan.children.sets} == {2: 1}
    assert said(plan, "Cached") == ("False", "Downloading")


def test_the_download_of_another_revision_ends_first() -> None:
    other = spec(model={"source": "hf://org/model", "revision": "v3"})
    seen = reverted()

    plan = decide(replace(seen, downloads=(*seen.downloads, download(other, "Running"))), CONFIG, NOW)

    assert plan.start is None
    assert [target.name for target in plan.remove_downloads] == ["job-0"]
    assert "ends first" in condition(plan, "Cached")["message"]
    assert plan.again is not None


def test_the_download_of_a_revision_out_of_use_goes() -> None:
    seen = serving(1)
    old = spec(model={"source": "hf://org/old"})
    out_of_use = recorded(old, number=0, proven="2026-01-01T00:00:00Z")

    plan = decide(
        replace(seen, recorded=(*seen.recorded, out_of_use), downloads=(*seen.downloads, download(old, attempt=7))),
        CONFIG,
        NOW,
    )

    assert [target.name for target in plan.remove_downloads] == ["job-7"]


@pytest.mark.parametrize(("ended", "starts"), [(300.0, True), (10.0, False)])
def test_weights_that_a_pod_does_not_find_are_downloaded_again(ended: float, *, starts: bool) -> None:
    seen = serving(1)
    searching = replace(seen.replicas[0], ready=False, blocker=Blocker("WeightsMissing", "They are not there."))

    plan = decide(
        replace(seen, replicas=(searching,), downloads=(download(seen.subject.spec or spec(), ended=NOW - ended),)),
        CONFIG,
        NOW,
    )

    assert (plan.start is not None) == starts
    assert {wanted.replicas for wanted in plan.children.sets} == {1}


def test_a_claim_that_was_given_is_never_cleaned() -> None:
    found = spec(cache={"type": "PVC", "claim": "shared"})

    plan = decide(snapshot(found), CONFIG, NOW)

    assert plan.start is not None
    assert (plan.start.evict, plan.start.in_use) == (False, ())


def mended(written: Json, *problems: Problem) -> Plan:
    """Decide for a model that serves and whose written spec is refused."""
    seen = serving(1)
    recorded_as = spec(
        replicas=1, access={"egress": "Allow"}, rollout={"outage": "Allow"}, cache={"whenDeleted": "Delete"}
    )
    record = replace(seen.recorded[0], spec=recorded_as.model_dump(mode="json", by_alias=True, exclude_defaults=True))
    refused = replace(subject(), spec=None, written=written, problems=problems)
    return decide(replace(seen, recorded=(record,), subject=refused), CONFIG, NOW)


def test_what_no_revision_holds_takes_effect_also_beside_a_refused_field() -> None:
    plan = mended({"replicas": "two"}, Problem("spec.replicas", "found two"))

    assert plan.children.policies is not None
    assert plan.children.budget is not None
    assert (plan.children.policies.serving_egress, plan.children.budget.max_unavailable) == (False, 0)
    assert [claim.delete_with_model for claim in plan.children.claims] == [False]
    assert [wanted.replicas for wanted in plan.children.sets] == [1]


def test_a_part_that_is_refused_itself_stays_as_it_was() -> None:
    plan = mended({"access": {"egress": "Never"}}, Problem("spec.access.egress", "found Never"))

    assert plan.children.policies is not None
    assert plan.children.policies.serving_egress


@pytest.mark.parametrize(("wanted", "buried"), [(4, 1), (25, 2)])
def test_replicas_that_all_seem_dead_go_a_tenth_at_a_time(wanted: int, buried: int) -> None:
    seen = serving(wanted)
    dead = tuple(replace(each, proof=Proof(proven=True, dead=True, error="no")) for each in seen.replicas)
    one_starts = (replace(dead[0], uid="uid-new", ready=False, proof=Proof()), *dead[1:])

    assert len(decide(replace(seen, replicas=dead), CONFIG, NOW).delete_pods) == buried
    assert len(decide(replace(seen, replicas=one_starts), CONFIG, NOW).delete_pods) == buried - 1


def test_a_replica_that_cannot_leave_its_node_says_what_it_lacks_and_is_no_alarm() -> None:
    seen = serving(1)
    staying = replace(seen.replicas[0], leaving=True)
    waiting = replica("p9", seen.recorded[0], ready=False, bound=False, node="", created=NOW - 7200, proof=Proof())
    sets = (pod_set(seen.recorded[0], 2),)
    full = fleet(node("n1", 1, cordoned=True), node("n3", 1), used={"n1": 1, "n3": 1})
    old = {"observedGeneration": 1, "rollout": {"lastProgress": "2020-01-01T00:00:00Z"}}

    plan = decide(
        replace(
            seen, replicas=(staying, waiting), sets=sets, fleet=full, subject=subject(spec(replicas=1), status=old)
        ),
        CONFIG,
        NOW,
    )

    assert said(plan, "Ready") == ("True", "Evacuating")
    assert "n3 has 0 of 1 free" in condition(plan, "Reconciling")["message"]
    assert condition(plan, "Stalled") == {}


def test_a_model_that_no_node_can_hold_takes_no_claim() -> None:
    plan = decide(snapshot(spec(gpu={"count": 16})), CONFIG, NOW)

    assert plan.children.claims == ()
    assert decide(snapshot(spec()), CONFIG, NOW).children.claims != ()


def test_while_a_record_is_without_its_spec_no_weights_go() -> None:
    seen = reverted()
    blank = replace(seen.recorded[1], spec={})

    plan = decide(replace(seen, recorded=(seen.recorded[0], blank)), CONFIG, NOW)

    assert plan.start is not None
    assert not plan.start.evict


@pytest.mark.parametrize(("blocker", "kind"), [(None, "Normal"), (Blocker("OutOfMemory", "It died."), "Warning")])
def test_replicas_that_only_start_are_no_warning(blocker: Blocker | None, kind: str) -> None:
    seen = serving(3)
    starting = tuple(replace(each, ready=False, blocker=blocker) for each in seen.replicas[1:])

    plan = decide(replace(seen, replicas=(seen.replicas[0], *starting)), CONFIG, NOW)

    assert [(each.kind, each.reason) for each in plan.announce if each.reason == "Degraded"] == [(kind, "Degraded")]

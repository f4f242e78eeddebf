"""The prober against a server on loopback: proof, death, and whose they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import grpc
import pytest

from inferfleet.fleet.replicas import Proof
from inferfleet.plan.actions import Watched
from inferfleet.serving.life import HEARTBEAT, RECHECK, RETRY
from inferfleet.serving.metrics import Counts
from inferfleet.serving.prober import Ports, Prober
from serving.fakes import HOST, FakeTriton, Hand, Pages, answer, fail, grpc_port, http_port, metrics_page

POD = Watched("uid-1", 0, HOST, "m", "")
DEAD_STUB = fail(grpc.StatusCode.INTERNAL, "Stub process 'm_0_0' is not healthy.")


@dataclass
class Stage:
    """A prober, a server, its metrics page and the clock between them."""

    prober: Prober
    triton: FakeTriton
    pages: Pages
    hand: Hand
    woken: list[object]

    def count(self, **found: int) -> None:
        self.pages.pages["/metrics"] = metrics_page(**found)

    async def after(self, seconds: float = 0.0) -> Proof:
        self.hand.now += seconds
        self.prober.rounds.start_due()
        await self.prober.rounds.settle()
        return self.prober.proof(POD.uid, POD.restarts)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    triton, pages, hand, woken = FakeTriton(), Pages(), Hand(), list[object]()
    async with grpc_port(triton) as asked, http_port(pages) as read:
        prober = Prober(hand, woken.append, Ports(asked, read))
        found = Stage(prober, triton, pages, hand, woken)
        found.count(succeeded=0)
        yield found
        await prober._reader.close()


async def test_a_ready_pod_is_proven_at_once_and_its_model_woken(stage: Stage) -> None:
    stage.prober.watch("model", [POD])

    assert await stage.after() == Proof(proven=True)
    assert stage.woken == ["model"]


async def test_an_unproven_pod_is_tried_again_until_it_answers(stage: Stage) -> None:
    stage.triton.behaviour = DEAD_STUB
    stage.prober.watch("model", [POD])

    assert not (await stage.after()).proven
    assert "not healthy" in (await stage.after(RETRY)).error
    assert not stage.prober.proof(POD.uid, 0).dead
    stage.triton.behaviour = answer
    assert await stage.after(RETRY) == Proof(proven=True)


async def test_traffic_is_proof_enough(stage: Stage) -> None:
    stage.prober.watch("model", [POD])
    await stage.after()

    for total in range(1, 5):
        stage.count(succeeded=10 * total)
        await stage.after(HEARTBEAT)

    assert len(stage.triton.asked) == 1


async def test_an_idle_model_is_asked_every_half_minute(stage: Stage) -> None:
    stage.prober.watch("model", [POD])
    await stage.after()

    for _ in range(3):
        await stage.after(HEARTBEAT)

    assert len(stage.triton.asked) == 4
    assert stage.woken == ["model"]


async def test_our_own_question_is_no_traffic(stage: Stage) -> None:
    async def counted(server: FakeTriton, _request: object, _context: object) -> None:
        stage.count(succeeded=len(server.asked))

    stage.triton.behaviour = counted
    stage.prober.watch("model", [POD])
    await stage.after()

    for _ in range(3):
        await stage.after(HEARTBEAT)

    assert len(stage.triton.asked) == 4


async def test_a_dead_model_in_a_live_server_is_found_within_forty_seconds(stage: Stage) -> None:
    stage.prober.watch("model", [POD])
    await stage.after()
    stage.triton.behaviour = DEAD_STUB
    stage.count(succeeded=0, broken=7, pending=3)

    assert not (await stage.after(HEARTBEAT)).dead
    found = await stage.after(RECHECK)

    assert found.dead
    assert found.error == "INTERNAL: Stub process 'm_0_0' is not healthy."
    assert stage.woken == ["model"] * 3


async def test_a_restarted_container_has_proven_nothing(stage: Stage) -> None:
    stage.prober.watch("model", [POD])
    await stage.after()

    assert stage.prober.proof(POD.uid, 1) == Proof()
    stage.prober.watch("model", [replace(POD, restarts=1)])
    assert stage.prober.proof(POD.uid, 0) == Proof()
    await stage.after()
    assert stage.prober.proof(POD.uid, 1).proven


async def test_a_pod_that_is_gone_is_forgotten(stage: Stage) -> None:
    stage.prober.watch("model", [POD])
    stage.prober.watch("other", [replace(POD, uid="uid-2")])
    await stage.after()

    stage.prober.forget("model")
    await stage.after(HEARTBEAT)

    assert stage.prober.proof(POD.uid, 0) == Proof()
    assert stage.prober.proof("uid-2", 0).proven
    assert len(stage.triton.asked) == 3


async def test_the_last_counts_are_kept(stage: Stage) -> None:
    stage.count(succeeded=4, waiting=2, active=1)
    stage.prober.watch("model", [POD])
    await stage.after()

    assert stage.prober.counts(POD.uid, 0) == Counts(succeeded=5, waiting=2, active=1), "ours is one of them"
    assert stage.prober.counts("unknown", 0) is None


async def test_what_is_in_flight_is_what_the_server_last_said(stage: Stage) -> None:
    stage.prober.watch("model", [POD])
    stage.count(succeeded=0, pending=3)
    await stage.after()

    assert stage.prober.in_flight(POD.uid, POD.restarts) == 3
    assert stage.prober.in_flight(POD.uid, POD.restarts + 1) == 0


async def test_a_pod_that_is_watched_no_more_leaves_no_question_behind(stage: Stage) -> None:
    stage.prober.watch("model", [POD])
    await stage.after()
    assert len(stage.prober._asker._prepared) == 1

    stage.prober.forget("model")
    assert stage.prober._asker._prepared == {}

"""What is told as an event: once in ten minutes, counted, bounded, and never in the way."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from inferfleet.api.base import Json
from inferfleet.kube.client import Client
from inferfleet.kube.events import MESSAGE_LIMIT, EventRecorder
from inferfleet.kube.kinds import CONFIG_MAPS, NODES, Ref
from support.fake_kube import FakeKube, ManualClock
from support.fake_kube.clients import connection_to, open_client
from support.fake_kube.following import running

ABOUT = Ref(CONFIG_MAPS, "default", "one")


@pytest.fixture
async def recorder(client: Client, clock: ManualClock) -> AsyncIterator[EventRecorder]:
    found = EventRecorder(client, "pod-1", clock.time)
    async with running(found.run()):
        yield found


def told(fake: FakeKube) -> list[Json]:
    return fake.all("events")


async def test_an_event_names_its_object_reason_and_sender(fake: FakeKube, recorder: EventRecorder) -> None:
    recorder.record(ABOUT, "uid-1", "Warning", "NoGpuFree", "2 of 8 GPUs are free.")
    await recorder.flush()

    (event,) = told(fake)
    assert event["involvedObject"] == {
        "apiVersion": "v1", "kind": "ConfigMap", "name": "one", "namespace": "default", "uid": "uid-1",
    }  # fmt: skip
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "NoGpuFree", "2 of 8 GPUs are free.")
    assert (event["count"], event["source"]["component"]) == (1, "inferfleet")
    assert event["firstTimestamp"] == "2026-01-01T00:00:00Z"


async def test_an_event_about_a_node_lies_in_the_default_namespace(fake: FakeKube, recorder: EventRecorder) -> None:
    recorder.record(Ref(NODES, None, "n1"), "uid-1", "Normal", "Seen", "text")
    await recorder.flush()

    (event,) = told(fake)
    assert event["metadata"]["namespace"] == "default"
    assert "namespace" not in event["involvedObject"]


async def test_repeats_within_ten_minutes_are_counted_and_told_together(
    fake: FakeKube, recorder: EventRecorder, clock: ManualClock
) -> None:
    for _ in range(9):
        recorder.record(ABOUT, "uid-1", "Normal", "Seen", "text")
        await clock.advance(60)
    await recorder.flush()
    before = len(fake.writes())
    await clock.advance(60)
    recorder.record(ABOUT, "uid-1", "Normal", "Seen", "text")
    await recorder.flush()

    (event,) = told(fake)
    assert before == 1
    assert len(fake.writes()) == 2
    assert event["count"] == 10
    assert event["lastTimestamp"] == "2026-01-01T00:10:00Z"


async def test_another_message_reason_or_object_is_another_event(fake: FakeKube, recorder: EventRecorder) -> None:
    for uid, reason, message in (("u1", "A", "x"), ("u1", "A", "y"), ("u1", "B", "x"), ("u2", "A", "x")):
        recorder.record(ABOUT, uid, "Normal", reason, message)
    await recorder.flush()

    assert len(told(fake)) == 4


async def test_the_next_leader_counts_on_where_the_last_one_stopped(
    fake: FakeKube, client: Client, clock: ManualClock
) -> None:
    for identity in ("pod-1", "pod-2"):
        recorder = EventRecorder(client, identity, clock.time)
        async with running(recorder.run()):
            recorder.record(ABOUT, "uid-1", "Normal", "Seen", "text")
            await recorder.flush()
            await clock.advance(601)
            recorder.record(ABOUT, "uid-1", "Normal", "Seen", "text")
            await recorder.flush()

    (event,) = told(fake)
    assert event["count"] == 4


async def test_an_event_that_has_expired_is_created_again(
    fake: FakeKube, recorder: EventRecorder, clock: ManualClock
) -> None:
    recorder.record(ABOUT, "uid-1", "Normal", "Seen", "text")
    await recorder.flush()
    fake.delete("events", "default", told(fake)[0]["metadata"]["name"])
    await clock.advance(3600)
    recorder.record(ABOUT, "uid-1", "Normal", "Seen", "text")
    await recorder.flush()

    assert [event["count"] for event in told(fake)] == [2]


async def test_a_message_is_cut_and_what_is_no_text_is_replaced(fake: FakeKube, recorder: EventRecorder) -> None:
    recorder.record(ABOUT, "uid-1", "Normal", "Long", "x" * 5000)
    recorder.record(ABOUT, "uid-1", "Normal", "Odd", "a\ud800b")
    await recorder.flush()

    messages = {event["reason"]: event["message"] for event in told(fake)}
    assert len(messages["Long"]) == MESSAGE_LIMIT
    assert messages["Odd"] == "a?b"


async def test_an_object_that_never_tires_is_stopped_and_the_others_are_not(
    fake: FakeKube, recorder: EventRecorder, clock: ManualClock
) -> None:
    for index in range(100):
        recorder.record(ABOUT, "noisy", "Normal", "Changed", f"now {index}")
    recorder.record(ABOUT, "quiet", "Normal", "Changed", "once")
    await recorder.flush()
    first = len(told(fake))
    await clock.advance(600)
    for index in range(100, 200):
        recorder.record(ABOUT, "noisy", "Normal", "Changed", f"now {index}")
    await recorder.flush()

    assert first == 26
    assert len(told(fake)) == 28
    assert recorder.dropped == 75 + 98


@pytest.mark.parametrize("reason", ["lower", "With space", "", "Dash-ed", "1Digit", "X" * 200])
async def test_a_reason_that_is_not_camel_case_is_not_told(
    fake: FakeKube, recorder: EventRecorder, reason: str
) -> None:
    recorder.record(ABOUT, "uid-1", "Normal", reason, "text")
    await recorder.flush()

    assert told(fake) == []
    assert recorder.dropped == 1


@pytest.mark.parametrize("how", [{"status": 403}, {"status": 500}, {"reset": True}, {"status": 200, "page": True}])
async def test_a_failure_to_tell_harms_nobody(fake: FakeKube, recorder: EventRecorder, how: dict[str, int]) -> None:
    with fake.fault(resource="events", **how):
        recorder.record(ABOUT, "uid-1", "Normal", "First", "text")
        await recorder.flush()
    recorder.record(ABOUT, "uid-1", "Normal", "Second", "text")
    await recorder.flush()

    assert [event["reason"] for event in told(fake)] == ["Second"]
    assert recorder.dropped == 1


async def test_row_09_a_replica_that_may_not_write_tells_nothing(fake: FakeKube, clock: ManualClock) -> None:
    async with open_client(connection_to(fake.url), clock.hurried, may_write=lambda: False) as client:
        recorder = EventRecorder(client, "pod-1", clock.time)
        async with running(recorder.run()):
            recorder.record(ABOUT, "uid-1", "Normal", "Seen", "text")
            await recorder.flush()

    assert told(fake) == []


async def test_more_than_can_be_sent_is_dropped_and_not_kept(client: Client, clock: ManualClock) -> None:
    recorder = EventRecorder(client, "pod-1", clock.time)

    for index in range(600):
        recorder.record(ABOUT, f"uid-{index}", "Normal", "Seen", "text")

    assert recorder.dropped == 600 - 512

"""A node on which models die again and again is avoided for a time, and no longer."""

from __future__ import annotations

from dataclasses import replace

from inferfleet.fleet.replicas import Proof, Replica
from inferfleet.plan.actions import Plan
from inferfleet.plan.deaths import AVOIDED_SECONDS, KEPT, avoided, noted
from inferfleet.plan.decide import decide
from support.makers import CONFIG, NOW, pod_set, recorded, replica, snapshot, spec

DEAD = Proof(proven=True, dead=True, error="INTERNAL")
RECORD = recorded(spec(), proven="2026-01-01T00:00:00Z", good="2026-01-01T00:00:00Z")


def dead(uid: str, node: str = "n1") -> Replica:
    return replica("p", RECORD, uid=uid, node=node, proof=DEAD)


def after(*uids: str, node: str = "n1", now: float = NOW) -> str:
    record = RECORD
    for uid in uids:
        record = replace(record, deaths=noted(record, [dead(uid, node)], now))
    return record.deaths


def beat(note: str, *dying: Replica) -> Plan:
    record = replace(RECORD, deaths=note)
    return decide(snapshot(recorded=(record,), sets=(pod_set(record, 1),), replicas=dying), CONFIG, NOW)


def test_one_death_is_noted_and_avoids_nothing() -> None:
    assert after("aaaaaaaa").startswith("n1@")
    assert avoided([after("aaaaaaaa")], NOW) == ()


def test_two_deaths_on_a_node_avoid_it_for_an_hour() -> None:
    note = after("aaaaaaaa", "bbbbbbbb")

    assert avoided([note], NOW + AVOIDED_SECONDS - 1) == ("n1",)
    assert avoided([note], NOW + AVOIDED_SECONDS + 1) == ()


def test_deaths_of_two_revisions_add_up_and_those_on_two_nodes_do_not() -> None:
    assert avoided([after("aaaaaaaa"), after("bbbbbbbb")], NOW) == ("n1",)
    assert avoided([after("aaaaaaaa"), after("bbbbbbbb", node="n2")], NOW) == ()


def test_a_death_is_noted_once_however_often_it_is_seen() -> None:
    assert after("aaaaaaaa", "aaaaaaaa") == after("aaaaaaaa")


def test_only_the_newest_deaths_are_kept() -> None:
    note = after(*(f"{number:08d}" for number in range(KEPT + 3)))

    assert len(note.split()) == KEPT
    assert note.endswith(f"{KEPT + 2:08d}")


def test_what_ended_by_itself_or_belongs_to_another_revision_is_no_death() -> None:
    other = replace(dead("aaaaaaaa"), revision="another")
    ended = replace(dead("bbbbbbbb"), proof=Proof(), finished=True)

    assert noted(RECORD, [other, ended], NOW) == ""


def test_a_note_that_somebody_spoilt_is_passed_over() -> None:
    assert avoided(["n1 n1@never/x @ n2@2026", "\x00"], NOW) == ()


def test_a_beat_notes_the_death_before_it_deletes_and_the_second_turns_new_pods_away() -> None:
    first = beat("", dead("aaaaaaaa"))
    note = first.annotate[0].annotations["deaths"]
    second = beat(note, dead("bbbbbbbb"))

    assert [wanted.overlay.avoid_nodes for wanted in first.children.sets] == [()]
    assert [wanted.overlay.avoid_nodes for wanted in second.children.sets] == [("n1",)]
    assert "NodeAvoided" not in [each.reason for each in first.announce]
    assert "NodeAvoided" in [each.reason for each in second.announce]


def test_it_is_told_once_and_holds_for_the_beats_that_follow() -> None:
    later = beat(after("aaaaaaaa", "bbbbbbbb"), replica("q", RECORD))

    assert [wanted.overlay.avoid_nodes for wanted in later.children.sets] == [("n1",)]
    assert "NodeAvoided" not in [each.reason for each in later.announce]
    assert later.annotate == ()

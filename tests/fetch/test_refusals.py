"""Every way in which a hub says no has its own reason, and a message that says what to do."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from e2e.rig.hub.levers import Kind
from inferfleet.errors import FetchError
from inferfleet.fetch.layout import MARKER, Place
from inferfleet.fetch.outcome import MAY_PASS, MUST_ACT, exit_status
from support.hub import CONFIG, MEMBER, READER, Fetcher, RunningHub, resolved
from support.scripted_hub import COMMIT, Answer, scripted

FILES = {"echo/config.pbtxt": CONFIG, "echo/1/weights.bin": bytes(range(256)) * 8192}


def test_a_private_repository_without_a_token_asks_for_one(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES, private=True)

    outcome = fetch(at)

    assert (outcome.reason, exit_status(outcome)) == ("HubUnauthorized", MUST_ACT)
    assert "model.secretRef" in outcome.message
    assert at.name in outcome.message


@pytest.mark.parametrize("gated", ["", "manual"])
def test_a_secret_that_holds_no_token_is_named(hub: RunningHub, fetch: Fetcher, gated: str) -> None:
    at = hub.publish(FILES, private=not gated, gated=gated)

    outcome = fetch(at, secret="hub")

    assert outcome.reason == "HubUnauthorized"
    assert "Secret hub, or its key HF_TOKEN, does not exist or is empty" in outcome.message
    assert "set spec.model.secretRef" not in outcome.message
    assert ("licence" in outcome.message) == bool(gated)


def test_a_repository_that_is_not_seen_for_want_of_a_token_names_the_secret(fetch: Fetcher) -> None:
    with scripted() as mirror:
        outcome = fetch("hf://org/m", endpoint=mirror.address, secret="hub")

    assert outcome.reason == "SourceNotFound"
    assert "Secret hub, or its key HF_TOKEN, does not exist or is empty" in outcome.message
    assert "set spec.model.secretRef" not in outcome.message


def test_a_token_that_may_read_it_is_enough(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES, private=True, gated="manual")

    assert fetch(at, token=f" {MEMBER}\n").ok  # a line break at the end of a Secret's value is common


def test_a_wrong_token_is_told_apart_from_a_missing_one(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)

    outcome = fetch(at, token="hf_wrong_or_expired")

    assert outcome.reason == "HubUnauthorized"
    assert "does not accept the token" in outcome.message
    assert "HF_TOKEN" in outcome.message


@pytest.mark.parametrize("token", ["hf_a b", "hf_a\nX-Evil: 1", "hf_\u00e9"])
def test_a_token_that_cannot_be_one_is_never_sent(hub: RunningHub, fetch: Fetcher, token: str) -> None:
    at = hub.publish(FILES)

    outcome = fetch(at, token=token)

    assert outcome.reason == "HubUnauthorized"
    assert hub.asked(at) == []


def test_a_licence_that_was_not_accepted_names_the_page(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES, gated="manual")

    outcome = fetch(at, token=READER)

    assert (outcome.reason, exit_status(outcome)) == ("LicenceNotAccepted", MUST_ACT)
    assert f"{hub.address}/{at.name}" in outcome.message


def test_a_gate_is_found_without_downloading_and_without_small_files(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish({"model.gguf": b"GGUF" * 10}, gated="manual")

    with pytest.raises(FetchError) as refused:
        asyncio.run(resolved(fetch.options, at.source))

    assert refused.value.reason == "HubUnauthorized"
    assert "Accept its licence" in refused.value.message
    assert hub.sent(at) == 0


def test_a_403_of_a_gated_model_means_its_licence_even_where_a_mirror_drops_the_code(fetch: Fetcher) -> None:
    with scripted() as mirror:
        mirror.publish("org/m", FILES, gated="auto")
        mirror.answers[f"/org/m/resolve/{COMMIT}/echo/1/weights.bin"] = Answer(status=403)

        outcome = fetch("hf://org/m", endpoint=mirror.address, token=READER)

    assert outcome.reason == "LicenceNotAccepted"


def test_any_other_403_blames_the_token_or_the_way(fetch: Fetcher) -> None:
    with scripted() as mirror:
        mirror.answers["/api/models/org/m/revision/main?blobs=true"] = Answer(
            status=403, headers={"X-Error-Message": "policy\tsays no" + "x" * 5000}
        )

        outcome = fetch("hf://org/m", endpoint=mirror.address, token=READER)

    assert outcome.reason == "HubUnauthorized"
    assert '"policy says no' in outcome.message
    assert len(outcome.message) < 600


@pytest.mark.parametrize("token", ["", READER])
def test_a_missing_repository(hub: RunningHub, fetch: Fetcher, token: str) -> None:
    outcome = fetch("hf://org/there-is-none", token=token)

    # like the real one, the hub tells nobody without a token what is missing and what is private
    assert outcome.reason == ("SourceNotFound" if token else "HubUnauthorized")
    assert "org/there-is-none" in outcome.message
    assert "model.source" in outcome.message


def test_a_missing_revision(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)

    outcome = fetch(at, revision="v9")

    assert (outcome.reason, exit_status(outcome)) == ("RevisionNotFound", MUST_ACT)
    assert "'v9'" in outcome.message
    assert "model.revision" in outcome.message


def test_a_mirror_without_codes_is_asked_whether_the_repository_is_there(fetch: Fetcher) -> None:
    with scripted() as mirror:
        assert fetch("hf://org/m", endpoint=mirror.address).reason == "SourceNotFound"

        mirror.answers["/api/models/org/m"] = Answer(b"{}")

        assert fetch("hf://org/m", endpoint=mirror.address).reason == "RevisionNotFound"


def test_a_missing_folder_says_what_there_is(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)

    outcome = fetch(f"{at.source}/ecko")

    assert (outcome.reason, exit_status(outcome)) == ("FileNotFound", MUST_ACT)
    assert "'ecko'; it has echo" in outcome.message


def test_a_file_that_is_listed_and_not_there(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)

    with hub.pull(Kind.NO_FILE, at, path="*.bin"):
        outcome = fetch(at)

    assert outcome.reason == "FileNotFound"
    assert "echo/1/weights.bin" in outcome.message


def test_an_empty_repository(fetch: Fetcher) -> None:
    with scripted() as mirror:
        mirror.publish("org/m", {})

        assert fetch("hf://org/m", endpoint=mirror.address).reason == "SourceEmpty"


@pytest.mark.parametrize("kind", [Kind.CORRUPT_SHA, Kind.CORRUPT_CONTENT])
def test_a_wrong_checksum_names_the_file_and_removes_it(hub: RunningHub, fetch: Fetcher, kind: Kind) -> None:
    at = hub.publish(FILES)

    with hub.pull(kind, at, path="*.bin"):
        outcome = fetch(at)

    assert (outcome.reason, exit_status(outcome)) == ("ChecksumMismatch", MAY_PASS)
    assert "echo/1/weights.bin" in outcome.message
    place = fetch.place(at)
    assert not (place / "echo/1/weights.bin").exists()
    assert not (place / MARKER).exists()
    assert not Place(place.parent, at.commit).partial("echo/1/weights.bin").exists()
    assert fetch(at).ok  # the next attempt starts clean


def test_a_small_file_is_proven_too(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)

    with hub.pull(Kind.CORRUPT_CONTENT, at, path="*.pbtxt"):
        outcome = fetch(at)
        with pytest.raises(FetchError) as refused:
            asyncio.run(resolved(fetch.options, at.source))

    assert outcome.reason == refused.value.reason == "ChecksumMismatch"


def test_more_bytes_than_listed_are_not_taken(fetch: Fetcher) -> None:
    with scripted() as mirror:
        mirror.publish("org/m", {"model.gguf": b"GGUF"})
        mirror.answers[f"/org/m/resolve/{COMMIT}/model.gguf"] = Answer(b"GGUF and more")

        outcome = fetch("hf://org/m", endpoint=mirror.address)

    assert outcome.reason == "ChecksumMismatch"
    assert "has more bytes" in outcome.message


def test_trouble_that_passes_is_waited_for(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)

    with hub.pull(Kind.SERVER_ERROR, at, times=3):
        assert fetch(at).ok

    assert fetch.pauses == [0.75, 1.5, 3.0]


def test_retry_after_is_honoured(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)

    with hub.pull(Kind.RATE_LIMIT, at, value=17, times=1):
        assert fetch(at).ok

    assert fetch.pauses == [17.75]


@pytest.mark.parametrize(("kind", "status"), [(Kind.SERVER_ERROR, "500"), (Kind.RATE_LIMIT, "429")])
def test_trouble_that_stays_is_given_up(hub: RunningHub, fetch: Fetcher, kind: Kind, status: str) -> None:
    at = hub.publish(FILES)

    with hub.pull(kind, at, value=9):
        outcome = fetch(at)

    assert (outcome.reason, exit_status(outcome)) == ("HubUnavailable", MAY_PASS)
    assert status in outcome.message
    assert len(hub.asked(at)) == fetch.options.persistence.attempts


def test_a_hub_that_cannot_be_reached(fetch: Fetcher) -> None:
    outcome = fetch("hf://org/m", endpoint="http://127.0.0.1:1")

    assert (outcome.reason, exit_status(outcome)) == ("HubUnavailable", MAY_PASS)
    assert "127.0.0.1:1" in outcome.message
    assert "egress" in outcome.message


def test_a_connection_that_is_always_cut(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)

    with hub.pull(Kind.CUT, at, value=1 << 20, path="*.bin"):
        outcome = fetch(at)

    assert (outcome.reason, exit_status(outcome)) == ("ConnectionLost", MAY_PASS)
    assert "1.0 MiB of the file are kept" in outcome.message
    cut = [entry for entry in hub.asked(at) if entry["cdn"]]
    assert len(cut) == fetch.options.persistence.attempts


def test_a_server_that_says_nothing_is_left(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)
    impatient = replace(fetch.options.persistence, silence=0.2, attempts=2)

    with hub.pull(Kind.HANG, at, value=1 << 20, path="*.bin", times=1):
        outcome = fetch(at, persistence=impatient)
        assert outcome.ok

    with hub.pull(Kind.HANG, at, value=0, path="*.bin"):
        outcome = fetch(at, persistence=impatient, cache=fetch.fresh())
    assert outcome.reason == "ConnectionLost"
    assert "no byte came for too long" in outcome.message


def test_a_listing_that_makes_no_sense(fetch: Fetcher) -> None:
    for body in (b"", b"<html>", b'{"sha": "main", "siblings": []}', b'{"siblings": [{"rfilename": "a", "size": -1}]}'):
        with scripted() as mirror:
            mirror.answers["/api/models/org/m/revision/main?blobs=true"] = Answer(body)

            outcome = fetch("hf://org/m", endpoint=mirror.address)

        assert outcome.reason == "HubUnavailable"
        assert "no listing that can be read" in outcome.message


def test_another_commit_than_the_one_asked_for_is_not_taken(fetch: Fetcher) -> None:
    with scripted() as mirror:
        mirror.publish("org/m", FILES)
        listing = mirror.answers["/api/models/org/m/revision/main?blobs=true"]
        mirror.answers[f"/api/models/org/m/revision/{'a' * 40}?blobs=true"] = listing

        outcome = fetch("hf://org/m", endpoint=mirror.address, revision="a" * 40)

    assert outcome.reason == "HubUnavailable"
    assert "when aaaa" in outcome.message

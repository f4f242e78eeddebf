"""What a hub, a mirror or a stranger between them may try: nothing is written astray, and no token goes astray."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from inferfleet.errors import FetchError
from inferfleet.fetch.layout import MARKER, Place
from inferfleet.fleet.names import source_directory
from support.hub import CONFIG, MEMBER, Fetcher, resolved
from support.scripted_hub import COMMIT, Answer, described, scripted

FILES = {"echo/config.pbtxt": CONFIG, "echo/1/model.py": b"x = 1\n"}
FILE = f"/org/m/resolve/{COMMIT}/echo/1/model.py"
LISTING = "/api/models/org/m/revision/main?blobs=true"


def root(fetch: Fetcher) -> Path:
    return fetch.options.cache / source_directory("hf://org/m") / COMMIT


@pytest.mark.parametrize(
    "name",
    [
        "../out", "a/../../out", "/etc/out", "a//b", "./a", "a/.", "", "a\0b", "a\nb", "a\\..\\out",
        ".inferfleet-complete.json", ".inferfleet-partial/x", "x" * 256, "/".join(["long"] * 300), "\ud800",
    ],
)  # fmt: skip
def test_a_listing_with_a_name_that_leads_astray_is_refused_whole(fetch: Fetcher, tmp_path: Path, name: str) -> None:
    before = {path for path in tmp_path.rglob("*") if path.name != "message"}
    with scripted() as hub:
        hub.publish("org/m", FILES | {name: b"evil"})

        outcome = fetch("hf://org/m", endpoint=hub.address)

    assert outcome.reason in {"PathRefused", "HubUnavailable"}  # a lone surrogate is no JSON that can be read
    assert {path for path in tmp_path.rglob("*") if path.name != "message"} == before
    assert hub.paths() == [LISTING] * len(hub.asked)


@pytest.mark.parametrize("also", [{"echo": b"a file"}, {"echo/1/model.py/below": b"x"}], ids=["above", "below"])
def test_a_file_cannot_be_a_directory_too(fetch: Fetcher, also: dict[str, bytes]) -> None:
    with scripted() as hub:
        hub.publish("org/m", FILES | also)

        assert fetch("hf://org/m", endpoint=hub.address).reason == "SourceUnusable"


def test_a_file_that_is_listed_twice_is_refused(fetch: Fetcher) -> None:
    with scripted() as hub:
        hub.publish("org/m", FILES)
        listing = {"sha": COMMIT, "siblings": [described("a", b"1"), described("a", b"2")]}
        hub.answers[LISTING] = Answer(json.dumps(listing).encode())

        assert fetch("hf://org/m", endpoint=hub.address).reason == "SourceUnusable"


def test_a_redirect_to_another_host_goes_without_the_token(fetch: Fetcher) -> None:
    with scripted() as hub, scripted() as storage:
        hub.publish("org/m", FILES)
        storage.answers["/signed?X=%2F"] = Answer(b"x = 1\n")
        hub.answers[FILE] = Answer(status=302, headers={"Location": f"{storage.address}/signed?X=%2F"})

        outcome = fetch("hf://org/m", endpoint=hub.address, token=MEMBER)

    assert outcome.ok
    assert storage.paths() == ["/signed?X=%2F"]  # to the letter: it is signed
    assert storage.tokens() == set()
    assert hub.tokens() == {f"Bearer {MEMBER}"}


def test_a_redirect_within_the_hub_keeps_the_token(fetch: Fetcher) -> None:
    with scripted() as hub:
        hub.publish("org/new-name", FILES)
        hub.answers[LISTING] = Answer(
            status=307, headers={"Location": "/api/models/org/new-name/revision/main?blobs=true"}
        )
        for path in FILES:
            moved = f"/org/new-name/resolve/{COMMIT}/{path}"
            hub.answers[f"/org/m/resolve/{COMMIT}/{path}"] = Answer(status=307, headers={"Location": moved})

        outcome = fetch("hf://org/m", endpoint=hub.address, token=MEMBER)

    assert outcome.ok
    assert all("Authorization" in headers for _, _, headers in hub.asked)


def test_a_stranger_cannot_send_the_token_back_to_the_hub(fetch: Fetcher) -> None:
    with scripted() as hub, scripted() as storage:
        hub.publish("org/m", FILES)
        hub.answers[FILE] = Answer(status=302, headers={"Location": f"{storage.address}/x"})
        storage.answers["/x"] = Answer(status=302, headers={"Location": f"{hub.address}/api/whoami"})
        hub.answers["/api/whoami"] = Answer(b"x = 1\n")

        assert fetch("hf://org/m", endpoint=hub.address, token=MEMBER).ok

    (asked,) = [headers for _, path, headers in hub.asked if path == "/api/whoami"]
    assert "Authorization" not in asked


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://[", "javascript:x", "//"])
def test_a_redirect_to_something_else_is_refused(fetch: Fetcher, location: str) -> None:
    with scripted() as hub:
        hub.publish("org/m", FILES)
        hub.answers[FILE] = Answer(status=302, headers={"Location": location})

        assert fetch("hf://org/m", endpoint=hub.address).reason == "RedirectRefused"


def test_a_circle_of_redirects_ends(fetch: Fetcher) -> None:
    with scripted() as hub:
        hub.publish("org/m", FILES)
        hub.answers[FILE] = Answer(status=302, headers={"Location": FILE})

        assert fetch("hf://org/m", endpoint=hub.address).reason == "RedirectRefused"

    assert hub.paths().count(FILE) < 12


def test_a_refusal_by_the_storage_host_is_asked_about_again(fetch: Fetcher) -> None:
    with scripted() as hub, scripted() as storage:
        hub.publish("org/m", FILES)
        storage.answers["/x"] = Answer(b"<Error>expired</Error>", status=403)
        hub.answers[FILE] = Answer(status=302, headers={"Location": f"{storage.address}/x"})

        outcome = fetch("hf://org/m", endpoint=hub.address, token=MEMBER)

    assert outcome.reason == "HubUnavailable"
    assert "storage host behind it answered 403" in outcome.message
    assert hub.paths().count(FILE) == fetch.options.persistence.attempts  # a fresh signature each time


def test_a_server_that_does_not_know_ranges_begins_anew(fetch: Fetcher) -> None:
    body = bytes(range(256)) * 40
    with scripted() as hub:
        hub.publish("org/m", {"model.gguf": body})
        _leave_partial(fetch, body[:5000])

        outcome = fetch("hf://org/m", endpoint=hub.address)

    assert outcome.ok
    assert hub.asked[-1][2]["Range"] == "bytes=5000-"
    assert (root(fetch) / "model.gguf").read_bytes() == body


@pytest.mark.parametrize(("status", "headers"), [(206, {}), (206, {"Content-Range": "bytes 7-10239/10240"}), (416, {})])
def test_an_answer_for_other_bytes_is_not_taken(fetch: Fetcher, status: int, headers: dict[str, str]) -> None:
    body = bytes(range(256)) * 40
    with scripted() as hub:
        hub.publish("org/m", {"model.gguf": body})
        _leave_partial(fetch, body[:5000])
        hub.answers[f"/org/m/resolve/{COMMIT}/model.gguf"] = Answer(body, status=status, headers=headers)

        outcome = fetch("hf://org/m", endpoint=hub.address)

    assert outcome.ok == (status == 206)  # asked again from the start, 206 for the whole is as good as 200
    assert "Range" not in hub.asked[-1][2]


def test_a_mirror_below_a_path_is_asked_there(fetch: Fetcher) -> None:
    with scripted() as hub:
        hub.publish("org/m", FILES, prefix="/artifactory/api/huggingfaceml/remote")

        assert fetch("hf://org/m", endpoint=f"{hub.address}/artifactory/api/huggingfaceml/remote/").ok

    assert {path.split("/org/m")[0] for path in hub.paths()} == {
        "/artifactory/api/huggingfaceml/remote/api/models",
        "/artifactory/api/huggingfaceml/remote",
    }


def test_sizes_and_checksums_that_a_mirror_leaves_out_are_asked_for(fetch: Fetcher) -> None:
    with scripted() as hub:
        hub.publish("org/m", FILES)
        bare = [{"rfilename": path} for path in FILES]
        hub.answers[LISTING] = Answer(json.dumps({"sha": COMMIT, "siblings": bare}).encode())
        assert fetch("hf://org/m", endpoint=hub.address).reason == "ListingIncomplete"
        for path, body in FILES.items():
            etag = {"ETag": f'"{described(path, body)["blobId"]}"'}
            hub.answers[f"/org/m/resolve/{COMMIT}/{path}"] = Answer(body, headers=etag)

        outcome = fetch("hf://org/m", endpoint=hub.address)

    assert outcome.ok
    assert (root(fetch) / "echo/1/model.py").read_bytes() == b"x = 1\n"


@pytest.mark.parametrize(
    "endpoint",
    ["ftp://hub", "hub.example", "https://me:secret@hub", "https://hub?x=1", "https://hub#x", "", "http://["],
)
def test_an_endpoint_that_is_none_is_refused_without_its_password(fetch: Fetcher, endpoint: str) -> None:
    outcome = fetch("hf://org/m", endpoint=endpoint)

    assert outcome.reason == "EndpointInvalid"
    assert "secret" not in outcome.message


def test_a_config_that_is_no_text_or_too_long_is_refused(fetch: Fetcher) -> None:
    for body in (b"\xff\xfe", b"a\0b", b"x" * 70_000, b"x" * 400_000):
        with scripted() as hub:
            hub.publish("org/m", FILES | {"echo/config.pbtxt": body})

            with pytest.raises(FetchError) as refused:
                asyncio.run(resolved(fetch.options.__class__(source="", endpoint=hub.address), "hf://org/m"))
            outcome = fetch("hf://org/m", endpoint=hub.address, cache=fetch.fresh())

        assert refused.value.reason == outcome.reason == "SourceUnusable"


def test_a_marker_is_never_taken_from_the_hub(fetch: Fetcher) -> None:
    with scripted() as hub:
        hub.publish("org/m", FILES | {f"sub/{MARKER}": b"{}"})

        assert fetch("hf://org/m", endpoint=hub.address).ok
        assert fetch("hf://org/m/sub", endpoint=hub.address).reason == "PathRefused"


def _leave_partial(fetch: Fetcher, body: bytes) -> None:
    path = Place(root(fetch).parent, COMMIT).partial("model.gguf")
    path.parent.mkdir(parents=True)
    path.write_bytes(body)

"""Sources, addresses, answers, listings and texts, without a network or a disk."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from inferfleet.api.spec import SOURCE_PATTERN
from inferfleet.errors import FetchError
from inferfleet.fetch import answers, failures, sources, text
from inferfleet.fetch.answers import Answer
from inferfleet.fetch.failures import Subject, Transient
from inferfleet.fetch.listing import parse_listing, within
from inferfleet.fetch.options import FetchOptions, Proxies
from inferfleet.fetch.sources import ClaimSource, HubSource, check_path, check_revision, last_name, parse_source
from inferfleet.fetch.urls import Hop, parse_endpoint, proxy_for

SUBJECT = Subject("org/m", "main", "https://hub.example", "hub.example")


@pytest.mark.parametrize(
    ("source", "parsed", "name"),
    [
        ("hf://org/model", HubSource("org/model"), "model"),
        ("hf://org/model/a/b", HubSource("org/model", "a/b"), "b"),
        ("pvc://claim", ClaimSource("claim"), "claim"),
        ("pvc://claim/a/b", ClaimSource("claim", "a/b"), "b"),
    ],
)
def test_a_source_is_taken_apart(source: str, parsed: HubSource | ClaimSource, name: str) -> None:
    assert parse_source(source) == parsed
    assert last_name(parsed) == name


@pytest.mark.parametrize(
    "source",
    [
        "", "hf://org", "hf://org/model/", "hf://org/model/../x", "hf://org/model/.git", "hf://org/model\n",
        "hf://org//model", "https://org/model", "pvc://Claim", "pvc://claim/../x", "hf://org/m\0",
        "hf://o/" + "x" * 600,
    ],
)  # fmt: skip
def test_a_source_that_is_none_is_refused(source: str) -> None:
    with pytest.raises(FetchError) as refused:
        parse_source(source)

    assert refused.value.reason == "SourceInvalid"
    assert len(refused.value.message) < 300


def test_the_step_allows_what_the_api_allows() -> None:
    assert sources.PATTERN == SOURCE_PATTERN


@pytest.mark.parametrize("revision", ["a b", "a\n", "../x", "a/../b", "-x", "\0", "x" * 129, "a?b"])
def test_a_revision_that_is_none_is_refused(revision: str) -> None:
    with pytest.raises(FetchError) as refused:
        check_revision(revision)
    assert refused.value.reason == "RevisionNotFound"


def test_no_revision_means_main() -> None:
    assert [check_revision(one) for one in ("", "refs/pr/1", "v1.0")] == ["main", "refs/pr/1", "v1.0"]


@given(st.text(max_size=40))
def test_a_path_that_passes_stays_below_its_root(path: str) -> None:
    try:
        checked = check_path(path)
    except FetchError:
        return
    assert checked == path
    assert not path.startswith("/")
    assert not {"", ".", ".."} & set(path.split("/"))
    assert "\0" not in path


def test_addresses_are_quoted_and_keep_the_mirrors_path() -> None:
    mirror = parse_endpoint("https://mirror.example:8443/api/hf/")

    assert str(mirror.revision("org/m", "refs/pr/1")) == (
        "https://mirror.example:8443/api/hf/api/models/org/m/revision/refs%2Fpr%2F1?blobs=true"
    )
    assert str(mirror.file("org/m", "c0ffee", "a b/#1?%2F\u00e9.bin")) == (
        "https://mirror.example:8443/api/hf/org/m/resolve/c0ffee/a%20b/%231%3F%252F%C3%A9.bin"
    )
    assert mirror.host == "mirror.example:8443"


@pytest.mark.parametrize(
    ("location", "leads", "at_hub"),
    [
        ("/other", "https://hub.example/other", True),
        ("https://hub.example/x?a=%2F", "https://hub.example/x?a=%2F", True),
        ("https://hub.example:444/x", "https://hub.example:444/x", False),
        ("https://evil.example/x", "https://evil.example/x", False),
        ("//evil.example/x", "https://evil.example/x", False),
        ("https://me:you@evil.example/x", "https://evil.example/x", False),
        ("https://hub.example.evil.example/", "https://hub.example.evil.example/", False),
    ],
)
def test_a_redirect_keeps_the_token_only_within_the_origin(location: str, leads: str, *, at_hub: bool) -> None:
    hop = Hop(URL("https://hub.example/a/b")).follow(location)

    assert (str(hop.url), hop.at_hub) == (leads, at_hub)
    assert not hop.follow("https://hub.example/back").at_hub or at_hub


@pytest.mark.parametrize(
    ("url", "none_for", "proxy"),
    [
        ("https://hub.example/x", "", "http://tls-proxy"),
        ("http://hub.example/x", "", "http://plain-proxy"),
        ("https://hub.example/x", "other.example,hub.example", None),
        ("https://hub.example/x", ".example", None),
        ("https://hub.example/x", "*.example", None),
        ("https://hub.example/x", "ample", "http://tls-proxy"),
        ("https://hub.example/x", "*", None),
        ("https://hub.example:8443/x", "hub.example:8443", None),
        ("https://hub.example/x", "hub.example:8443", "http://tls-proxy"),
        ("https://10.1.2.3/x", "10.0.0.0/8", None),
        ("https://11.1.2.3/x", "10.0.0.0/8", "http://tls-proxy"),
        ("https://[fd00::1]/x", "fd00::/8", None),
    ],
)
def test_the_proxy_is_the_one_that_is_named(url: str, none_for: str, proxy: str | None) -> None:
    assert proxy_for(URL(url), Proxies("http://tls-proxy", "http://plain-proxy", none_for)) == proxy
    assert proxy_for(URL(url), Proxies(none_for=none_for)) is None


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(200), None),
        (Answer(206), None),
        (Answer(401), "HubUnauthorized"),
        (Answer(401, code="GatedRepo"), "HubUnauthorized"),
        (Answer(403, code="GatedRepo"), "LicenceNotAccepted"),
        (Answer(403), "HubUnauthorized"),
        (Answer(404), "SourceNotFound"),
        (Answer(404, code="RepoNotFound"), "SourceNotFound"),
        (Answer(404, code="RevisionNotFound"), "RevisionNotFound"),
        (Answer(404, code="EntryNotFound"), "FileNotFound"),
        (Answer(400), "busy"),
        (Answer(429), "busy"),
        (Answer(503), "busy"),
        (Answer(403, at_hub=False), "busy"),
        (Answer(404, at_hub=False), "busy"),
    ],
)
def test_every_answer_is_judged(answer: Answer, reason: str | None) -> None:
    found = answers.trouble(answer, SUBJECT)

    assert (found.kind if isinstance(found, Transient) else found and found.reason) == reason


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"Retry-After": "17"}, 17.0),
        ({"Retry-After": "99999999999999999999"}, 300.0),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Wed, 25 Nov 2026 10:00:30 GMT", "Date": "Wed, 25 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"Retry-After": "Wed, 25 Nov 2026 09:00:00 GMT", "Date": "Wed, 25 Nov 2026 10:00:00 GMT"}, 0.0),
        ({"Retry-After": "Wed, 25 Nov 2026 10:00:30 GMT"}, None),
    ],
)
def test_retry_after_is_read_without_a_clock(headers: dict[str, str], wait: float | None) -> None:
    assert answers.retry_after(headers) == wait


@given(st.integers(1, 1000), st.floats(0, 1), st.none() | st.floats(0, 300))
def test_pauses_grow_and_are_bounded(tries: int, chance: float, asked: float | None) -> None:
    pause = answers.pause(tries, 1.0, chance, asked)

    assert 0.5 + (asked or 0) <= pause <= 60 + (asked or 0)
    assert pause <= answers.pause(tries + 1, 1.0, chance, asked)


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ({"license": "apache-2.0"}, "apache-2.0"),
        ({"license": ["mit", "bsd"]}, "mit, bsd"),
        ({"license": "other", "license_name": "llama3.1"}, "llama3.1"),
        ({"license": {"x": 1}}, ""),
        ({"license": "a\nb" + "x" * 500}, "a b" + "x" * 249 + "\u2026"),
        (None, ""),
    ],
)
def test_the_licence_comes_from_the_card(card: object, licence: str) -> None:
    listing = parse_listing(json.dumps({"sha": "a" * 40, "siblings": [], "cardData": card}).encode())

    assert listing.licence == licence


def test_large_files_are_proven_by_sha256_and_small_ones_by_their_git_blob() -> None:
    siblings = [
        {"rfilename": "large", "size": 3, "blobId": "b" * 40, "lfs": {"sha256": "a" * 64, "size": 3, "pointerSize": 9}},
        {"rfilename": "by oid", "lfs": {"oid": "a" * 64, "size": 4}},
        {"rfilename": "small", "size": 5, "blobId": "c" * 40},
        {"rfilename": "bare"},
    ]

    listing = parse_listing(json.dumps({"sha": "a" * 40, "siblings": siblings}).encode())

    assert [(one.size, one.expected[:1], one.provable) for one in listing.files] == [
        (3, "a", True), (4, "a", True), (5, "c", True), (None, "", False),
    ]  # fmt: skip


def test_a_folder_with_the_beginning_of_another_name_is_not_taken_for_it() -> None:
    siblings = [{"rfilename": name, "size": 1, "blobId": "c" * 40} for name in ("model/a", "model-2/b", "model")]
    listing = parse_listing(json.dumps({"sha": "a" * 40, "siblings": siblings}).encode())

    assert [(one.path, one.remote) for one in within(listing, "hf://org/m", "model").files] == [("a", "model/a")]


@given(st.text(max_size=400), st.integers(2, 100))
def test_text_that_is_shown_is_one_short_line(line: str, limit: int) -> None:
    shown = text.plain(line, limit)

    assert len(shown) <= limit
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e]", shown)


def test_a_full_disk_names_a_size_that_is_enough() -> None:
    gib = 1 << 30

    full = failures.disk_full(needed=15 * gib, free=2 * gib, capacity=20 * gib)

    assert "cache.size to at least 35Gi" in full.message  # 18 in use, 15 to come, 5 % for the file system


def test_no_representation_shows_a_secret() -> None:
    options = FetchOptions("hf://a/b", token="hf_canary", proxies=Proxies("http://u:canary@p", "http://u:canary@p"))

    assert "canary" not in repr(options)
    assert "canary" not in str(options)

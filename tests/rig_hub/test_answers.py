"""The hub byte by byte: ranges, redirects, refusals and levers as a client on a bare socket sees them."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from e2e.rig.hub.levers import Kind, Lever
from e2e.rig.hub.server import READER
from e2e.rig.hub.store import Repository
from rig_hub.conftest import LARGE, NAME, SMALL, Running

WEIGHTS = "tiny/1/weights.bin"
CONFIG = "tiny/config.pbtxt"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and whether it ended before it was whole."""

    status: int
    headers: dict[str, str]
    body: bytes
    short: bool = False


def get(url: str, method: str = "GET", **headers: str) -> Answer:
    """Ask without following anything."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, parts._replace(scheme="", netloc="").geturl(), headers=named)
    answer = connection.getresponse()
    try:
        return Answer(answer.status, dict(answer.headers), answer.read())
    except http.client.IncompleteRead as cut:
        return Answer(answer.status, dict(answer.headers), cut.partial, short=True)
    finally:
        connection.close()


def content(hub: Running, **headers: str) -> Answer:
    """Ask for the large file where the redirect leads."""
    return get(get(f"{hub.address}/{NAME}/resolve/main/{WEIGHTS}").headers["Location"], **headers)


def test_a_small_file_is_answered_where_it_is_asked_for(hub: Running) -> None:
    answer = get(f"{hub.address}/{NAME}/resolve/main/{CONFIG}")

    assert (answer.status, answer.body) == (200, SMALL)
    assert answer.headers["X-Repo-Commit"] == hub.commit


def test_a_large_file_is_described_before_it_is_redirected(hub: Running) -> None:
    answer = get(f"{hub.address}/{NAME}/resolve/main/{WEIGHTS}", "HEAD")

    assert answer.status == 302
    assert answer.headers["X-Linked-Size"] == str(len(LARGE))
    assert answer.headers["X-Linked-ETag"] == answer.headers["ETag"]
    assert answer.headers["X-Repo-Commit"] == hub.commit


def test_the_second_origin_asks_for_the_signature_and_not_for_a_token(hub: Running) -> None:
    location = get(f"{hub.address}/{NAME}/resolve/main/{WEIGHTS}", Authorization=f"Bearer {READER}").headers["Location"]

    assert get(location).body == LARGE
    assert get(location.split("?")[0]).status == 403
    asked = [(entry["cdn"], entry["authorized"]) for entry in hub.control.log()]
    assert asked == [(False, True), (True, False), (True, False)]


def test_a_range_is_answered_in_part_and_counted_to_the_byte(hub: Running) -> None:
    answer = content(hub, Range="bytes=1000-1999")

    assert (answer.status, answer.body) == (206, LARGE[1000:2000])
    assert answer.headers["Content-Range"] == f"bytes 1000-1999/{len(LARGE)}"
    assert hub.control.sent(NAME, WEIGHTS) == 1000


def test_a_range_behind_the_end_is_refused_with_the_size(hub: Running) -> None:
    answer = content(hub, Range=f"bytes={len(LARGE)}-")

    assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{len(LARGE)}")


def test_a_range_of_other_content_starts_anew(hub: Running) -> None:
    answer = content(hub, Range="bytes=1000-", If_Range='"other"')

    assert (answer.status, answer.body) == (200, LARGE)


def test_a_cut_ends_every_answer_before_its_byte_until_it_is_released(hub: Running) -> None:
    with hub.control.pulled(Kind.CUT, 5000, path=WEIGHTS):
        first = content(hub)
        second = content(hub, Range="bytes=5000-")
    third = content(hub, Range="bytes=5000-")

    assert (first.short, first.body) == (True, LARGE[:5000])
    assert (second.short, second.body) == (True, b"")
    assert (third.short, third.body) == (False, LARGE[5000:])


def test_a_cut_after_some_bytes_lets_every_resume_come_further(hub: Running) -> None:
    with hub.control.pulled(Kind.CUT_AFTER, 5000, path=WEIGHTS):
        second = content(hub, Range="bytes=5000-")

    assert (second.short, second.body) == (True, LARGE[5000:10000])


def test_a_lever_that_is_meant_once_is_gone_after_that(hub: Running) -> None:
    hub.control.pull(Lever(Kind.SERVER_ERROR, path=CONFIG, times=1))
    url = f"{hub.address}/{NAME}/resolve/main/{CONFIG}"

    assert [get(url).status, get(url).status] == [500, 200]


def test_a_lever_leaves_other_files_and_repositories_alone(hub: Running) -> None:
    hub.control.pull(Lever(Kind.SERVER_ERROR, repository="inferfleet/other"))
    hub.control.pull(Lever(Kind.SERVER_ERROR, path=WEIGHTS))

    assert get(f"{hub.address}/{NAME}/resolve/main/{CONFIG}").status == 200
    assert get(f"{hub.address}/{NAME}/resolve/main/{WEIGHTS}").status == 500


def test_wrong_content_differs_in_one_byte_and_keeps_its_checksum(hub: Running) -> None:
    with hub.control.pulled(Kind.CORRUPT_CONTENT, path=WEIGHTS):
        wrong = content(hub)

    different = [at for at, (a, b) in enumerate(zip(wrong.body, LARGE, strict=True)) if a != b]
    assert different == [len(LARGE) // 2]
    assert wrong.headers["ETag"] == content(hub).headers["ETag"]


def test_a_wrong_checksum_is_told_everywhere_while_the_content_is_right(hub: Running) -> None:
    def told() -> tuple[str, str]:
        info = get(f"{hub.address}/api/models/{NAME}/revision/main?blobs=true")
        siblings = {one["rfilename"]: one for one in json.loads(info.body)["siblings"]}
        head = get(f"{hub.address}/{NAME}/resolve/main/{WEIGHTS}", "HEAD")
        return siblings[WEIGHTS]["lfs"]["sha256"], head.headers["X-Linked-ETag"].strip('"')

    right = told()
    with hub.control.pulled(Kind.CORRUPT_SHA, path=WEIGHTS):
        wrong = told()
        body = content(hub).body

    assert right[0] == right[1] != wrong[0] == wrong[1]
    assert body == LARGE


@pytest.mark.parametrize(
    ("lever", "status", "code", "header"),
    [
        (Lever(Kind.UNAUTHORIZED), 401, None, ("X-Error-Message", "Invalid credentials in Authorization header")),
        (Lever(Kind.GATED), 403, "GatedRepo", None),
        (Lever(Kind.NO_REPOSITORY), 404, "RepoNotFound", None),
        (Lever(Kind.NO_REVISION), 404, "RevisionNotFound", ("X-Error-Message", "Invalid rev id: main")),
        (Lever(Kind.NO_FILE), 404, "EntryNotFound", None),
        (Lever(Kind.SERVER_ERROR), 500, None, None),
        (Lever(Kind.RATE_LIMIT, 7), 429, None, ("Retry-After", "7")),
    ],
)
def test_each_refusal_has_the_hubs_status_and_code(
    hub: Running, lever: Lever, status: int, code: str | None, header: tuple[str, str] | None
) -> None:
    hub.control.pull(lever)

    answer = get(f"{hub.address}/api/models/{NAME}/revision/main")

    assert (answer.status, answer.headers.get("X-Error-Code")) == (status, code)
    assert json.loads(answer.body)["error"] == answer.headers["X-Error-Message"]
    assert header is None or answer.headers[header[0]] == header[1]


def test_an_unknown_token_is_refused_even_where_none_is_needed(hub: Running) -> None:
    answer = get(f"{hub.address}/api/models/{NAME}", Authorization="Bearer hf_wrong")

    assert (answer.status, answer.headers["X-Error-Message"]) == (401, "Invalid credentials in Authorization header")


def test_a_branch_moves_and_commits_stay(hub: Running, content: Path) -> None:
    (content / CONFIG).write_bytes(b"max_batch_size: 8\n")
    later = hub.control.publish(Repository(NAME), content)
    first = get(f"{hub.address}/{NAME}/resolve/{hub.commit}/{CONFIG}")
    moved = get(f"{hub.address}/{NAME}/resolve/main/{CONFIG}")
    hub.control.move(NAME, "main", hub.commit)
    back = get(f"{hub.address}/{NAME}/resolve/main/{CONFIG}")

    assert (first.body, moved.body, back.body) == (SMALL, b"max_batch_size: 8\n", SMALL)
    assert moved.headers["X-Repo-Commit"] == later != hub.commit
    assert hub.control.refs(NAME) == {"main": hub.commit}


def test_the_same_directory_is_the_same_commit(hub: Running, content: Path) -> None:
    assert hub.store.publish(Repository(NAME), content, "again") == hub.commit


def test_a_revision_may_have_a_slash(hub: Running, content: Path) -> None:
    hub.store.publish(Repository(NAME), content, "refs/pr/1")

    assert get(f"{hub.address}/api/models/{NAME}/revision/refs%2Fpr%2F1").status == 200


def test_a_lever_that_is_not_understood_is_refused(hub: Running) -> None:
    connection = http.client.HTTPConnection(urlsplit(hub.address).netloc, timeout=10)
    connection.request("POST", "/_rig/levers", json.dumps({"kind": "slow", "speed": 1}))
    answer = connection.getresponse()

    assert (answer.status, "unknown: speed" in answer.read().decode()) == (400, True)
    connection.close()

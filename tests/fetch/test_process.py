"""The step as a process: killed, bounded, run twice at once, stopped, asked while it works."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

from e2e.rig.hub.levers import Kind
from inferfleet.fetch.layout import MARKER, PARTIAL
from inferfleet.fetch.outcome import STOPPED
from inferfleet.fleet.text import size_words
from inferfleet.fleet.weights import Outcome, Progress, Repository
from support.hub import CONFIG, Fetcher, Published, RunningHub

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
MIB = 1 << 20
LARGE = random.Random(2).randbytes(8 * MIB)
FILES = {"echo/config.pbtxt": CONFIG, "echo/1/weights.bin": LARGE}


def command(fetch: Fetcher, at: Published, **also: str) -> list[str]:
    given = {
        "source": at.source,
        "endpoint": fetch.options.endpoint,
        "cache": str(fetch.options.cache),
        "termination_message": str(fetch.options.termination_message),
    } | also
    step = str(Path(__file__).with_name("step.py"))
    return [sys.executable, step, *(f"{name}={value}" for name, value in given.items())]


@contextmanager
def running(fetch: Fetcher, at: Published, **also: str) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "operator")}
    with subprocess.Popen(
        command(fetch, at, **also), env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def arrived(place: Path) -> int:
    return sum(path.stat().st_size for path in (place / PARTIAL).glob("*.partial"))


def outcome(fetch: Fetcher) -> Outcome:
    return Outcome.model_validate_json(fetch.options.termination_message.read_bytes())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_killed_download_goes_on_where_it_was(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)
    place = fetch.place(at)
    with hub.pull(Kind.SLOW, at, value=20 * MIB), running(fetch, at) as process:
        until(lambda: arrived(place) > 4 * MIB)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
    assert not (place / MARKER).exists()
    assert not (place / "echo/1/weights.bin").exists()

    with running(fetch, at) as process:
        assert process.wait(timeout=60) == 0

    assert (place / "echo/1/weights.bin").read_bytes() == LARGE
    assert hub.sent(at) < 1.2 * sum(len(body) for body in FILES.values())


def test_a_kill_before_the_marker_has_its_name_leaves_none(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)
    with running(fetch, at, die_before_marker="yes") as process:
        assert process.wait(timeout=60) == -signal.SIGKILL
    assert not (fetch.place(at) / MARKER).exists()
    assert (fetch.place(at) / "echo/1/weights.bin").read_bytes() == LARGE
    sent = hub.sent(at)

    assert fetch(at).ok

    assert (fetch.place(at) / MARKER).exists()
    assert hub.sent(at) == sent  # nothing came over the network again


def test_two_at_once_download_once(hub: RunningHub, fetch: Fetcher, tmp_path: Path) -> None:
    at = hub.publish(FILES)
    with (
        hub.pull(Kind.SLOW, at, value=8 * MIB),
        running(fetch, at) as first,
        running(fetch, at, termination_message=str(tmp_path / "second")) as second,
    ):
        assert first.wait(timeout=60) == second.wait(timeout=60) == 0

    assert (fetch.place(at) / "echo/1/weights.bin").read_bytes() == LARGE
    total = sum(len(body) for body in FILES.values())
    downloaded = [outcome(fetch), Outcome.model_validate_json((tmp_path / "second").read_bytes())]
    assert sorted(one.bytes_downloaded for one in downloaded) == [0, total]
    assert hub.sent(at) == total


def test_the_lock_of_a_killed_holder_is_free(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)
    with (
        hub.pull(Kind.SLOW, at, value=MIB),
        running(fetch, at) as holder,
        running(fetch, at, termination_message=os.devnull) as waiter,
    ):
        until(lambda: arrived(fetch.place(at)) > 0)
        hub.control.release()
        for process in (holder, waiter):
            if process.poll() is None and _holds_lock(process, fetch.place(at)):
                process.send_signal(signal.SIGKILL)
        assert sorted([holder.wait(timeout=60), waiter.wait(timeout=60)]) == [-signal.SIGKILL, 0]

    assert (fetch.place(at) / "echo/1/weights.bin").read_bytes() == LARGE


def _holds_lock(process: subprocess.Popen[str], place: Path) -> bool:
    partials = str(place / PARTIAL)
    links = [path.readlink() for path in Path(f"/proc/{process.pid}/fd").iterdir() if path.is_symlink()]
    return any(str(link).startswith(partials) for link in links)


def test_memory_stays_bounded(hub: RunningHub, fetch: Fetcher) -> None:
    block = random.Random(3).randbytes(MIB)
    at = hub.publish({f"echo/1/part-{number}.bin": block * 50 + bytes([number]) for number in range(4)})

    with running(fetch, at, connections="4") as process:
        said, _ = process.communicate(timeout=60)

    told = json.loads(said)
    assert told["status"] == 0
    assert outcome(fetch).bytes_downloaded == 4 * (50 * MIB + 1)
    assert 0 < told["grown"] < 64 * 1024


def test_a_full_disk_is_told_with_numbers_and_what_arrived_is_kept(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)
    with running(fetch, at, largest_file=str(3 * MIB)) as process:
        assert process.wait(timeout=60) == 2
    failed = outcome(fetch)
    assert failed.reason == "DiskFull"
    assert "cache.size to at least" in failed.message
    assert arrived(fetch.place(at)) >= 3 * MIB
    assert not (fetch.place(at) / MARKER).exists()

    assert fetch(at).bytes_downloaded <= 5 * MIB + len(CONFIG)


def test_a_volume_that_is_too_small_is_told_before_a_byte_comes(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)

    failed = fetch(at, size_limit=4 * MIB)

    assert failed.reason == "DiskFull"
    assert f"{size_words(sum(len(body) for body in FILES.values()))} are still to be written" in failed.message
    assert "at least 1Gi" in failed.message
    assert hub.sent(at) == 0


def test_progress_can_be_watched_and_the_result_is_waited_for(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)
    port = free_port()
    with (
        hub.pull(Kind.SLOW, at, value=12 * MIB, path="*.bin"),
        running(fetch, at, port=str(port), bind="127.0.0.1") as process,
    ):
        until(lambda: _progress(port).bytes_done > MIB)
        seen = _progress(port)
        assert (seen.bytes_total, seen.files_total) == (len(LARGE) + len(CONFIG), 2)
        assert 0 < seen.bytes_per_second < 100 * MIB
        assert _status(port, "/result") == 503
        assert _status(port, "/healthz") == 200
        assert _status(port, "/") == _status(port, "/result/../etc/passwd") == 404
        assert _status(port, "/progress", method="POST") == _status(port, "/progress", method="HEAD") == 405
        results: list[Repository] = []
        until(lambda: bool(results) or _keep_result(port, results))

        assert process.wait(timeout=30) == 0
    assert [(found.commit, found.shape) for found in results] == [(at.commit, "triton")]


def test_a_failed_download_does_not_wait_for_a_reader(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES, private=True)

    with running(fetch, at, port=str(free_port()), bind="127.0.0.1", result_wait="300") as process:
        assert process.wait(timeout=30) == 2


def test_nobody_is_waited_for_longer_than_asked(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish({"model.gguf": b"GGUF"})

    with running(fetch, at, port=str(free_port()), bind="127.0.0.1", result_wait="1") as process:
        assert process.wait(timeout=30) == 0


def test_being_told_to_stop_keeps_what_arrived_and_says_so(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish(FILES)
    with hub.pull(Kind.SLOW, at, value=4 * MIB, path="*.bin"), running(fetch, at) as process:
        until(lambda: arrived(fetch.place(at)) > MIB)
        process.terminate()
        assert process.wait(timeout=10) == STOPPED

    assert outcome(fetch).reason == "Stopped"
    assert arrived(fetch.place(at)) > MIB


def test_a_port_that_is_taken_is_named(hub: RunningHub, fetch: Fetcher) -> None:
    at = hub.publish({"model.gguf": b"GGUF"})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        failed = fetch(at, port=taken.getsockname()[1], bind="127.0.0.1")

    assert failed.reason == "PortUnavailable"


def _progress(port: int) -> Progress:
    try:
        return Progress.model_validate_json(_get(port, "/progress"))
    except (URLError, ConnectionError):
        return Progress()


def _keep_result(port: int, results: list[Repository]) -> bool:
    try:
        results.append(Repository.model_validate_json(_get(port, "/result")))
    except HTTPError as refused:
        refused.close()
        return False
    return True


def _get(port: int, path: str, method: str = "GET") -> bytes:
    asked = Request(f"http://127.0.0.1:{port}{path}", method=method)
    with urlopen(asked, timeout=5) as answer:  # noqa: S310 - as above
        body = answer.read()
    return bytes(body)


def _status(port: int, path: str, method: str = "GET") -> int:
    try:
        _get(port, path, method)
    except HTTPError as refused:
        with refused:
            return int(refused.code)
    return 200


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")

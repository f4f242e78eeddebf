"""A canary in place of the token, and of a proxy's password, is found nowhere after any way to end."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from e2e.rig.hub.levers import Kind
from inferfleet.fetch.options import Persistence, Proxies
from support.hub import CONFIG, MEMBER, Fetcher, RunningHub
from support.scripted_hub import COMMIT, Answer, described, scripted

CANARY = "hf_canary_0123456789"
PASSWORD = "proxy-canary-98765"
FILES = {"echo/config.pbtxt": CONFIG, "echo/1/weights.bin": bytes(2 << 20)}


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def leaks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], secret: str
) -> list[str]:
    """List every place in which the secret is found."""
    texts = {
        str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()
    } | {"log": caplog.text.encode(), "output": "".join(capfd.readouterr()).encode()}
    assert texts["log"], "a test of a log that is empty shows nothing"
    return [place for place, text in texts.items() if secret.encode() in text]


@pytest.mark.parametrize("kind", list(Kind))
def test_no_lever_brings_the_token_out(
    hub: RunningHub,
    fetch: Fetcher,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    kind: Kind,
) -> None:
    at = hub.publish(FILES, private=True, gated="manual")

    with hub.pull(kind, at, value=1 << 20, times=8):
        fetch(at, token=MEMBER, persistence=Persistence(silence=0.5))

    assert leaks(tmp_path, caplog, capfd, MEMBER) == []


def test_a_hub_that_echoes_the_token_gets_it_nowhere(
    fetch: Fetcher, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    echo = {"X-Error-Message": f"no: Bearer {CANARY} " + "x" * 145 + CANARY, "X-Error-Code": CANARY}
    for status in (400, 401, 403, 404, 429, 500):
        with scripted() as hub:
            hub.answers["/api/models/org/m/revision/main?blobs=true"] = Answer(
                CANARY.encode(), status=status, headers=echo
            )
            assert not fetch("hf://org/m", endpoint=hub.address, token=CANARY).ok

    with scripted() as hub:
        hub.publish("org/m", {f"../{CANARY}": b"x"})
        assert fetch("hf://org/m", endpoint=hub.address, token=CANARY).reason == "PathRefused"
        hub.publish("org/m", {})
        hub.answers["/api/models/org/m/revision/main?blobs=true"] = Answer(
            json.dumps({"sha": CANARY, CANARY: 1, "siblings": [described(CANARY, b"x")]}).encode()
        )
        assert fetch("hf://org/m", endpoint=hub.address, token=CANARY).reason == "HubUnavailable"
        hub.publish("org/m", {"a": b"x"})
        hub.answers[f"/org/m/resolve/{COMMIT}/a"] = Answer(status=302, headers={"Location": f"ftp://{CANARY}/"})
        assert fetch("hf://org/m", endpoint=hub.address, token=CANARY).reason == "RedirectRefused"

    assert leaks(tmp_path, caplog, capfd, CANARY) == []


def test_a_fault_of_ours_does_not_bring_the_token_out(
    hub: RunningHub,
    fetch: Fetcher,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fault(*_: object) -> None:
        raise RuntimeError(f"unforeseen, with {CANARY}")

    monkeypatch.setattr("inferfleet.fetch.hub.resolve", fault)

    outcome = fetch("hf://org/m", token=CANARY)

    assert outcome.reason == "InternalError"
    assert "RuntimeError" in outcome.message
    assert "unforeseen, with ***" in caplog.text
    assert leaks(tmp_path, caplog, capfd, CANARY) == []


def test_a_proxys_password_is_shown_nowhere(
    fetch: Fetcher, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    proxies = Proxies(http=f"http://user:{PASSWORD}@127.0.0.1:1")

    outcome = fetch("hf://org/m", endpoint="http://hub.example", proxies=proxies)

    assert outcome.reason == "HubUnavailable"
    assert leaks(tmp_path, caplog, capfd, PASSWORD) == []

"""Whom the step trusts: the authorities that it was given, and the proxy that it was told of."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from inferfleet.fetch.options import Proxies
from support.hub import CONFIG, Fetcher
from support.scripted_hub import COMMIT, Answer, Scripted, scripted

FILES = {"echo/config.pbtxt": CONFIG, "echo/1/model.py": b"x = 1\n"}
FILE = f"/org/m/resolve/{COMMIT}/echo/1/model.py"


@pytest.fixture(name="tls_hub")
def _tls_hub(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    openssl = shutil.which("openssl")
    assert openssl, "openssl is among the programs that the tests need"
    key, certificate = tmp_path / "key.pem", tmp_path / "ca.crt"
    command = [
        openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=private authority", "-addext", "subjectAltName=IP:127.0.0.1",
        "-keyout", str(key), "-out", str(certificate),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate


def test_a_private_authority_is_trusted_by_its_certificate_only(
    fetch: Fetcher, tls_hub: tuple[ssl.SSLContext, Path], tmp_path: Path
) -> None:
    context, certificate = tls_hub
    with scripted(context) as hub:
        hub.publish("org/m", FILES)

        strange = fetch("hf://org/m", endpoint=hub.address, ca_file=tmp_path / "no such file")
        known = fetch("hf://org/m", endpoint=hub.address, ca_file=certificate)

    assert strange.reason == "TlsError"
    assert "ca.crt" in strange.message
    assert "self-signed" in strange.message
    assert known.ok
    assert fetch.pauses == []  # trying again would not help


def test_a_trust_anchor_that_is_none_is_named(fetch: Fetcher, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("not a certificate")

    outcome = fetch("hf://org/m", endpoint="https://127.0.0.1:1", ca_file=tmp_path / "ca.crt")

    assert outcome.reason == "TlsError"
    assert "PEM" in outcome.message


def test_a_redirect_from_https_to_http_is_refused(fetch: Fetcher, tls_hub: tuple[ssl.SSLContext, Path]) -> None:
    context, certificate = tls_hub
    with scripted(context) as hub, scripted() as storage:
        hub.publish("org/m", FILES)
        hub.answers[FILE] = Answer(status=302, headers={"Location": f"{storage.address}/x"})

        outcome = fetch("hf://org/m", endpoint=hub.address, ca_file=certificate)

    assert outcome.reason == "RedirectRefused"
    assert storage.asked == []


def test_a_proxy_is_used_when_it_is_named_and_never_because_the_environment_has_one(
    fetch: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted() as proxy, scripted() as hub:
        hub.publish("org/m", FILES)
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.address)
        assert fetch("hf://org/m", endpoint=hub.address).ok
        assert proxy.asked == []
        _behind(proxy, hub)

        through = Proxies(http=proxy.address.replace("//", "//user:pass@"))
        assert fetch("hf://org/m", endpoint="http://hub.example", cache=fetch.fresh(), proxies=through).ok

    assert {path.split("/")[2] for path in proxy.paths()} == {"hub.example"}
    assert all("Proxy-Authorization" in headers for _, _, headers in proxy.asked)


def test_a_host_that_needs_no_proxy_is_asked_directly(fetch: Fetcher) -> None:
    with scripted() as hub:
        hub.publish("org/m", FILES)

        assert fetch(
            "hf://org/m",
            endpoint=hub.address,
            proxies=Proxies(http="http://127.0.0.1:1", none_for="example.org, 127.0.0.0/8"),
        ).ok


def _behind(proxy: Scripted, hub: Scripted) -> None:
    proxy.answers = {f"http://hub.example{path}": answer for path, answer in hub.answers.items()}


@pytest.mark.parametrize(
    "address", ["socks5://me:canary@proxy:1080", "http://[canary", "proxy.example:3128", "http://"]
)
def test_a_proxy_that_is_none_is_refused_and_not_shown(fetch: Fetcher, address: str) -> None:
    outcome = fetch("hf://org/m", endpoint="https://hub.example", proxies=Proxies(https=address))

    assert outcome.reason == "ProxyInvalid"
    assert "canary" not in outcome.message

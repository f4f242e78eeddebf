"""What goes to no terminal is text as it is: not wrapped, not cut, not coloured, and it ends with a line break."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib import import_module

import pytest

from inferfleet.api.base import Json
from inferfleet.cli.cluster import Access, Seen
from inferfleet.cli.status import StatusOptions, show_status
from inferfleet.cli.why import Evidence, configuration, explain
from inferfleet.fleet.nodes import Fleet
from inferfleet.kube.client import Client
from support.fake_kube import FakeKube, ManualClock
from support.fake_kube.clients import connection_to, open_client
from support.fake_kube.manifests import config_map
from support.makers import CONFIG, node

URL = "https://hub.example/api/models/inferfleet/smollm2-triton/revision/main?blobs=true"
LONG = f"{'Needs more than there is. ' * 20}Ask {URL} again"
HERE = Access(namespace="team")


def model(reason: str = "Serving", ready: str = "True", message: str = LONG, name: str = "m") -> Seen:
    conditions = [
        {"type": kind, "status": ready, "reason": reason, "message": message}
        for kind in ("Cached", "Scheduled", "Ready")
    ]
    meta = {"name": name, "namespace": "team", "generation": 1}
    about = {"observedGeneration": 1, "conditions": conditions, "summary": {"replicas": "1/1"}}
    spec = {"model": {"source": "hf://org/m"}, "gpu": {"count": 1}}
    return Seen({"metadata": meta, "spec": spec, "status": about}, (pod_set(),), (pod("a", 1), pod("b", 2)))


def pod_set() -> Json:
    meta = {"name": "m-r", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {}}
    return {"metadata": meta, "spec": {"replicas": 2, "template": {"metadata": {"labels": {}}, "spec": {}}}}


def pod(name: str, gpus: int) -> Json:
    owner = {"uid": "u", "kind": "ReplicaSet", "name": "m-r", "controller": True}
    limits = {"limits": {"nvidia.com/gpu": str(gpus)}}
    meta = {"name": name, "uid": name, "labels": {"inferfleet.dev/role": "server"}, "ownerReferences": [owner]}
    meta |= {"creationTimestamp": "2026-01-01T00:00:00Z"}
    return {
        "metadata": meta,
        "spec": {"nodeName": "n1", "containers": [{"name": "server", "resources": limits}]},
        "status": {"phase": "Running"},
    }


def said(capsys: pytest.CaptureFixture[str]) -> str:
    out = capsys.readouterr().out
    assert out.endswith("\n")
    assert "\x1b" not in out
    assert [line for line in out.splitlines() if line != line.rstrip()] == []
    return out


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Seen]:
    """Hold what is seen one look after another."""
    found: list[Seen] = []
    # The package's own names of these modules are commands.
    module = import_module("inferfleet.cli.status")
    monkeypatch.setattr(module, "_look", lambda access, options: [found.pop(0)])
    monkeypatch.setattr(module, "TICK", 0)
    return found


def test_a_status_is_not_wrapped(looks: list[Seen], capsys: pytest.CaptureFixture[str]) -> None:
    looks.append(model())

    assert show_status(HERE, StatusOptions("m")) == 0
    assert LONG in said(capsys)


def test_gpus_are_counted_as_a_person_says_them(looks: list[Seen], capsys: pytest.CaptureFixture[str]) -> None:
    looks.append(model())

    show_status(HERE, StatusOptions("m"))
    text = said(capsys)
    assert "n1, 1 GPU  " in text
    assert "n1, 2 GPUs  " in text


def test_a_watch_says_each_change_once_and_then_the_whole(
    looks: list[Seen], capsys: pytest.CaptureFixture[str]
) -> None:
    looks += [model("Downloading", "False", LONG), model("Downloading", "False", LONG), model(message="All serve.")]

    assert show_status(HERE, StatusOptions("m", watch=True)) == 0
    lines = said(capsys).splitlines()
    assert lines[0] == f"m  Downloading  1/1  {LONG}"
    assert lines[1].startswith("m  Serving  1/1")
    assert [line for line in lines if "All serve." in line] == ["├── All serve."]


def test_a_watch_that_takes_too_long_shows_what_it_saw_last(
    looks: list[Seen], capsys: pytest.CaptureFixture[str]
) -> None:
    looks.append(model("Downloading", "False", LONG))

    assert show_status(HERE, StatusOptions("m", watch=True, timeout=0)) == 2
    assert "revision" in said(capsys)


@pytest.mark.parametrize("blind", [False, True])
def test_an_explanation_is_neither_wrapped_nor_cut(
    blind: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence = Evidence(model("Degraded"), Fleet((node("n1"),), blind=blind), CONFIG)

    def asked(access: Access, question: object) -> Evidence:
        return evidence

    monkeypatch.setattr(import_module("inferfleet.cli.why"), "ask", asked)

    assert explain(HERE, "m") == 0
    text = said(capsys)
    assert [line.split()[0] for line in text.splitlines() if line.endswith(LONG)] == [
        "Needs",
        "Cached",
        "Scheduled",
        "Ready",
    ]
    assert "1 GPU on one node for each replica\n" in text
    assert blind == ("Pods of other namespaces cannot be listed with your rights: fewer GPUs may be free.\n" in text)


@pytest.fixture
async def cluster() -> AsyncIterator[tuple[FakeKube, Client]]:
    clock = ManualClock()
    async with FakeKube(clock) as fake, open_client(connection_to(fake.url), clock.hurried) as client:
        yield fake, client


OURS = CONFIG.model_dump_json(by_alias=True)


@pytest.mark.parametrize("name", ["inferfleet", "gpus"])
async def test_the_operators_configuration_is_found_whatever_the_chart_was_named(
    name: str, cluster: tuple[FakeKube, Client]
) -> None:
    fake, client = cluster
    others = config_map("other", {"config.yaml": "a: 1"}, "other")
    others["metadata"]["labels"] = {"helm.sh/chart": "other-1.2.3"}
    ours = config_map("x", {"config.yaml": OURS}, "inferfleet-system")
    ours["metadata"]["labels"] = {"app.kubernetes.io/name": name, "helm.sh/chart": "inferfleet-0.1.0"}
    for each in (others, ours):
        fake.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": each["metadata"]["namespace"]}})
        fake.add(each)

    assert await configuration(client) == CONFIG


async def test_no_configuration_is_none(cluster: tuple[FakeKube, Client]) -> None:
    _, client = cluster

    assert await configuration(client) is None

"""Row 46: whom the operator asks, and whom it never does, whatever pods and specs say.

The one rule: every connection that the process opens is looked at, and every name that it looks up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from inferfleet.api.base import Json
from inferfleet.fleet import names
from inferfleet.serving.metrics import METRICS_PORT
from inferfleet.serving.progress import PROGRESS_PORT
from inferfleet.serving.triton import Asked, Inference
from support.fake_kube.storage import key_of
from support.fake_servers import pod_network
from support.operator_run import ANSWERED
from support.pods import role_of
from support.simulation import Simulation
from support.virtual_time import VirtualLoop

VICTIM = f"{pod_network()}.250"


@pytest.fixture
async def asked(sim: Simulation) -> list[str]:
    """Note whose models are asked."""
    found: list[str] = []

    def answer(question: Asked) -> Inference:
        found.append(question.ip)
        return ANSWERED

    sim.script = answer
    return found


def connections(sim: Simulation) -> set[tuple[str, int]]:
    """Show whom the process connected to besides the API server."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    assert [host for host in loop.resolved if host not in (None, "127.0.0.1")] == []
    return {address for address in loop.connected if address[1] != urlsplit(sim.fake.url).port}


def addresses(sim: Simulation, role: str) -> set[str]:
    """Show the addresses of a model's pods of a role."""
    return {pod["status"]["podIP"] for pod in sim.fake.all("pods") if role_of(pod) == role}


async def test_row_46_the_operator_asks_its_own_pods_at_fixed_ports_and_looks_up_no_name(
    sim: Simulation, asked: list[str]
) -> None:
    await sim.operator()
    sim.apply(replicas=2, model={"source": "hf://169.254.169.254/latest", "revision": "v1"})
    await sim.settled()
    await sim.passes(120)

    serving, downloads = addresses(sim, names.ROLE_SERVER), addresses(sim, names.ROLE_DOWNLOAD)
    assert set(asked) == serving
    assert connections(sim) == {(ip, METRICS_PORT) for ip in serving} | {(ip, PROGRESS_PORT) for ip in downloads}


@pytest.mark.parametrize("role", [names.ROLE_SERVER, names.ROLE_DOWNLOAD])
async def test_row_46_a_pod_that_only_says_that_it_is_ours_is_never_asked(
    sim: Simulation, asked: list[str], role: str
) -> None:
    await sim.operator()
    sim.apply()
    await sim.settled()
    model = sim.pods()[0]["metadata"]
    labels = {key: value for key, value in model["labels"].items() if key != "pod-template-hash"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "impostor", "labels": labels | {names.ROLE: role, names.REVISION: "00000000"}},
        "spec": {"nodeName": "n1", "containers": [{"name": "server", "image": "i"}]},
        "status": ready(VICTIM),
    }
    sim.fake.controllers.kubelets.cut_off.add("n1")
    sim.fake.add(pod)

    await sim.passes(120)

    assert VICTIM not in asked
    assert VICTIM not in {ip for ip, _ in connections(sim)}


def ready(ip: str) -> Json:
    """Write the status of a pod that is ready at an address."""
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    return {"phase": "Running", "podIP": ip, "conditions": [condition]}


@pytest.mark.parametrize("ip", ["169.254.169.254", "0.0.0.0", "224.0.0.1", "metadata.google.internal", "fe80::1"])
async def test_row_46_an_address_that_no_pod_has_is_never_asked(sim: Simulation, ip: str) -> None:
    sim.fake.controllers.kubelets.address = lambda _pod, _number: ip
    await sim.operator()
    sim.apply()

    await sim.passes(120)

    assert connections(sim) == set()
    assert sim.said("Ready")[0] == "False"


async def test_row_46_a_download_that_has_ended_is_asked_no_more_since_its_address_may_be_anothers(
    sim: Simulation,
) -> None:
    run = await sim.operator()
    sim.apply()
    await sim.settled()
    await run.kill()
    before = len(sim.downloads.asked)

    await sim.operator()
    await sim.passes(120)

    assert len(sim.downloads.asked) == before


@asynccontextmanager
async def redirecting(address: str, port: int, target: str) -> AsyncIterator[list[str]]:
    """Answer everything at an address with a way to somewhere else."""
    seen: list[str] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request.path)
        return web.Response(status=302, headers={"Location": target})

    runner = web.ServerRunner(web.Server(handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, address, port).start()
    try:
        yield seen
    finally:
        await runner.cleanup()


async def test_row_46_a_redirect_is_not_followed(sim: Simulation) -> None:
    address = f"{pod_network()}.240"
    live = sim.fake.controllers.kubelets.address
    sim.fake.controllers.kubelets.address = lambda pod, number: (
        address if role_of(pod) == names.ROLE_SERVER else live(pod, number)
    )
    async with (
        redirecting(VICTIM, METRICS_PORT, "/") as stolen,
        redirecting(address, METRICS_PORT, f"http://{VICTIM}:{METRICS_PORT}/metrics") as seen,
    ):
        await sim.operator()
        sim.apply()
        await sim.settled()
        await sim.passes(60)

    assert len(seen) >= 2
    assert stolen == []
    assert VICTIM not in {ip for ip, _ in connections(sim)}


async def test_row_46_a_spec_that_names_another_namespaces_objects_is_refused(sim: Simulation) -> None:
    sim.fake.add_namespace("victim")
    await sim.operator()
    sim.apply("a", cache={"claim": "victim/weights"})
    sim.apply("b", model={"source": "pvc://../victim"})
    sim.apply("c", model={"source": "hf://o/m", "secretRef": {"name": "victim/token"}})

    await sim.passes(30)

    assert {sim.said("Accepted", name) for name in "abc"} == {("False", "InvalidSpec")}
    assert [entry for entry in sim.fake.log if "victim" in (entry.namespace, entry.name)] == []
    assert [key_of(job) for job in sim.fake.all("jobs")] == []

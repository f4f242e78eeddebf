"""The prober and the profile against a real Triton: what it answers, what stays shut, and what a dead model looks like.

The server is started with the profile's own argv, on an address of its own.
"""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from e2e.rig.images import triton_local
from e2e.rig.images.triton_local import Server
from e2e.rig.models import weights
from e2e.rig.models.repositories import Model, lay_out
from inferfleet.engines.triton import TRITON
from inferfleet.fleet.replicas import Proof
from inferfleet.fleet.weights import RepositoryModel
from inferfleet.plan.actions import Watched
from inferfleet.render.config_pbtxt import generated
from inferfleet.serving.life import HEARTBEAT, RECHECK, Life, after_inference
from inferfleet.serving.metrics import Counts, scrape
from inferfleet.serving.prober import Prober
from inferfleet.serving.triton import Asked, Asker, Inference
from inferfleet.serving.web import Reader
from serving.fakes import Hand
from serving.frozen_client import story_request

pytestmark = [pytest.mark.triton, pytest.mark.timeout(180)]

KEY = "nobody-needs-to-know"
TESTS = Path(__file__).parents[1]
numbers = count(1)


def argv() -> tuple[str, ...]:
    """Fill in what the pod's environment fills in; the repository lies elsewhere here."""
    filled = [each.replace("$(DRAIN_SECONDS)", "5").replace("$(ADMIN_KEY)", KEY) for each in TRITON.argv({})]
    return tuple(each for each in filled if not each.startswith("--model-repository="))


def address() -> str:
    return f"127.{80 + next(numbers)}.{os.getpid() >> 8 & 255}.{os.getpid() & 255 or 1}"


def configure_as_rendered(repository: Path, name: str) -> None:
    """Write the configuration that is generated for a repository without one."""
    found = RepositoryModel(name=name, versions=(1,), files=("model.py",))
    (repository / name / "config.pbtxt").write_text(generated([found])[f"{name}.pbtxt"])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    repository = lay_out(tmp_path / "models", Model("smollm2", config=False), Model("batcher"), gguf=weights.gguf())
    configure_as_rendered(repository, "smollm2")
    with triton_local.serving(repository, address(), tmp_path / "log", argv()) as started:
        started.wait_ready("smollm2")
        yield started


class Stage:
    """A prober and the clock that moves it."""

    def __init__(self, server: Server) -> None:
        self.hand, self.woken = Hand(), list[object]()
        self.prober = Prober(self.hand, self.woken.append)
        self.server = server

    def pod(self, model: str) -> Watched:
        return Watched(f"uid-{model}", 0, self.server.address, model, "")

    async def after(self, seconds: float = 0.0) -> None:
        self.hand.now += seconds
        self.prober.rounds.start_due()
        await self.prober.rounds.settle()

    def proof(self, model: str) -> Proof:
        return self.prober.proof(f"uid-{model}", 0)


@pytest.fixture
async def stage(server: Server) -> AsyncIterator[Stage]:
    found = Stage(server)
    yield found
    await found.prober._reader.close()


async def until_quiet(server: Server, model: str) -> None:
    """Wait until the server no longer counts the question that it has answered; half a minute passes in earnest."""
    reader = Reader()
    async with asyncio.timeout(30):
        while (seen := await scrape(reader, server.address, model)) is None or seen.is_busy:  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.05)
    await reader.close()


def stub_of(server: Server, model: str) -> int:
    """Find the process that holds a model."""
    [pid] = [pid for pid in server.stubs() if f"/{model}/" in Path(f"/proc/{pid}/cmdline").read_text()]
    return pid


@pytest.mark.parametrize("dying", ["smollm2", "batcher"])
async def test_models_are_proven_and_a_dead_one_is_found_though_its_server_calls_it_ready(
    server: Server, stage: Stage, dying: str
) -> None:
    living = {"smollm2": "batcher", "batcher": "smollm2"}[dying]
    stage.prober.watch("model", [stage.pod("smollm2"), stage.pod("batcher")])
    await stage.after()
    assert stage.proof(dying) == stage.proof(living) == Proof(proven=True)

    await until_quiet(server, dying)
    os.kill(stub_of(server, dying), signal.SIGKILL)
    await stage.after(HEARTBEAT)
    assert not stage.proof(dying).dead
    await stage.after(RECHECK)

    assert stage.proof(dying).dead
    assert "not healthy" in stage.proof(dying).error
    assert stage.proof(living) == Proof(proven=True)
    assert server.status(f"/v2/models/{dying}/ready") == 200
    assert server.status("/v2/health/live") == 200


def http_status(server: Server, path: str, method: str) -> int:
    connection = HTTPConnection(server.address, 8000, timeout=5)
    connection.request(method, path, body="{}" if method == "POST" else None)
    status = connection.getresponse().status
    connection.close()
    return status


ADMIN_PATHS = [
    ("POST", "/v2/repository/index"),
    ("POST", "/v2/repository/models/batcher/unload"),
    ("POST", "/v2/repository/models/batcher/load"),
    ("GET", "/v2/logging"),
    ("POST", "/v2/logging"),
    ("GET", "/v2/trace/setting"),
    ("GET", "/v2/systemsharedmemory/status"),
    ("GET", "/v2/cudasharedmemory/status"),
    ("POST", "/v2/systemsharedmemory/region/x/register"),
]


async def test_the_admin_apis_are_shut_and_the_models_are_not(server: Server) -> None:
    assert [http_status(server, path, method) for method, path in ADMIN_PATHS] == [403] * len(ADMIN_PATHS)
    assert server.status("/v2/models/batcher/ready") == 200

    async with grpc.aio.insecure_channel(f"{server.address}:8001") as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        calls = [
            stub.RepositoryIndex(service_pb2.RepositoryIndexRequest()),
            stub.RepositoryModelUnload(service_pb2.RepositoryModelUnloadRequest(model_name="batcher")),
            stub.LogSettings(service_pb2.LogSettingsRequest()),
            stub.TraceSetting(service_pb2.TraceSettingRequest()),
            stub.SystemSharedMemoryStatus(service_pb2.SystemSharedMemoryStatusRequest()),
            stub.CudaSharedMemoryStatus(service_pb2.CudaSharedMemoryStatusRequest()),
        ]
        for call in calls:
            with pytest.raises(grpc.aio.AioRpcError, match="This protocol is restricted"):
                await call
        with_key = (("triton-grpc-protocol-admin-key", KEY),)
        found = await stub.RepositoryIndex(service_pb2.RepositoryIndexRequest(), metadata=with_key)
    assert {each.name for each in found.models} == {"smollm2", "batcher"}


def sleep_request(milliseconds: int) -> Any:
    request = service_pb2.ModelInferRequest(model_name="batcher")
    request.inputs.add(name="sleep_ms", datatype="INT32", shape=[1, 1])
    request.raw_input_contents.append(struct.pack("<i", milliseconds))
    return request


async def stories(stub: Any, many: int, tokens: int) -> None:
    async def one() -> None:
        async for _ in stub.ModelStreamInfer(iter([story_request(tokens)])):
            pass

    await asyncio.gather(*(one() for _ in range(many)))


async def judge(server: Server, model: str, times: int) -> list[Life]:
    """Ask a proven model with little patience, and judge as the prober does."""
    asker, reader, lives = Asker(), Reader(), [Life(Proof(proven=True), Counts())]
    for _ in range(times):
        before = await scrape(reader, server.address, model)
        found = await asker.infer(Asked(server.address, model), 0.4)
        after = await scrape(reader, server.address, model)
        lives.append(after_inference(lives[-1], found, before, after))
    await reader.close()
    return lives[1:]


async def test_a_busy_model_is_never_called_dead_whatever_its_queue_shows(server: Server) -> None:
    async with grpc.aio.insecure_channel(f"{server.address}:8001") as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        long = asyncio.gather(*(stub.ModelInfer(sleep_request(4000)) for _ in range(2)))
        talk = asyncio.create_task(stories(stub, many=8, tokens=100))
        await asyncio.sleep(0.5)
        lives = [*await judge(server, "batcher", 5), *await judge(server, "smollm2", 5)]
        talk.cancel()
        await asyncio.gather(long, talk, return_exceptions=True)

    assert [life.proof.error for life in lives if life.proof.error], "nothing was ever silent: the test shows nothing"
    assert not any(life.proof.dead for life in lives)


async def test_a_model_that_hangs_on_our_question_is_found(server: Server) -> None:
    pid = stub_of(server, "batcher")
    os.kill(pid, signal.SIGSTOP)
    found = await Asker().infer(Asked(server.address, "batcher"), 5.0)
    os.kill(pid, signal.SIGCONT)

    assert found == Inference("refused", "INTERNAL: Stub process 'batcher_0_0' is not healthy.")


async def test_a_model_that_is_not_there_is_an_error_and_a_server_that_is_gone_is_silence(server: Server) -> None:
    missing = await Asker().infer(Asked(server.address, "nobody"), 5.0)
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(timeout=30)
    gone = await Asker().infer(Asked(server.address, "batcher"), 5.0)

    assert missing.kind == "refused"
    assert "unknown model" in missing.message
    assert gone.kind == "silent"


async def test_our_questions_leave_nothing_behind_that_holds_a_server_which_ends(tmp_path: Path) -> None:
    repository = lay_out(tmp_path / "models", Model("smollm2"), Model("batcher"), gguf=weights.gguf())
    given = tuple(each.replace("--exit-timeout-secs=5", "--exit-timeout-secs=60") for each in argv())
    with triton_local.serving(repository, address(), tmp_path / "log", given) as server:
        server.wait_ready("smollm2")
        for model in ("smollm2", "batcher") * 3:
            assert (await Asker().infer(Asked(server.address, model), 5.0)).kind == "answered"
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=30) == 0


def test_a_client_that_froze_does_not_hold_a_server_that_ends(tmp_path: Path) -> None:
    repository = lay_out(tmp_path / "models", Model("smollm2"), gguf=weights.gguf())
    sooner = {
        "--grpc-keepalive-time=30000": "--grpc-keepalive-time=2000",
        "--exit-timeout-secs=5": "--exit-timeout-secs=60",
    }
    sooner["--grpc-keepalive-timeout=10000"] = "--grpc-keepalive-timeout=1000"
    assert set(sooner) <= set(argv())
    given = tuple(sooner.get(each, each) for each in argv())
    with triton_local.serving(repository, address(), tmp_path / "log", given) as server:
        server.wait_ready("smollm2")
        client = subprocess.Popen([sys.executable, "-m", "serving.frozen_client", server.address], cwd=TESTS)
        try:
            os.waitpid(client.pid, os.WUNTRACED)
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(timeout=30) == 0
        finally:
            client.kill()
            client.wait()


async def test_the_repositorys_own_request_reaches_the_model(server: Server) -> None:
    probe = '{"inputs": [{"name": "sleep_ms", "datatype": "INT32", "shape": [1, 1], "data": [[1]]}]}'
    wrong = probe.replace("[1, 1]", "[1, 2]").replace("[[1]]", "[[1, 1]]")
    asked = Asked(server.address, "batcher", probe)

    assert await Asker().infer(asked, 5.0) == Inference("answered")
    assert (await Asker().infer(replace(asked, probe=wrong), 5.0)).kind == "answered"

"""A real inference on a Triton server: the only proof that a model answers.

The one rule: an answer of the model is proof, an error of the model is a fact, no answer is neither, and a question
that somebody before the model turned away is nothing at all.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Literal

import grpc
from tritonclient.grpc import service_pb2
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from inferfleet.engines.probe import parse_probe
from inferfleet.engines.triton import ADMIN_HEADER, TRITON
from inferfleet.errors import SpecError, TritonError
from inferfleet.fleet.text import public
from inferfleet.serving.request import Message, given, stream, zeros
from inferfleet.serving.web import is_pod_address

GRPC_PORT = TRITON.port("grpc")
LARGEST_ANSWER = 4 << 20
SMALL_REQUEST = 1 << 18
CHANNEL = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    ("grpc.max_receive_message_length", LARGEST_ANSWER),
    ("grpc.max_send_message_length", -1),
)
SILENT = frozenset(
    {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
)  # a server that is away, is going, or refuses because its queue is full
SHUT_OUT = frozenset(
    {
        grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)  # fmt: skip  # what meshes, proxies and limits on requests say: the model was not asked
TOO_LARGE = "larger than max"

Kind = Literal["answered", "refused", "silent", "unasked"]


@dataclass(frozen=True, slots=True)
class Inference:
    """What one inference showed: the model answered, or with an error, or nothing came, or it was turned away."""

    kind: Kind
    message: str = ""
    decoupled: bool = False
    """Its requests leave Triton's queue at once, so that no queue shows whether it is at work."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which server is asked, and what."""

    ip: str
    model: str
    probe: str = ""
    port: int = GRPC_PORT
    life: str = ""
    """Names one life of the server, in which what it says of its model's inputs holds; empty: it is asked each time."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question that fits a model."""

    request: Message
    decoupled: bool


class Asker:
    """Asks models; of large requests there is one at a time, so that many models fit in small memory."""

    def __init__(self) -> None:
        """Ask nothing yet."""
        self._large = asyncio.Semaphore(1)
        self._prepared: dict[str, Prepared] = {}

    async def infer(self, asked: Asked, seconds: float) -> Inference:
        """Ask a model once, for so many seconds at most."""
        found = await self._infer(asked, seconds)
        if found.kind != "answered":
            self.forget(asked.life)
        return found

    def forget(self, life: str) -> None:
        """Keep nothing of a server's life."""
        self._prepared.pop(life, None)

    async def _infer(self, asked: Asked, seconds: float) -> Inference:
        if not is_pod_address(asked.ip):
            return Inference("silent", "the pod has no address")
        host = f"[{asked.ip}]" if ":" in asked.ip else asked.ip
        seen = _Seen()
        try:
            async with asyncio.timeout(seconds), grpc.aio.insecure_channel(f"{host}:{asked.port}", CHANNEL) as channel:
                await self._ask(GRPCInferenceServiceStub(channel), asked, seen)
        except TimeoutError:
            return seen.after_silence(f"no answer in {seconds:.0f} s")
        except grpc.aio.AioRpcError as error:
            return _refusal(asked, seen, error)
        except (SpecError, TritonError) as error:
            return Inference("refused", public(error.message), seen.decoupled)
        return seen.result()

    async def load_error(self, asked: Asked, key: str, seconds: float) -> str:
        """Ask a server which model it failed to load, and why; empty if none, or if it does not say."""
        if not is_pod_address(asked.ip):
            return ""
        host = f"[{asked.ip}]" if ":" in asked.ip else asked.ip
        metadata = ((ADMIN_HEADER, key),)
        try:
            async with asyncio.timeout(seconds), grpc.aio.insecure_channel(f"{host}:{asked.port}", CHANNEL) as channel:
                server: Any = GRPCInferenceServiceStub(channel)
                found = await server.RepositoryIndex(service_pb2.RepositoryIndexRequest(), metadata=metadata)
        except (TimeoutError, grpc.aio.AioRpcError):
            return ""
        failed = [each for each in found.models if each.state == "UNAVAILABLE" and each.reason not in ("", "unloaded")]
        return public(f"model {failed[0].name} version {failed[0].version}: {failed[0].reason}", 512) if failed else ""

    async def _ask(self, server: Any, asked: Asked, seen: _Seen) -> None:  # noqa: ANN401 - tritonclient has no types
        found = self._prepared.get(asked.life) or await _prepare(server, asked)
        seen.decoupled = found.decoupled
        async with AsyncExitStack() as turn:
            if found.request.ByteSize() > SMALL_REQUEST:
                await turn.enter_async_context(self._large)
            elif asked.life:
                self._prepared[asked.life] = found
            if seen.decoupled:
                await _follow(server, found.request, seen)
            else:
                await server.ModelInfer(found.request)
                seen.answers += 1


@dataclass(slots=True)
class _Seen:
    """What has come so far; a stream that was cut has still shown that its model answers."""

    decoupled: bool = False
    answers: int = 0
    error: str = ""

    def result(self) -> Inference:
        if self.error:
            return Inference("refused", public(self.error), self.decoupled)
        if not self.answers:
            return Inference("refused", "the model ended without an answer", self.decoupled)
        return Inference("answered", decoupled=self.decoupled)

    def after_silence(self, message: str) -> Inference:
        return self.result() if self.answers or self.error else Inference("silent", message, self.decoupled)


async def _prepare(server: Any, asked: Asked) -> Prepared:  # noqa: ANN401 - tritonclient has no types
    """Ask a server what its model takes, and make a question of it."""
    config = (await server.ModelConfig(service_pb2.ModelConfigRequest(name=asked.model))).config
    if asked.probe:
        request = given(parse_probe(asked.probe), asked.model, config)
    else:
        metadata = await server.ModelMetadata(service_pb2.ModelMetadataRequest(name=asked.model))
        request = zeros(metadata, config)
    return Prepared(request, config.model_transaction_policy.decoupled)


async def _follow(server: Any, request: Message, seen: _Seen) -> None:  # noqa: ANN401 - as above
    """Read a decoupled model's answers until the server ends the stream.

    A stream that is cancelled at its last answer can leave a request behind that keeps its server from ending.
    """
    call = server.ModelStreamInfer(stream(request))
    async for part in call:
        seen.error = part.error_message
        seen.answers += bool(part.infer_response.outputs)
        if seen.error:
            call.cancel()
            return


def _refusal(asked: Asked, seen: _Seen, error: grpc.aio.AioRpcError) -> Inference:
    """Tell a model that refuses from a server that is not there."""
    code, message = error.code(), public(error.details() or "")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and TOO_LARGE in message:
        return Inference("answered", decoupled=seen.decoupled)
    if code is grpc.StatusCode.INVALID_ARGUMENT and asked.probe:
        return Inference("answered", message, seen.decoupled)
    if code in SILENT:
        return seen.after_silence(f"{code.name}: {message}")
    if code in SHUT_OUT:
        return Inference("unasked", f"{code.name}: {message}", seen.decoupled)
    return Inference("refused", f"{code.name}: {message}", seen.decoupled)

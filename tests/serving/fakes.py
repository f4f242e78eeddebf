"""A Triton server and its metrics page as far as a prober sees them, on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from aiohttp import web
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc

HOST = "127.0.0.1"
Behaviour = Callable[["FakeTriton", Any, Any], Awaitable[None]]


async def answer(_server: FakeTriton, _request: Any, _context: Any) -> None:
    """Serve the request."""


async def hang(_server: FakeTriton, _request: Any, _context: Any) -> None:
    await asyncio.sleep(60)


def fail(code: grpc.StatusCode, message: str) -> Behaviour:
    async def failing(_server: FakeTriton, _request: Any, context: Any) -> None:
        await context.abort(code, message)

    return failing


@dataclass
class FakeTriton(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]  # - tritonclient has no types
    """One model whose behaviour a test sets; `asked` holds what came."""

    config: Any = field(default_factory=lambda: model_config_pb2.ModelConfig(name="m"))
    inputs: list[tuple[str, str, list[int]]] = field(default_factory=lambda: [("x", "FP32", [-1, 2])])
    behaviour: Behaviour = answer
    error: str = ""
    parts: int = 1
    stalls: bool = False
    bytes_out: int = 4
    asked: list[Any] = field(default_factory=list)
    described: int = 0
    """How often it was asked what its model takes."""

    async def ModelConfig(self, request: Any, _context: Any) -> Any:  # noqa: N802 - gRPC's name
        self.described += 1
        return service_pb2.ModelConfigResponse(config=self.config)

    async def ModelMetadata(self, request: Any, _context: Any) -> Any:  # noqa: N802 - as above
        found = service_pb2.ModelMetadataResponse(name=request.name)
        for name, datatype, shape in self.inputs:
            found.inputs.add(name=name, datatype=datatype, shape=shape)
        return found

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802 - as above
        self.asked.append(request)
        await self.behaviour(self, request, context)
        return self._response()

    async def ModelStreamInfer(self, requests: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802 - as above
        async for request in requests:
            self.asked.append(request)
            await self.behaviour(self, request, context)
            if self.error:
                yield service_pb2.ModelStreamInferResponse(error_message=self.error)
                continue
            for _ in range(self.parts):
                yield service_pb2.ModelStreamInferResponse(infer_response=self._response())
            if self.stalls:
                await asyncio.sleep(60)
            last = service_pb2.ModelInferResponse(model_name="m")
            last.parameters["triton_final_response"].bool_param = True
            yield service_pb2.ModelStreamInferResponse(infer_response=last)

    def _response(self) -> Any:
        found = service_pb2.ModelInferResponse(model_name="m")
        found.outputs.add(name="y", datatype="UINT8", shape=[self.bytes_out])
        found.raw_output_contents.append(bytes(self.bytes_out))
        return found


@asynccontextmanager
async def grpc_port(triton: FakeTriton) -> AsyncIterator[int]:
    server = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(triton, server)
    port = server.add_insecure_port(f"{HOST}:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)


@dataclass
class Pages:
    """Pages by path; a page may be a response to give."""

    pages: dict[str, bytes | web.Response] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.path)
        page = self.pages.get(request.path)
        if page is None:
            return web.Response(status=404)
        return web.Response(body=page) if isinstance(page, bytes) else page


@asynccontextmanager
async def http_port(pages: Pages) -> AsyncIterator[int]:
    runner = web.ServerRunner(web.Server(pages.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    try:
        [address] = runner.addresses
        yield address[1]
    finally:
        await runner.cleanup()


def metrics_page(**found: int) -> bytes:
    """Write a metrics page of the model `m` as Triton does."""
    lines = {
        "succeeded": 'nv_inference_request_success{model="m",version="1"}',
        "broken": 'nv_inference_request_failure{model="m",reason="BACKEND",version="1"}',
        "pending": 'nv_inference_pending_request_count{model="m",version="1"}',
        "waiting": 'nv_trt_llm_request_metrics{model="m",request_type="waiting",version="1"}',
        "active": 'nv_trt_llm_request_metrics{model="m",request_type="active",version="1"}',
    }
    body = "".join(f"{lines[name]} {value}\n" for name, value in found.items())
    return f"# HELP nv_x Number of x\n# TYPE nv_x counter\n{body}".encode()


@dataclass
class Hand:
    """A clock that tests move."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now

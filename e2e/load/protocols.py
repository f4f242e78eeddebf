"""Asking Triton for a completion: HTTP in one piece, HTTP as a stream, gRPC as a stream.

Rule: each protocol yields the parts as they come and raises what went wrong; it judges nothing.
"""

from __future__ import annotations

import http
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from e2e.load.report import Part

PROMPT = "Why is the sky blue?"


class RefusalError(Exception):
    """The server said no."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, and where."""

    address: str
    model: str
    max_tokens: int
    timeout_seconds: float
    keep_alive: bool = False

    def body(self, *, stream: bool) -> dict[str, Any]:
        """Say it in the words of Triton's generate endpoints; `ignore_eos` makes the length certain."""
        return {"text_input": PROMPT, "max_tokens": self.max_tokens, "ignore_eos": True, "stream": stream}


Ask = Callable[[Request, aiohttp.ClientSession], AsyncIterator[Part]]


async def plain(request: Request, session: aiohttp.ClientSession) -> AsyncIterator[Part]:
    """Ask for the whole answer at once."""
    url = f"http://{request.address}/v2/models/{request.model}/generate"
    async with session.post(url, json=request.body(stream=False)) as answer:
        yield _part(await answer.json(content_type=None), answer.status)


async def stream(request: Request, session: aiohttp.ClientSession) -> AsyncIterator[Part]:
    """Ask for server-sent events."""
    url = f"http://{request.address}/v2/models/{request.model}/generate_stream"
    async with session.post(url, json=request.body(stream=True)) as answer:
        async for line in answer.content:
            if line.startswith(b"data:"):
                yield _part(json.loads(line[5:]), answer.status)
        if answer.status != http.HTTPStatus.OK:
            raise RefusalError(f"HTTP {answer.status}")


async def grpc(request: Request, _: aiohttp.ClientSession) -> AsyncIterator[Part]:
    """Ask for a gRPC stream, on a channel of its own."""
    from tritonclient.grpc.aio import InferenceServerClient  # takes a second, and only this protocol needs it

    async def asked() -> AsyncIterator[dict[str, Any]]:
        yield {"model_name": request.model, "inputs": _inputs(request), "enable_empty_final_response": True}

    async with InferenceServerClient(request.address) as client:
        async for result, error in client.stream_infer(asked(), stream_timeout=request.timeout_seconds):
            if error is not None:
                raise RefusalError(error.message())
            if result.get_response().outputs:
                yield _result(result)


PROTOCOLS: dict[str, Ask] = {"plain": plain, "stream": stream, "grpc": grpc}


def reason(problem: Exception) -> str | None:
    """Name what ended an answer before its time; None for what is not the server's or the network's doing."""
    if isinstance(problem, RefusalError):
        return str(problem)
    if isinstance(problem, (TimeoutError, aiohttp.ClientError, OSError, ValueError)):
        return type(problem).__name__
    if type(problem).__module__.startswith("grpc"):
        code, details = getattr(problem, "code", None), getattr(problem, "details", None)
        return f"{code().name if code else type(problem).__name__}: {details() if details else problem}"
    return str(problem) if type(problem).__module__.startswith("tritonclient") else None


def _part(said: dict[str, Any], status: int) -> Part:
    if "error" in said:
        raise RefusalError(f"HTTP {status}: {said['error']}")
    return Part(
        text=str(said.get("text_output", "")),
        finish_reason=str(said.get("finish_reason", "")),
        tokens=int(said.get("completion_tokens", 0)),
        version=str(said.get("version", said.get("model_version", ""))),
    )


def _inputs(request: Request) -> list[Any]:
    import numpy as np
    from tritonclient.grpc.aio import InferInput

    given = {
        "text_input": ("BYTES", np.array([PROMPT.encode()], dtype=np.object_)),
        "max_tokens": ("INT32", np.array([request.max_tokens], dtype=np.int32)),
        "ignore_eos": ("BOOL", np.array([True])),
        "stream": ("BOOL", np.array([True])),
    }
    inputs = []
    for name, (kind, value) in given.items():
        tensor = InferInput(name, [1], kind)
        tensor.set_data_from_numpy(value)
        inputs.append(tensor)
    return inputs


def _result(result: Any) -> Part:
    def first(name: str) -> Any:
        return result.as_numpy(name)[0]

    return Part(
        text=first("text_output").decode(),
        finish_reason=first("finish_reason").decode(),
        tokens=int(first("completion_tokens")),
        version=str(first("version")),
    )

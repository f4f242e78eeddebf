"""The load client tells what was lost from what was answered, over a server that misbehaves on purpose."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from e2e.load.protocols import Request
from e2e.load.report import Fate, Outcome, Part, judge, summary
from e2e.load.run import Load, run

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]


@pytest.fixture(name="serve")
async def _serve() -> AsyncIterator[Serve]:
    servers: list[TestServer] = []

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_post("/v2/models/smollm2/generate_stream", handler)
        app.router.add_post("/v2/models/smollm2/generate", handler)
        servers.append(TestServer(app, host="127.0.0.1"))
        await servers[-1].start_server()
        return f"127.0.0.1:{servers[-1].port}"

    yield start
    for server in servers:
        await server.close()


def load(address: str, protocol: str = "stream", count: int = 3) -> Load:
    request = Request(address, "smollm2", 4, timeout_seconds=5)
    return Load(request, protocol, clients=2, count=count, seconds=10, pause_seconds=0)


def event(text: str, reason: str = "", tokens: int = 0) -> bytes:
    said = {"text_output": text, "finish_reason": reason, "completion_tokens": tokens, "version": 1}
    return f"data: {json.dumps(said)}\n\n".encode()


def stream(*events: bytes, cut: bool = False) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for one in events:
            await answer.write(one)
        if cut and request.transport is not None:
            request.transport.close()
        return answer

    return handler


async def test_a_stream_with_its_reason_and_all_tokens_is_whole(serve: Serve) -> None:
    result = await run(load(await serve(stream(event("a"), event("", "length", 4)))))

    assert (result["sent"], result["whole"], result["tokens"]) == (3, 3, 12)
    assert result["versions"] == {"1": 3}


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (stream(event("a"), cut=True), "ClientPayloadError"),
        (stream(event("a")), "no finish reason"),
        (stream(event("a"), event("", "stop", 2)), "2 of 4 tokens"),
        (stream(event("a"), b'data: {"error": "out of memory"}\n\n'), "HTTP 200: out of memory"),
    ],
)
async def test_what_began_and_did_not_end_well_is_lost(serve: Serve, handler: Handler, why: str) -> None:
    result = await run(load(await serve(handler)))

    assert (result["lost"], result["why"]) == (3, {why: 3})


async def test_a_clear_no_is_refused(serve: Serve) -> None:
    async def no(_: web.Request) -> web.StreamResponse:
        return web.json_response({"error": "no such model"}, status=404)

    result = await run(load(await serve(no), protocol="plain"))

    assert (result["refused"], result["why"]) == (3, {"HTTP 404: no such model": 3})


async def test_nobody_listening_is_refused(unused_tcp_port: int) -> None:
    result = await run(load(f"127.0.0.1:{unused_tcp_port}"))

    assert (result["refused"], result["why"]) == (3, {"ClientConnectorError": 3})


async def test_a_stop_waits_for_what_is_in_flight(serve: Serve) -> None:
    stop = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        stop.set()
        return await stream(event("", "length", 4))(request)

    result = await run(load(await serve(handler), count=1000), stop)

    assert 1 <= result["whole"] == result["sent"] <= 2


@pytest.mark.parametrize("bad", [{"clients": 0}, {"count": 10**9}, {"seconds": 0.0}])
def test_a_load_without_bounds_is_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Load(Request("127.0.0.1:1", "smollm2", 4, 5), **bad)  # type: ignore[arg-type]  # - one of three fields


def test_an_empty_answer_is_lost() -> None:
    assert judge([], 4, "", (0, 1)).fate is Fate.LOST


def test_the_summary_spreads_latencies_of_whole_answers_only() -> None:
    outcomes = [Outcome(Fate.WHOLE, seconds) for seconds in (1, 2, 3)] + [Outcome(Fate.LOST, 99)]

    assert summary(outcomes, 4)["latency_seconds"] == {"p50": 2, "p99": 3, "max": 3}


def test_a_part_that_fails_after_a_good_end_is_still_lost() -> None:
    assert judge([Part("", "length", 4)], 4, "ClientPayloadError", (0, 1)).fate is Fate.LOST

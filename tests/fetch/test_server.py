"""The progress server, asked by a stranger."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from inferfleet.fetch.meter import Meter
from inferfleet.fetch.options import FetchOptions
from inferfleet.fetch.server import Board, serving
from inferfleet.fleet.weights import Progress, Repository

FOUND = Repository(commit="c" * 40, shape="gguf", listing=("a.gguf",))


@asynccontextmanager
async def board() -> AsyncIterator[tuple[Board, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    meter = Meter(lambda: 0.0)
    meter.expect(2, 100)
    meter.kept(40)
    async with serving(replace(FetchOptions("hf://a/b"), port=port, bind="127.0.0.1"), meter) as shown:
        yield shown, port
    await asyncio.sleep(0)  # the last connections are gone one turn of the loop later


async def ask(port: int, request: bytes) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    said = await reader.read()  # to the end: the server closes each connection
    writer.close()
    await writer.wait_closed()
    head, _, body = said.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def get(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def test_progress_and_health_are_there_from_the_start() -> None:
    async with board() as (_, port):
        status, body = await ask(port, get("/progress"))

        assert status == 200
        assert Progress.model_validate_json(body) == Progress(bytes_done=40, bytes_total=100, files_total=2)
        assert (await ask(port, get("/healthz")))[0] == 200


async def test_the_result_is_there_when_it_is_known_and_reading_it_is_noticed() -> None:
    async with board() as (shown, port):
        assert (await ask(port, get("/result")))[0] == 503
        assert not shown.read.is_set()
        shown.show(FOUND)
        await ask(port, get("/progress"))
        assert not shown.read.is_set()

        status, body = await ask(port, get("/result"))

        assert (status, Repository.model_validate_json(body)) == (200, FOUND)
        assert shown.read.is_set()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get("/"), 404),
        (get("/../etc/passwd"), 404),
        (get("/result/"), 404),
        (get("/metrics"), 404),
        (get("/progress", "HEAD"), 405),
        (get("/result", "POST"), 405),
        (get("/result", "DELETE"), 405),
        (get("/" + "x" * 10_000), 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 10_000 + b"\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
    ],
)
async def test_anything_else_is_refused(request_: bytes, status: int) -> None:
    async with board() as (shown, port):
        shown.show(FOUND)

        assert (await ask(port, request_))[0] == status
        assert not shown.read.is_set()


async def test_without_a_port_nothing_listens() -> None:
    async with serving(FetchOptions("hf://a/b"), Meter(lambda: 0.0)) as shown:
        shown.show(FOUND)

    assert not shown.read.is_set()

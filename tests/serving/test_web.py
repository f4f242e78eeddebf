"""One bounded GET: what is read and what is refused."""

from __future__ import annotations

import asyncio
import gzip

import pytest
from aiohttp import web

from inferfleet.serving.web import Reader, is_pod_address
from serving.fakes import HOST, Pages, http_port


async def read(page: bytes | web.Response | None, limit: int = 1 << 20) -> bytes | None:
    reader = Reader()
    async with http_port(Pages({"/p": page} if page is not None else {})) as port:
        try:
            return await reader.get(HOST, port, "/p", limit)
        finally:
            await reader.close()


async def test_a_page_of_many_pieces_is_read_whole() -> None:
    page = b"x" * (1 << 20)

    assert await read(page) == page


async def test_a_page_above_its_bound_is_no_page() -> None:
    assert await read(b"x" * 1025, limit=1024) is None


@pytest.mark.parametrize("status", [204, 404, 500])
async def test_only_ok_is_an_answer(status: int) -> None:
    assert await read(web.Response(status=status)) is None


async def test_a_redirect_is_not_followed() -> None:
    reader, pages = Reader(), Pages({"/p": web.Response(status=302, headers={"Location": "/secret"}), "/secret": b"s"})
    async with http_port(pages) as port:
        found = await reader.get(HOST, port, "/p", 1024)
        await reader.close()

    assert found is None
    assert pages.asked == ["/p"]


async def test_a_compressed_page_is_not_unpacked() -> None:
    packed = gzip.compress(b"0" * (1 << 20))

    assert await read(web.Response(body=packed, headers={"Content-Encoding": "gzip"})) == packed


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    assert await read(b"page") == b"page"


async def test_what_speaks_no_http_is_no_answer() -> None:
    async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\xff babble\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(babble, HOST, 0)
    reader = Reader()
    async with server:
        port = server.sockets[0].getsockname()[1]
        found = await reader.get(HOST, port, "/p", 1024)
    await reader.close()

    assert found is None


@pytest.mark.parametrize(
    ("text", "can"),
    [
        ("10.0.0.7", True),
        ("fd00::7", True),
        ("169.254.169.254", False),
        ("fe80::1", False),
        ("0.0.0.0", False),
        ("::", False),
        ("239.1.1.1", False),
        ("pod.svc", False),
        ("10.0.0.7:80", False),
        ("", False),
    ],
)
def test_an_address_of_a_pod(text: str, can: bool) -> None:
    assert is_pod_address(text) is can

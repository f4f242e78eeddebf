"""Requests to a hub: redirects followed by hand, answers judged, failures named.

The one rule: the token goes to the hub's own origin and nowhere else, and no text from outside leaves unbounded.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import aiohttp
from yarl import URL

from inferfleet import __version__
from inferfleet.errors import FetchError
from inferfleet.fetch import answers, failures
from inferfleet.fetch.answers import Answer
from inferfleet.fetch.disk import CHUNK
from inferfleet.fetch.failures import Subject, Transient
from inferfleet.fetch.options import FetchOptions, Persistence
from inferfleet.fetch.text import plain, redact
from inferfleet.fetch.urls import Endpoint, Hop, parse_endpoint, proxy_for
from inferfleet.fetch.world import World

T = TypeVar("T")
MOST_REDIRECTS = 8
READ_BYTES = 1 << 18
REDIRECTS = frozenset({301, 302, 303, 307, 308})
HEADERS = {"User-Agent": f"inferfleet/{__version__}", "Accept-Encoding": "identity"}


class Advance(Protocol):
    """What several attempts bring forward together."""

    offset: int
    """Bytes that are there."""
    reached: int
    """The most that were ever there."""


@dataclass(slots=True)
class _Still:
    offset: int = 0
    reached: int = 0


@dataclass(frozen=True, slots=True)
class Web:
    """A session with one hub about one repository."""

    session: aiohttp.ClientSession
    endpoint: Endpoint
    options: FetchOptions
    subject: Subject
    world: World

    def about(self, *, gated: bool) -> Web:
        """Return the same session, with what the listing said about a gate."""
        return replace(self, subject=replace(self.subject, gated=gated))

    async def insist(self, attempt: Callable[[], Awaitable[T]], advance: Advance | None = None) -> T:
        """Repeat an attempt until it works, or has failed too often in a row without an advance."""
        patience, tries, advance = self.options.persistence, 0, advance or _Still()
        while True:
            before = advance.reached
            try:
                return await attempt()
            except Transient as trouble:
                tries = 1 if advance.reached > before else tries + 1
                if tries >= patience.attempts:
                    raise failures.given_up(trouble, self.subject, tries, advance.offset) from trouble
                pause = answers.pause(tries, patience.backoff, self.world.chance(), trouble.retry_after)
            await self.world.sleep(pause)

    async def body(self, url: URL, limit: int, path: str = "") -> bytes:
        """Fetch something small, whole."""
        async with self.opened("GET", url, path=path) as response:
            content = b""
            async for chunk in response.content.iter_chunked(CHUNK):
                content += chunk
                if len(content) > limit:
                    raise Transient("busy", f"it sent more than {limit} bytes")
            return content

    @asynccontextmanager
    async def opened(
        self, method: str, url: URL, *, path: str = "", start: int = 0
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Open an answer that brings what was asked for: all of it, or what follows its first `start` bytes."""
        extra = {"Range": f"bytes={start}-"} if start else {}
        try:
            async with AsyncExitStack() as stack:
                response, at_hub = await self._follow(stack, method, url, extra)
                if not (start and response.status == 416):
                    self._judge(response, path, at_hub=at_hub)
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _named(error, self.endpoint.host) from error

    async def _follow(
        self, stack: AsyncExitStack, method: str, url: URL, extra: Mapping[str, str]
    ) -> tuple[aiohttp.ClientResponse, bool]:
        hop = Hop(url)
        for _ in range(MOST_REDIRECTS + 1):
            response = await stack.enter_async_context(
                self.session.request(
                    method,
                    hop.url,
                    headers=self._headers(hop, extra),
                    allow_redirects=False,
                    proxy=proxy_for(hop.url, self.options.proxies),
                )
            )
            location = response.headers.get("Location")
            followed = method == "GET" or _is_relative(location)
            if response.status not in REDIRECTS or location is None or not followed:
                return response, hop.at_hub
            response.release()
            hop = hop.follow(location)
        raise failures.redirect(self.endpoint.host, f"more than {MOST_REDIRECTS} times")

    def _headers(self, hop: Hop, extra: Mapping[str, str]) -> dict[str, str]:
        token = self.options.token
        return {**extra, "Authorization": f"Bearer {token}"} if token and hop.at_hub else dict(extra)

    def _judge(self, response: aiohttp.ClientResponse, path: str, *, at_hub: bool) -> None:
        if response.method == "HEAD" and response.status in REDIRECTS:
            return
        said = redact(response.headers.get("X-Error-Message", ""), [self.options.token])
        answer = Answer(
            status=response.status,
            at_hub=at_hub,
            code=response.headers.get("X-Error-Code", ""),
            said=plain(said, 160) if at_hub else "",
            retry_after=answers.retry_after(response.headers),
        )
        trouble = answers.trouble(answer, self.subject, path)
        if trouble is not None:
            raise trouble


@asynccontextmanager
async def connected(options: FetchOptions, repository: str, revision: str, world: World) -> AsyncIterator[Web]:
    """Open a session with the hub."""
    endpoint = parse_endpoint(options.endpoint)
    subject = Subject(
        repository, revision, endpoint.text, endpoint.host, token=bool(options.token), secret=options.secret
    )
    try:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=options.connections + 1, ssl=_trust(options)),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=HEADERS,
            timeout=_timeout(options.persistence),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=READ_BYTES,
        ) as session:
            yield Web(session, endpoint, options, subject, world)
    finally:
        await asyncio.sleep(0)  # a connection that was closed is gone one turn of the loop later


def _trust(options: FetchOptions) -> ssl.SSLContext | bool:
    """Trust the system's authorities, and those of the file if there is one."""
    if options.ca_file is None or not options.ca_file.exists():
        return True
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(options.ca_file)
    except OSError as error:  # ssl.SSLError is one too
        raise failures.ca_file(error.strerror or type(error).__name__) from error
    return context


def _timeout(patience: Persistence) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, connect=None, sock_connect=patience.connect, sock_read=patience.silence)


def _is_relative(location: str | None) -> bool:
    return location is not None and location.startswith("/") and not location.startswith("//")


def _named(error: Exception, host: str) -> FetchError | Transient:
    """Say what a network error means, without the words of the library, which may hold addresses."""
    if isinstance(error, (aiohttp.ClientSSLError, ssl.SSLError)):
        return failures.tls(str(getattr(error, "host", host)), _tls_words(error))
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return Transient("unreachable", f"the proxy answered {error.status}")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Transient("unreachable", "its name, or the storage host's or proxy's, is not found")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Transient("unreachable", f"cannot connect: {plain(error.os_error.strerror or 'no reason given', 100)}")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Transient("unreachable", "cannot connect in time")
    if isinstance(error, TimeoutError):
        return Transient("cut", "no byte came for too long")
    return Transient("cut", "the other side closed it early")


def _tls_words(error: Exception) -> str:
    inner = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    return str(getattr(inner, "verify_message", "") or getattr(inner, "reason", "") or type(inner).__name__)

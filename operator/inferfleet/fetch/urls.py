"""Addresses of a hub: which to ask, which redirects to follow, which proxy to use.

The one rule: pure; whether a token may go along is decided here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from urllib.parse import quote

from yarl import URL

from inferfleet.errors import FetchError
from inferfleet.fetch import failures
from inferfleet.fetch.options import Proxies
from inferfleet.fetch.text import plain

SCHEMES = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A hub's base address; a private mirror's has a path."""

    base: URL

    @property
    def host(self) -> str:
        """The host as it is shown to people."""
        return self.base.authority

    @property
    def text(self) -> str:
        """The address as it is shown to people."""
        return str(self.base)

    def revision(self, repository: str, revision: str) -> URL:
        """Address the listing of a revision, with sizes and checksums."""
        return self._at(f"/api/models/{repository}/revision/{quote(revision, safe='')}?blobs=true")

    def model(self, repository: str) -> URL:
        """Address what the hub says about a repository."""
        return self._at(f"/api/models/{repository}")

    def file(self, repository: str, commit: str, path: str) -> URL:
        """Address a file of a commit."""
        return self._at(f"/{repository}/resolve/{commit}/{quote(path, safe='/')}")

    def _at(self, path: str) -> URL:
        return URL(f"{self.base}{path}", encoded=True)


def parse_endpoint(text: str) -> Endpoint:
    """Take the hub's address apart, or say what is allowed."""
    try:
        base = URL(text.rstrip("/"))
    except ValueError:
        base = URL()
    if base.scheme not in SCHEMES or not base.host or base.user or base.password or base.query_string or base.fragment:
        raise FetchError(
            "EndpointInvalid",
            f"The hub's address is {plain(_without_user(text), 100)!r}; it must be http:// or https://, a host and at "
            "most a path, without user, query or fragment.",
        )
    return Endpoint(base)


@dataclass(frozen=True, slots=True)
class Hop:
    """A request on its way through redirects; once it has left the hub's origin, the token stays behind for good."""

    url: URL
    at_hub: bool = True

    def follow(self, location: str) -> Hop:
        """Say where a redirect leads, or refuse it."""
        host = self.url.authority
        try:
            url = self.url.join(URL(location, encoded=True))
            same = self.url.origin() == url.origin()
        except ValueError as error:
            raise failures.redirect(host, "to no valid address") from error
        if url.scheme not in SCHEMES or not url.host:
            raise failures.redirect(host, "to something that is not HTTP")
        if self.url.scheme == "https" and url.scheme == "http":
            raise failures.redirect(host, f"from HTTPS to plain HTTP on {plain(url.host, 100)}")
        if url.user or url.password:
            url = url.with_user(None)
        return Hop(url, self.at_hub and same)


def passwords(proxies: Proxies) -> list[str]:
    """List the secrets in the proxies' addresses, each as it is written and as it is meant; refuse what is no proxy."""
    found = []
    for proxy in filter(None, (proxies.https, proxies.http)):
        try:
            url = URL(proxy)
        except ValueError:
            url = URL()
        if url.scheme not in SCHEMES or not url.host:
            raise FetchError(
                "ProxyInvalid", "A proxy's address must be http://HOST:PORT, or https:// the same. Correct fetch.env."
            )
        found += [url.raw_password or "", url.password or ""]
    return found


def proxy_for(url: URL, proxies: Proxies) -> str | None:
    """Choose the proxy for a request, None for a direct one."""
    proxy = proxies.https if url.scheme == "https" else proxies.http
    direct = any(_is_for(url, entry.strip().lower()) for entry in proxies.none_for.split(","))
    return proxy if proxy and not direct else None


def _is_for(url: URL, entry: str) -> bool:
    """Whether an entry of NO_PROXY means this host: a name, a suffix, a network, `*`, each also with a port."""
    host = (url.host or "").lower()
    name, colon, port = entry.rpartition(":")
    if colon and port.isdigit() and "/" not in entry and name.count(":") == 0:
        return url.port == int(port) and _is_for(url, name)
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        suffix = entry.removeprefix("*").removeprefix(".")
        return entry == "*" or (bool(suffix) and (host == suffix or host.endswith(f".{suffix}")))


def _without_user(text: str) -> str:
    head, at, tail = text.rpartition("@")
    return f"{head.partition('://')[0]}://***@{tail}" if at else text

"""What a hub says about a source: its commit, its files, and whether we may have them.

The one rule: nothing is written here; every call is repeated with patience, and every refusal has its own reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import aiohttp

from inferfleet.errors import FetchError
from inferfleet.fetch import crowd, failures
from inferfleet.fetch.inspection import check_text, text_bytes
from inferfleet.fetch.listing import Listing, RemoteFile, check_commit, parse_listing
from inferfleet.fetch.text import plain
from inferfleet.fetch.web import Web

LISTING_BYTES = 32 << 20


async def resolve(web: Web) -> Listing:
    """Find the commit that a revision means, and its files."""
    return await web.insist(lambda: _listing(web))


async def complete(web: Web, listing: Listing) -> Listing:
    """Ask each file for its size and checksum where a mirror leaves them out of the listing; refuse what has none."""

    async def one(file: RemoteFile) -> RemoteFile:
        asked = file if file.provable else await web.insist(lambda: _head(web, listing.commit, file))
        if not asked.provable:
            raise failures.unlisted(web.subject, file.remote)
        return asked

    return replace(listing, files=tuple(await crowd.each(listing.files, web.options.connections, one)))


async def may_read(web: Web, listing: Listing) -> None:
    """Ask for the largest file without its bytes: a gate shows itself only there."""
    largest = max(listing.files, key=lambda file: file.bytes)
    await web.insist(lambda: _head(web, listing.commit, largest))


async def texts(web: Web, listing: Listing, paths: Iterable[str]) -> dict[str, str]:
    """Fetch small files and prove each."""
    files = {file.path: file for file in listing.files}
    wanted = [files[path] for path in paths]
    found = await crowd.each(wanted, web.options.connections, lambda file: _text(web, listing.commit, file))
    return {file.path: text for file, text in zip(wanted, found, strict=True)}


async def _listing(web: Web) -> Listing:
    subject = web.subject
    try:
        body = await web.body(web.endpoint.revision(subject.repository, subject.revision), LISTING_BYTES)
    except FetchError as refused:
        if refused.reason == "SourceNotFound" and await _exists(web):
            raise failures.no_revision(subject) from refused
        raise
    return check_commit(parse_listing(body), subject.revision)


async def _exists(web: Web) -> bool:
    """Whether a 404 without a code meant the revision: some mirrors drop the hub's codes."""
    try:
        await web.body(web.endpoint.model(web.subject.repository), LISTING_BYTES)
    except (FetchError, failures.Transient):
        return False
    return True


async def _head(web: Web, commit: str, file: RemoteFile) -> RemoteFile:
    url = web.endpoint.file(web.subject.repository, commit, file.remote)
    async with web.opened("HEAD", url, path=file.remote) as response:
        return described(file, response)


def described(file: RemoteFile, response: aiohttp.ClientResponse) -> RemoteFile:
    """Fill in what the headers of a file tell and its listing did not."""
    headers = response.headers
    length = headers.get("X-Linked-Size", headers.get("Content-Length", "") if response.status == 200 else "")
    etag = (headers.get("X-Linked-ETag") or headers.get("ETag") or "").removeprefix("W/").strip('"')
    hexadecimal = bool(etag) and all(digit in "0123456789abcdef" for digit in etag)
    size = int(length) if file.size is None and length.isascii() and length.isdigit() else file.size
    if file.expected or not hexadecimal:
        return replace(file, size=size)
    return replace(file, size=size, sha256=etag if len(etag) == 64 else "", sha1=etag if len(etag) == 40 else "")


async def _text(web: Web, commit: str, file: RemoteFile) -> str:
    limit = text_bytes(file.path)
    if file.bytes > limit:
        raise failures.unusable(
            f"{plain(file.path, 200)!r} has {file.bytes} bytes, more than {limit}", "Correct it in the source."
        )
    url = web.endpoint.file(web.subject.repository, commit, file.remote)
    content = await web.insist(lambda: web.body(url, limit, file.remote))
    if len(content) != file.size:
        raise failures.size_mismatch(file.remote, file.bytes, str(len(content)))
    hasher = file.hasher()
    hasher.update(content)
    if hasher.hexdigest() != file.expected:
        raise failures.checksum(file.remote, file.expected, hasher.hexdigest())
    return check_text(file.path, content)

"""An `hf://` source, from its name to a whole directory, or only to what is known of it.

The one rule: a marker means that there is nothing to do, and for a commit that nobody has to be asked.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from inferfleet.fetch import disk, eviction, failures, hub, inspection, lock, marker, web
from inferfleet.fetch.disk import Volume
from inferfleet.fetch.inspection import Facts, Survey
from inferfleet.fetch.layout import Place, place
from inferfleet.fetch.listing import Listing, within
from inferfleet.fetch.meter import Meter
from inferfleet.fetch.options import FetchOptions
from inferfleet.fetch.sources import COMMIT, HubSource, check_revision, last_name
from inferfleet.fetch.transfer import Transfer, bytes_there
from inferfleet.fetch.web import Web
from inferfleet.fetch.world import World
from inferfleet.fleet.weights import Repository

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Download:
    """One source and what its download works with."""

    options: FetchOptions
    source: HubSource
    world: World
    meter: Meter

    async def run(self) -> Repository:
        """Bring the source into the cache, or find out about it; what lies there is kept from others' eviction."""
        found = await self._looked_up()
        if not self.options.resolve_only and not self.options.evict:
            await asyncio.to_thread(_pin, self._place(found.commit))
        return found

    async def _looked_up(self) -> Repository:
        revision = check_revision(self.options.revision)
        if COMMIT.match(revision) and not self.options.resolve_only:
            known = self._finished(self._place(revision))
            if known is not None:
                return known
        async with web.connected(self.options, self.source.repository, revision, self.world) as opened:
            listing = await hub.resolve(opened)
            log.info("commit %s has %d files", listing.commit, len(listing.files))
            wanted = within(listing, f"hf://{self.source.repository}", self.source.folder)
            knowing = opened.about(gated=listing.gated)
            return await self._from(knowing, await hub.complete(knowing, wanted))

    async def _from(self, opened: Web, listing: Listing) -> Repository:
        seen = inspection.survey((file.path for file in listing.files), last_name(self.source))
        if self.options.resolve_only:
            return await self._resolved(opened, listing, seen)
        return await self._brought(opened, listing, seen)

    async def _resolved(self, opened: Web, listing: Listing, seen: Survey) -> Repository:
        await hub.may_read(opened, listing)
        return inspection.repository(seen, await hub.texts(opened, listing, seen.small_files()), _facts(listing))

    async def _brought(self, opened: Web, listing: Listing, seen: Survey) -> Repository:
        at = self._place(listing.commit)
        transfer = Transfer(opened, at, self.meter)
        known = self._finished(at)
        if known is not None:
            return known
        await transfer.on_disk("making a directory", disk.make_directories, at.source)
        self.meter.expect(len(listing.files), listing.total)
        descriptor = await transfer.on_disk("opening its lock", lock.open_lock, at.lock)
        patience = self.options.persistence.lock
        async with lock.held(descriptor, self.world, patience, lambda: self._show(at, listing)):
            return self._finished(at) or await self._write(transfer, listing, seen)

    async def _write(self, transfer: Transfer, listing: Listing, seen: Survey) -> Repository:
        at = transfer.place
        await transfer.on_disk("making a directory", disk.make_directories, at.root, at.partials.name)
        await self._make_sure_of_room(transfer, listing)
        await transfer.all(listing.files)
        texts = {path: await transfer.on_disk("reading a file", _text, at, path) for path in seen.small_files()}
        found = inspection.repository(seen, texts, _facts(listing))
        await transfer.on_disk("writing the marker", _finish, at, self.options.source, found)
        return found

    async def _make_sure_of_room(self, transfer: Transfer, listing: Listing) -> None:
        await asyncio.to_thread(self._show, transfer.place, listing)
        missing = self.meter.missing
        self.meter.expect(len(listing.files), listing.total)
        room = await self._measured(transfer)
        unused = await transfer.on_disk("looking at it", self._unused, transfer.place)
        while missing > room.free and unused:
            await transfer.on_disk("removing what is unused", eviction.remove, unused.pop(0))
            room = await self._measured(transfer)
        if missing > room.free:
            raise failures.disk_full(missing, room.free, room.capacity)

    async def _measured(self, transfer: Transfer) -> Volume:
        return await transfer.on_disk("measuring it", disk.measure, transfer.place.cache, self.options.size_limit)

    def _unused(self, at: Place) -> list[Place]:
        return eviction.unused(at, self.options.in_use) if self.options.evict else []

    def _show(self, at: Place, listing: Listing) -> None:
        self.meter.show(bytes_there(at, listing.files))

    def _place(self, commit: str) -> Place:
        return place(self.options.cache, self.options.source, commit)

    def _finished(self, at: Place) -> Repository | None:
        """Return what an earlier download found, if it finished."""
        known = marker.read(at.marker, self.options.source)
        if known is not None:
            log.info("commit %s is there already", at.commit)
            self.meter.expect(known.files, known.total_bytes)
            self.meter.all_done()
        return known


def _pin(at: Place) -> None:
    try:
        at.pin.touch()
    except OSError as error:  # a finished download on a volume that is read-only by now serves all the same
        log.warning("commit %s cannot be pinned: %s", at.commit, error.strerror)


def _text(at: Place, path: str) -> str:
    return inspection.check_text(path, disk.read_bounded(at.file(path), inspection.text_bytes(path)))


def _finish(at: Place, source: str, found: Repository) -> None:
    disk.remove(at.partials)
    disk.sync_directory(at.root)
    marker.write(at.marker, source, found)


def _facts(listing: Listing) -> Facts:
    return Facts(listing.commit, listing.total, len(listing.files), listing.licence)

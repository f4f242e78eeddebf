"""One leader at a time, by a Lease object.

The one rule: clocks of different machines are never compared. A holder is alive for as long as its renewTime *changes*
within the duration on our own clock, and we lead for as long as the *start* of our last good renewal is young.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC
from typing import Protocol

from inferfleet.api.base import Json
from inferfleet.errors import KubeError
from inferfleet.kube.client import CONFLICT
from inferfleet.kube.kinds import LEASES, Kind
from inferfleet.kube.timing import Time

logger = logging.getLogger(__name__)

REQUEST_SECONDS = 2.0
"""How long the client that a Lease uses should wait for an answer: a hung request must leave time for others."""

# A holder of another version may publish a longer duration, but not one that locks everybody out.
_LONGEST_SECONDS = 60.0


class LeaseApi(Protocol):
    """The part of `Client` that a Lease needs: one of its own, with its own session and a `may_write` that says yes."""

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Json | None:
        """Read an object."""

    async def create(self, manifest: Json, kind: Kind | None = None) -> Json:
        """Create an object."""

    async def replace(self, manifest: Json, kind: Kind | None = None) -> Json:
        """Replace an object of this very version."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a silent leader is waited for, how long a leader trusts itself, and how often either looks."""

    duration_seconds: float = 15.0
    renew_seconds: float = 10.0
    retry_seconds: float = 2.0


DEFAULT_TERMS = Terms()


class Lease:
    """Our part in the election for one Lease object."""

    def __init__(
        self, api: LeaseApi, namespace: str, name: str, identity: str, time: Time, terms: Terms = DEFAULT_TERMS
    ) -> None:
        """Take part as `identity`, the pod's name; nothing is sent yet."""
        self._api = api
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._time = time
        self._terms = terms
        self._seen: Json = {}
        self._seen_at = time.monotonic()
        self._held = False
        self._good_since = 0.0

    def valid(self) -> bool:
        """Tell whether we may write: no rival can lead before a write that begins now has ended."""
        return self._held and self._time.monotonic() - self._good_since < self._terms.renew_seconds

    @property
    def holder(self) -> str:
        """Name who led when we last looked; empty when nobody did."""
        return str(_spec(self._seen).get("holderIdentity") or "")

    @property
    def transitions(self) -> int:
        """Count how often the leader has changed."""
        return int(_spec(self._seen).get("leaseTransitions") or 0)

    async def acquire(self) -> None:
        """Stand by until we lead, through every error of the API server."""
        while True:
            try:
                await self._try_to_lead()
            except KubeError as error:
                logger.debug("The Lease could not be looked at: %s", error)
            if self._held:
                logger.info("%s leads.", self._identity)
                return
            await self._time.sleep(self._time.around(self._terms.retry_seconds))

    async def hold(self) -> None:
        """Renew until the Lease is lost; returns then, and nothing may be written any more."""
        while True:
            await self._time.sleep(self._terms.retry_seconds)
            if not self.valid():
                break
            try:
                await self._renew()
            except KubeError as error:
                logger.warning("The Lease was not renewed: %s", error)
            if not self.valid():
                break
        self._held = False
        logger.error("%s leads no more.", self._identity)

    async def release(self) -> None:
        """Give the Lease up, so that a standby need not wait; where that fails it waits for the duration."""
        was_valid, self._held = self.valid(), False
        if not was_valid:
            return
        spec = self._claim(transitions=self.transitions) | {"holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            await self._api.replace({**self._seen, "spec": spec}, LEASES)
        except KubeError as error:
            logger.warning("The Lease was not released: %s", error)

    async def _try_to_lead(self) -> None:
        found = await self._api.get(LEASES, self._namespace, self._name)
        if found is None:
            await self._take(self._api.create, self._new(), self._claim(transitions=0))
            return
        self._observe(found)
        if self.holder in ("", self._identity) or self._is_stale():
            changes = self.holder != self._identity
            await self._take(self._api.replace, found, self._claim(transitions=self.transitions + changes))

    async def _renew(self) -> None:
        try:
            await self._take(self._api.replace, self._seen, self._claim(transitions=self.transitions))
        except KubeError as error:
            if error.status != CONFLICT:
                raise
            await self._renew_what_is_there()

    async def _renew_what_is_there(self) -> None:
        """Look who wrote: we did when an answer got lost, or somebody touched a label; else the Lease is not ours."""
        found = await self._api.get(LEASES, self._namespace, self._name)
        if found is None or _spec(found).get("holderIdentity") != self._identity:
            self._held = False
            return
        await self._take(self._api.replace, found, self._claim(transitions=self.transitions))

    async def _take(self, write: Callable[[Json, Kind], Awaitable[Json]], lease: Json, spec: Json) -> None:
        """Write our claim; the optimistic lock lets one of several through."""
        begun = self._time.monotonic()
        self._seen = await write({**lease, "spec": spec}, LEASES)
        self._held, self._good_since = True, begun

    def _new(self) -> Json:
        meta = {"namespace": self._namespace, "name": self._name}
        return {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": meta}

    def _claim(self, *, transitions: int) -> Json:
        """Say that we lead from now on; the times are for people to read."""
        now = self._time.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        before = _spec(self._seen)
        since = before.get("acquireTime") if before.get("holderIdentity") == self._identity else None
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(round(self._terms.duration_seconds), 1),
            "acquireTime": since or now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }

    def _observe(self, found: Json) -> None:
        """Remember when the Lease last changed, by our own clock; any change shows that somebody is alive."""
        if _uid(found) != _uid(self._seen) or _spec(found) != _spec(self._seen):
            self._seen_at = self._time.monotonic()
        self._seen = found

    def _is_stale(self) -> bool:
        theirs = min(_spec(self._seen).get("leaseDurationSeconds") or 0, _LONGEST_SECONDS)
        return self._time.monotonic() - self._seen_at >= max(theirs, self._terms.duration_seconds)


def _spec(lease: Json) -> Json:
    return lease.get("spec") or {}


def _uid(lease: Json) -> str | None:
    return (lease.get("metadata") or {}).get("uid")

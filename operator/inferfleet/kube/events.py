"""Tells people what happened, as Kubernetes events: each thing once in ten minutes, and counted.

The one rule: telling never fails, waits or repeats itself so often that it harms what it tells about.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC
from math import inf
from typing import Literal, NoReturn

from inferfleet.api.base import Json
from inferfleet.errors import KubeError
from inferfleet.kube.client import NOT_FOUND, Client
from inferfleet.kube.kinds import EVENTS, Ref
from inferfleet.kube.timing import Time

logger = logging.getLogger(__name__)

COMPONENT = "inferfleet"
MESSAGE_LIMIT = 1024
_REASON = re.compile(r"^[A-Z][A-Za-z0-9]{0,127}$")
_SILENCE_SECONDS = 600.0
_BURST, _REFILL_SECONDS = 25, 300.0
_WAITING = 512
_REMEMBERED = 4096


@dataclass(slots=True)
class _Told:
    """One thing that was said about an object: its event's name, how often it happened, and when it was last sent."""

    event: str
    count: int
    sent_at: float


@dataclass(slots=True)
class _Allowance:
    """How many events an object may still cause."""

    tokens: float
    filled_at: float


class EventRecorder:
    """Records events about objects; `run` sends them."""

    def __init__(self, client: Client, identity: str, time: Time) -> None:
        """Sign as this replica."""
        self._client = client
        self._identity = identity
        self._time = time
        self._told: OrderedDict[str, _Told] = OrderedDict()
        self._allowances: OrderedDict[str, _Allowance] = OrderedDict()
        self._waiting: asyncio.Queue[tuple[Json, _Told]] = asyncio.Queue(_WAITING)
        self.dropped = 0

    def record(self, about: Ref, uid: str, kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Say that something happened to an object; said again within ten minutes it is only counted."""
        if not _REASON.match(reason):
            logger.error("An event's reason is not CamelCase: %r", reason)
            self.dropped += 1
            return
        text = _bounded(message)
        digest = hashlib.sha256(f"{uid}\0{reason}\0{text}".encode()).hexdigest()[:16]
        told = self._remember(digest, f"{about.name[:230]}.{digest}")
        told.count += 1
        now = self._time.monotonic()
        if now - told.sent_at < _SILENCE_SECONDS or not self._may_tell(uid, now):
            return
        told.sent_at = now
        event = self._event(about, uid, kind, reason, text)
        event["metadata"]["name"], event["count"] = told.event, told.count
        try:
            self._waiting.put_nowait((event, told))
        except asyncio.QueueFull:
            self.dropped += 1

    async def run(self) -> NoReturn:
        """Send what is recorded, for ever."""
        while True:
            event, told = await self._waiting.get()
            try:
                await self._send(event, told)
            except KubeError as error:
                self.dropped += 1
                logger.debug("An event was not recorded: %s", error)
            finally:
                self._waiting.task_done()

    async def flush(self) -> None:
        """Wait until everything recorded so far was sent or dropped; `run` must be running."""
        await self._waiting.join()

    async def _send(self, event: Json, told: _Told) -> None:
        """Create the event, or count one up: the name is the same after a restart, and for the next leader."""
        ref = Ref(EVENTS, event["metadata"]["namespace"], told.event)
        repeat = {"count": event["count"], "lastTimestamp": event["lastTimestamp"]}
        if event["count"] > 1:
            try:
                await self._client.merge_patch(ref, repeat)
            except KubeError as error:
                if error.status != NOT_FOUND:
                    raise
            else:
                return
        try:
            await self._client.create(event)
        except KubeError as error:
            if error.reason != "AlreadyExists":
                raise
            found = await self._client.merge_patch(ref, {"lastTimestamp": event["lastTimestamp"]})
            told.count += int(found.get("count") or 0)

    def _remember(self, digest: str, event: str) -> _Told:
        told = self._told.pop(digest, None) or _Told(event, 0, -inf)
        self._told[digest] = told
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        return told

    def _may_tell(self, uid: str, now: float) -> bool:
        """Take from the object's allowance: one that changes its story all the time must not flood the cluster."""
        allowance = self._allowances.pop(uid, None) or _Allowance(_BURST, now)
        self._allowances[uid] = allowance
        if len(self._allowances) > _REMEMBERED:
            self._allowances.popitem(last=False)
        allowance.tokens = min(allowance.tokens + (now - allowance.filled_at) / _REFILL_SECONDS, _BURST)
        allowance.filled_at = now
        if allowance.tokens < 1:
            self.dropped += 1
            return False
        allowance.tokens -= 1
        return True

    def _event(self, about: Ref, uid: str, kind: str, reason: str, text: str) -> Json:
        now = self._time.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        involved = {"apiVersion": about.kind.api_version, "kind": about.kind.kind, "name": about.name, "uid": uid}
        involved |= {"namespace": about.namespace} if about.namespace else {}
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"namespace": about.namespace or "default"},
            "involvedObject": involved,
            "type": kind,
            "reason": reason,
            "message": text,
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "reportingInstance": self._identity,
            "firstTimestamp": now,
            "lastTimestamp": now,
        }


def _bounded(message: str) -> str:
    """Cut a message to what an event may hold, and replace what is no text."""
    text = message.encode(errors="replace").decode()
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"

"""A running model hub as tests of downloads use it: publish, pull a lever, fetch, look at what went over the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from e2e.rig.hub.client import HubClient
from e2e.rig.hub.levers import Kind
from e2e.rig.hub.store import Repository
from inferfleet.fetch.download import Download
from inferfleet.fetch.meter import Meter
from inferfleet.fetch.options import FetchOptions
from inferfleet.fetch.run import run_fetch
from inferfleet.fetch.sources import HubSource, parse_source
from inferfleet.fetch.world import World
from inferfleet.fleet.names import source_directory
from inferfleet.fleet.weights import Outcome
from inferfleet.fleet.weights import Repository as Found

READER = "hf_rig_reader"
MEMBER = "hf_rig_member"
CONFIG = b'name: "echo"\nbackend: "python"\n'
_NUMBER = count(1)


@dataclass(frozen=True, slots=True)
class Published:
    """A repository on the hub."""

    name: str
    commit: str

    @property
    def source(self) -> str:
        return f"hf://{self.name}"


@dataclass(frozen=True, slots=True)
class RunningHub:
    """A hub that answers, and what is published on it."""

    address: str
    control: HubClient
    scratch: Path

    def publish(self, files: Mapping[str, bytes], *, gated: str = "", private: bool = False) -> Published:
        """Publish files under a name that no other test uses."""
        number = next(_NUMBER)
        content = self.scratch / f"content-{number}"
        for path, body in files.items():
            (content / path).parent.mkdir(parents=True, exist_ok=True)
            (content / path).write_bytes(body)
        name = f"org/model-{number}"
        return Published(name, self.control.publish(Repository(name, gated=gated, private=private), content))

    def pull(
        self, kind: Kind, at: Published, value: int = 0, path: str = "*", times: int = 0
    ) -> AbstractContextManager[None]:
        """Hold a lever for one repository while a block runs."""
        return self.control.pulled(kind, value, repository=at.name, path=path, times=times)

    def sent(self, at: Published) -> int:
        """Count the bytes of its files that left the hub."""
        return sum(entry["sent"] for entry in self.control.log() if entry["repository"] == at.name)

    def asked(self, at: Published) -> list[dict[str, Any]]:
        """List the requests about it."""
        return [entry for entry in self.control.log() if entry["repository"] == at.name]


@dataclass(slots=True)
class Fetcher:
    """Runs the step in this process and keeps what it said."""

    options: FetchOptions
    pauses: list[float] = field(default_factory=list)

    def __call__(self, at: Published | str, **changes: Any) -> Outcome:
        """Fetch and return the termination message; the exit status must agree with it."""
        source = at if isinstance(at, str) else at.source
        options = replace(self.options, source=source, **changes)
        status = run_fetch(options, sleep=self._sleep, chance=lambda: 0.5)
        outcome = Outcome.model_validate_json(options.termination_message.read_bytes())
        assert (status == 0) == outcome.ok
        return outcome

    def fresh(self) -> Path:
        """Make another, empty cache."""
        cache = self.options.cache.with_name(f"cache-{next(_NUMBER)}")
        cache.mkdir()
        return cache

    def place(self, at: Published, folder: str = "") -> Path:
        """Say where the commit lies."""
        source = f"{at.source}/{folder}" if folder else at.source
        return self.options.cache / source_directory(source) / at.commit

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


def quick(clock: float = 0.0) -> World:
    """Make a world in which nobody waits."""

    async def sleep(_: float) -> None:
        await asyncio.sleep(0)

    return World(lambda: clock, sleep, lambda: 0.5)


async def resolved(options: FetchOptions, source: str) -> Found:
    """Resolve a source and return what was found."""
    parsed = parse_source(source)
    assert isinstance(parsed, HubSource)
    world = quick()
    return await Download(replace(options, source=source, resolve_only=True), parsed, world, Meter(world.clock)).run()

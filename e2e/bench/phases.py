"""The phases of the benchmark, one after another, and what each one took.

The one rule: a phase ends when nothing is written any more, and its CPU is all that the operator used until then.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic

from e2e.bench.fleet import NAMESPACE, Simulated
from e2e.bench.process import BenchError, OperatorProcess, Scrape
from inferfleet.api.base import PLURAL
from support.fake_kube import Logged

LOOK_SECONDS, SOON_SECONDS = 0.25, 0.01
LONGEST_SECONDS = 1800.0
EDITS_PER_SECOND = 2.0
BEATS, BEATS_PER_MODEL = 300, 10
"""Beats of each size at least, so that the kernel's ticks of 10 ms do not matter; fewer where there are few models."""
NOT_OURS = ("leases",)
Say = Callable[[str, int, int], None]
"""Told the phase, how much is done and of how much."""


@dataclass(frozen=True, slots=True)
class Phase:
    """What one phase took."""

    name: str
    models: int
    seconds: float
    cpu_seconds: float
    beats: int
    writes: int
    requests: int
    beat_p50_ms: float
    beat_p99_ms: float
    rss_mib: float
    asked: dict[str, int]
    """Requests by verb and resource."""

    @property
    def cpu_ms(self) -> float:
        """CPU for each model."""
        return 1000 * self.cpu_seconds / self.models


@dataclass(frozen=True, slots=True)
class Size:
    """What a beat that changes nothing costs with so many children."""

    group: str
    children: float
    cpu_ms: float
    beats: int


@dataclass
class Run:
    """One benchmark on its way."""

    fleet: Simulated
    operator: OperatorProcess
    say: Say
    quiet_seconds: float = 3.0
    """After so long without a write a phase has ended."""
    phases: dict[str, Phase] = field(default_factory=dict)
    sizes: list[Size] = field(default_factory=list)
    delays: dict[str, list[float]] = field(default_factory=dict)
    memory: list[tuple[int, float]] = field(default_factory=list)
    """Models, and resident MiB while they were created."""
    peak_mib: float = 0.0
    created_seconds: float = 0.0
    created_cpu: float = 0.0
    children: int = 0
    left: int = 0
    """Objects that a deletion of all models left behind."""
    start_cpu: float = 0.0
    start_mib: float = 0.0

    async def lead(self) -> None:
        """Wait until the operator leads and knows the cluster."""
        begun = monotonic()
        while not (await self.operator.scrape()).cached:
            await self._pause("start", 0, 1, begun)
        self.start_cpu = self.operator.cpu_seconds()
        self.start_mib = self.operator.memory_mib()[0]
        self.say("start", 1, 1)

    async def create(self, name: str, models: Sequence[str], spec: dict[str, object]) -> None:
        """Create models all at once; wait until each is as it should be."""
        begun = monotonic()
        async with _Measured(self, name, len(models)):
            for model in models:
                self.fleet.create(model, spec)
                await asyncio.sleep(0)
            cpu = self.operator.cpu_seconds()
            while (done := sum(map(self.fleet.is_at_rest, models))) < len(models):
                if not self.phases:
                    self._note_start(models, begun, cpu)
                await self._pause(name, done, len(models), begun)
            await self.quiet(name)
        self.children = self.children or self.fleet.children(*models)

    def _note_start(self, models: Sequence[str], begun: float, cpu: float) -> None:
        """Note memory by the models that have their children, and when the last of them had."""
        started = sum(map(self.fleet.has_started, models))
        self.memory.append((started, self.operator.memory_mib()[0]))
        if started == len(models) and not self.created_seconds:
            self.created_seconds, self.created_cpu = monotonic() - begun, self.operator.cpu_seconds() - cpu

    async def idle(self, seconds: float) -> None:
        """Let time pass."""
        begun = monotonic()
        async with _Measured(self, "idle", 1):
            while monotonic() - begun < seconds:
                await self._pause("idle", int(monotonic() - begun), int(seconds), begun)

    async def change(self, models: Sequence[str]) -> None:
        """Give models a new revision, a few each second, so that no write waits for another's turn."""
        begun = monotonic()
        async with _Measured(self, "change", len(models)):
            for number, model in enumerate(models):
                self.fleet.edit(model, {"spec": {"template": {"labels": {"edition": "second"}}}})
                await self._pause("change", number, 2 * len(models), begun, 1 / EDITS_PER_SECOND)
            while (done := sum(map(self.fleet.is_at_rest, models))) < len(models):
                await self._pause("change", len(models) + done, 2 * len(models), begun)
            await self.quiet("change")

    async def resync(self, groups: dict[str, Sequence[str]], idle_share: float) -> None:
        """Let the operator look at every model, group by group, where nothing is to be done."""
        total = sum(map(len, groups.values()))
        async with _Measured(self, "resync", total):
            for name, models in groups.items():
                if models:
                    await self._look_at(name, models, min(BEATS, BEATS_PER_MODEL * total), idle_share)
            await self.quiet("resync")

    async def _look_at(self, group: str, models: Sequence[str], beats: int, idle_share: float) -> None:
        rounds = -(-beats // len(models))
        before, cpu, begun = self.fleet.looks(), self.operator.cpu_seconds(), monotonic()
        for number in range(rounds):
            for model in models:
                self.fleet.touch(model, f"{group}-{number}")
            await self._looked(before + len(models) * (number + 1))
            self.say("resync", number + 1, rounds)
        await asyncio.sleep(LOOK_SECONDS)
        seen = self.fleet.looks() - before
        spent = self.operator.cpu_seconds() - cpu - idle_share * (monotonic() - begun)
        children = self.fleet.children(*models) / len(models)
        self.sizes.append(Size(group, children, 1000 * spent / seen, seen))

    async def restart(self, again: OperatorProcess, models: int) -> None:
        """Start another operator on the settled fleet, after the first has ended."""
        self.operator = again
        async with _Measured(self, "restart", models):
            await self._looked(models)
            await self.quiet("restart")

    async def delete(self, models: Sequence[str]) -> None:
        """Delete all models; wait until nothing of them is left, in the operator's caches too."""
        begun = monotonic()
        async with _Measured(self, "delete", len(models)):
            for model in models:
                self.fleet.fake.delete(PLURAL, NAMESPACE, model)
                await asyncio.sleep(0)
            await self.quiet("delete")
            pods = self.fleet.fake.api.resource("pods")
            while left := len(self.fleet.fake.api.storage.all(pods)):
                await self._pause("delete", len(models) - min(left, len(models)), len(models), begun)
        self.left = self.fleet.children(*models, owned=True)

    async def quiet(self, name: str) -> None:
        """Wait until nothing was written for a moment."""
        begun = since = monotonic()
        seen = -1
        while monotonic() - since < self.quiet_seconds:
            now = sum(_is_ours(entry) for entry in self.fleet.fake.log)
            since, seen = (monotonic(), now) if now != seen else (since, seen)
            await self._pause(name, 1, 1, begun)

    async def _looked(self, looks: int) -> None:
        """Wait for so many beats, by the reads with which they begin."""
        begun = monotonic()
        while self.fleet.looks() < looks:
            await self._pause("", 0, 0, begun, SOON_SECONDS)

    async def _pause(self, name: str, done: int, of: int, begun: float, seconds: float = LOOK_SECONDS) -> None:
        if name:
            self.say(name, done, of)
        if monotonic() - begun > LONGEST_SECONDS:
            raise BenchError(f"{name or 'a look at every model'} did not end within {LONGEST_SECONDS:.0f} s")
        await asyncio.sleep(seconds)
        self.operator.check()
        self.fleet.note_delays()


@dataclass
class _Measured:
    """Measures the operator during a block."""

    run: Run
    name: str
    models: int
    _cpu: float = 0.0
    _begun: float = 0.0
    _before: Scrape = field(default_factory=lambda: Scrape(0.0, {}, 0.0))

    async def __aenter__(self) -> None:
        run = self.run
        run.fleet.take_log()
        run.fleet.delays.clear()
        run.fleet.edited_at.clear()
        self._before = await run.operator.scrape()
        # An operator that is just starting has used what its imports took.
        self._cpu = run.operator.cpu_seconds() if self._before.started else run.start_cpu
        self._begun = monotonic()

    async def __aexit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            return
        run = self.run
        seconds, cpu = monotonic() - self._begun, run.operator.cpu_seconds() - self._cpu
        log = run.fleet.take_log()
        after = await run.operator.scrape()
        rss, peak = run.operator.memory_mib()
        run.peak_mib = max(run.peak_mib, peak)
        run.delays[self.name] = list(run.fleet.delays)
        run.phases[self.name] = Phase(
            name=self.name,
            models=self.models,
            seconds=seconds,
            cpu_seconds=cpu,
            beats=int(after.beats - self._before.beats),
            writes=sum(map(_is_ours, log)),
            requests=sum(entry.resource not in NOT_OURS for entry in log),
            beat_p50_ms=after.quantile(self._before, 0.5),
            beat_p99_ms=after.quantile(self._before, 0.99),
            rss_mib=rss,
            asked=dict(Counter(_words(entry) for entry in log)),
        )


def _words(entry: Logged) -> str:
    return f"{entry.verb} {entry.resource}" + (f"/{entry.subresource}" if entry.subresource else "")


def _is_ours(entry: Logged) -> bool:
    return entry.writes and entry.resource not in NOT_OURS

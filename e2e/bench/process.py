"""The operator as a process of its own, and what the kernel and its own metrics say of it.

The one rule: CPU and memory are the kernel's count of this one process.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from e2e.bench import ROOT

TICK = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20
END_SECONDS = 20.0
BEAT = "inferfleet_beat_duration_seconds"


class BenchError(Exception):
    """The measurement cannot go on; the message says why."""


@dataclass(frozen=True, slots=True)
class Scrape:
    """What the operator's own metrics said once."""

    beats: float
    buckets: dict[float, float]
    cached: float
    started: bool = True

    def quantile(self, since: Scrape, share: float) -> float:
        """Estimate a quantile of beat durations since an earlier scrape, in ms, as Prometheus does."""
        counts = [(bound, self.buckets[bound] - since.buckets.get(bound, 0.0)) for bound in sorted(self.buckets)]
        wanted = share * counts[-1][1] if counts else 0.0
        low, below = 0.0, 0.0
        for bound, count in counts:
            if wanted and count >= wanted:
                inside = (wanted - below) / (count - below)
                return 1000 * (low + inside * (bound - low) if bound != float("inf") else low)
            low, below = bound, count
        return 0.0


@dataclass
class OperatorProcess:
    """`inferfleet run` against one API server."""

    folder: Path
    kubeconfig: Path
    config: Path
    number: int = 0
    profile: Path | None = None
    """Where to write a profile of its main thread, which makes it slower."""
    port: int = 0
    process: subprocess.Popen[bytes] = field(init=False)

    async def __aenter__(self) -> Self:
        self._begin()
        return self

    def _begin(self) -> None:
        self.port = _free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KUBERNETES_")}
        environment["PYTHONPATH"] = str(ROOT / "operator")
        profiled = ["-m", "cProfile", "-o", f"{self.profile}.{self.number}"] if self.profile else []
        command = [sys.executable, *profiled, "-m", "inferfleet", "run", "--identity", f"bench-{self.number}"]
        command += ["--config", str(self.config), "--kubeconfig", str(self.kubeconfig)]
        command += ["--host", "127.0.0.1", "--port", str(self.port), "--log-level", "warning"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    async def __aexit__(self, *_: object) -> None:
        """End it as Kubernetes does; the API server answers meanwhile."""
        self.process.terminate()
        try:
            await asyncio.to_thread(self.process.wait, END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def log(self) -> Path:
        return self.folder / f"operator-{self.number}.log"

    def check(self) -> None:
        """Fail when it ended by itself."""
        if self.process.poll() is not None:
            end = self.log.read_text("utf-8", "replace")[-2000:]
            raise BenchError(f"the operator ended with status {self.process.returncode}:\n{end}")

    def cpu_seconds(self) -> float:
        """CPU of all its threads, user and system, since it began."""
        self.check()
        fields = Path(f"/proc/{self.process.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory_mib(self) -> tuple[float, float]:
        """Resident memory now, and its peak."""
        self.check()
        status = Path(f"/proc/{self.process.pid}/status").read_text("utf-8")
        sizes = {line.split()[0]: int(line.split()[1]) for line in status.splitlines() if line.startswith("Vm")}
        return sizes["VmRSS:"] / 1024, sizes["VmHWM:"] / 1024

    async def scrape(self) -> Scrape:
        """Read its metrics; an operator that is not up yet has counted nothing."""
        self.check()
        try:
            async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self.port}/metrics") as page:
                text = await page.text()
        except aiohttp.ClientError:
            return Scrape(0.0, {}, 0.0, started=False)
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        buckets: dict[float, float] = {}
        for sample in samples:
            if sample.name == f"{BEAT}_bucket":
                bound = float(sample.labels["le"])
                buckets[bound] = buckets.get(bound, 0.0) + sample.value
        beats = sum(sample.value for sample in samples if sample.name == f"{BEAT}_count")
        cached = sum(sample.value for sample in samples if sample.name == "inferfleet_informer_objects")
        return Scrape(beats, buckets, cached)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

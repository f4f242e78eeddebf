"""One hub in a process of its own for all tests here; each test finds it without levers and with an empty log."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.rig.hub.client import HubClient
from inferfleet.fetch.options import FetchOptions
from support.hub import Fetcher, RunningHub

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session", name="hub_process")
def _hub_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    root = tmp_path_factory.mktemp("hub")
    command = [sys.executable, "-m", "e2e.rig.hub", "--root", str(root / "store"), "--port", "0", "--cdn-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        yield RunningHub(address, HubClient(address), root)
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture
def hub(hub_process: RunningHub) -> Iterator[RunningHub]:
    hub_process.control.release()
    hub_process.control.clear_log()
    yield hub_process
    hub_process.control.release()


@pytest.fixture
def fetch(tmp_path: Path, hub: RunningHub) -> Fetcher:
    cache = tmp_path / "cache"
    cache.mkdir()
    return Fetcher(
        FetchOptions(
            source="", endpoint=hub.address, cache=cache, termination_message=tmp_path / "message", connections=3
        )
    )

"""A hub on loopback with one small and one large file, in a thread of its own, so that blocking clients can ask it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e.rig.hub.app import Settings, serving
from e2e.rig.hub.client import HubClient
from e2e.rig.hub.store import Repository, Store

NAME = "inferfleet/tiny"
LARGE = bytes(range(256)) * 8192  # 2 MiB: behind a redirect, as on the hub
SMALL = b"max_batch_size: 0\n"


@dataclass(frozen=True, slots=True)
class Running:
    """A hub that answers."""

    address: str
    store: Store
    control: HubClient
    commit: str


@pytest.fixture(name="content")
def _content(tmp_path: Path) -> Path:
    directory = tmp_path / "content"
    (directory / "tiny" / "1").mkdir(parents=True)
    (directory / "tiny" / "config.pbtxt").write_bytes(SMALL)
    (directory / "tiny" / "1" / "weights.bin").write_bytes(LARGE)
    return directory


@pytest.fixture(name="hub", params=["one origin", "two origins"])
def _hub(request: pytest.FixtureRequest, tmp_path: Path, content: Path) -> Iterator[Running]:
    store = Store(tmp_path / "hub")
    commit = store.publish(Repository(NAME), content)
    settings = Settings(tmp_path / "hub", port=0, cdn_port=0 if request.param == "two origins" else None)
    with running(settings) as address:
        yield Running(address, store, HubClient(address), commit)


class running:  # noqa: N801 - reads as the context manager that it is
    """Serve a hub in a thread while the block runs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._address = ""
        self._up = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()))

    def __enter__(self) -> str:
        self._thread.start()
        assert self._up.wait(timeout=10)
        return self._address

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=10)
        self._loop.close()

    async def _serve(self) -> None:
        async with serving(self._settings) as address:
            self._address = address
            self._up.set()
            await self._stop.wait()

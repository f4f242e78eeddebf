"""Every test here runs in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from support.virtual_time import VirtualLoop


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Callable[[], VirtualLoop]]:
    return {"virtual": VirtualLoop}

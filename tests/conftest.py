"""Settings of all tests: property tests are judged by what they find, not by how long a busy machine takes."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("inferfleet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("inferfleet")


@pytest.fixture(scope="session", autouse=True)
def _modules_are_no_garbage() -> Iterator[None]:
    """Keep the collector from looking at every module again and again: a fifth of the time goes there."""
    gc.collect()
    gc.freeze()
    before = gc.get_threshold()
    gc.set_threshold(20_000, 20, 50)
    yield
    gc.set_threshold(*before)
    gc.unfreeze()

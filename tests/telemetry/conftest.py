"""Every test here runs in virtual time."""

from __future__ import annotations

from support.in_virtual_time import pytest_asyncio_loop_factories, sim

__all__ = ["pytest_asyncio_loop_factories", "sim"]

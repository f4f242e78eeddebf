"""The same work for many things, a few at a time.

The one rule: the first failure ends all of it and comes out as itself, not as a group.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


async def each(items: Iterable[A], at_once: int, work: Callable[[A], Awaitable[B]]) -> list[B]:
    """Do the work for each item, in their order, `at_once` at a time; results come in the order of the items."""
    waiting = deque(enumerate(items))
    results: dict[int, B] = {}

    async def worker() -> None:
        while waiting:
            number, item = waiting.popleft()
            results[number] = await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, len(waiting))):
                group.create_task(worker())
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed.exceptions[0].__cause__
    return [results[number] for number in sorted(results)]

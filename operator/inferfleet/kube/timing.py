"""Time and chance as this room uses them: handed in, so that tests move them by hand.

The one rule: nothing in this room looks at a clock, sleeps or draws a number except through a `Time`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Time:
    """A clock that never steps back, a way to sleep, a number in [0, 1) drawn anew at each call, and the UTC time."""

    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    chance: Callable[[], float]
    now: Callable[[], datetime]

    def around(self, seconds: float, share: float = 0.2) -> float:
        """Vary a delay by up to this share in both directions, so that many do not come at once."""
        return seconds * (1 - share + 2 * share * self.chance())


class Backoff:
    """Delays that double from the first to the longest until something went well."""

    def __init__(self, time: Time, first: float, longest: float) -> None:
        """Start with the first delay."""
        self._time = time
        self._first = first
        self._longest = longest
        self._next = first

    async def wait(self) -> None:
        """Sleep for the current delay, varied by a fifth, and double it."""
        delay, self._next = self._next, min(2 * self._next, self._longest)
        await self._time.sleep(min(self._time.around(delay), self._longest))

    def reset(self) -> None:
        """Begin with the first delay again."""
        self._next = self._first


class TokenBucket:
    """Lets `rate` calls pass each second and `burst` at once; the rest wait in the order in which they came."""

    def __init__(self, time: Time, rate: float, burst: int) -> None:
        """Start full."""
        self._time = time
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._filled_at = time.monotonic()
        self._closed_until = self._filled_at

    async def take(self) -> None:
        """Take a token and wait until it is due, and for as long as the bucket is closed."""
        now = self._time.monotonic()
        self._tokens = min(self._tokens + (now - self._filled_at) * self._rate, self._burst) - 1
        self._filled_at = now
        wait = -self._tokens / self._rate
        if wait > 0:
            await self._time.sleep(wait)
        while (closed := self._closed_until - self._time.monotonic()) > 0:
            await self._time.sleep(closed)

    def close_for(self, seconds: float) -> None:
        """Let nobody pass for so long, because the API server asked for it."""
        self._closed_until = max(self._closed_until, self._time.monotonic() + seconds)

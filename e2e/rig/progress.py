"""What a person sees while the rig builds and starts: step k of n, time gone, and an estimate of the rest.

On a terminal one line is redrawn; elsewhere lines are printed, at least one every 15 seconds.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.status import Status

from e2e.rig import cache

QUIET_S = 15.0
_TICK_S = 0.5


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of work, with a guess of its seconds for a machine that has never done it."""

    title: str
    seconds: float
    work: Callable[[], object]


def run_steps(steps: list[Step], console: Console | None = None) -> None:
    """Do the steps in order and show how far they are."""
    console = console or Console(file=sys.stdout, highlight=False)
    known = _durations()
    guesses = [known.get(step.title, step.seconds) for step in steps]
    started = time.monotonic()
    for index, step in enumerate(steps):
        head = f"[{index + 1}/{len(steps)}] {step.title}"
        began = time.monotonic()
        pace = (began - started) / sum(guesses[:index]) if index else 1.0
        rest = sum(guesses[index + 1 :])
        with _shown(console, partial(line, head, guesses[index], rest, max(1.0, pace))):
            step.work()
        took = time.monotonic() - began
        console.print(f"{head}: done in {spell(took)}", markup=False, soft_wrap=True)
        _remember(step.title, took)


def line(head: str, guess: float, rest: float, pace: float, gone: float) -> str:
    """Write the line for a step that is running, in seconds: `rest` is the guess of the steps after it.

    `pace` is how many times longer than guessed the steps before it took; this one may be slower still.
    """
    slow = max(pace, gone / guess) if guess else pace
    left = max(guess - gone, 0.0) + rest * slow
    return f"{head}: {spell(gone)} of about {roughly(max(guess, gone))}, about {roughly(left)} to go"


def roughly(seconds: float) -> str:
    """Write a guess as a person says it: no more exact than it is."""
    return f"{max(10, round(seconds, -1)):.0f} s" if seconds < 85 else f"{round(seconds / 60)} min"


def spell(seconds: float) -> str:
    """Write a duration as a person says it."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


@contextmanager
def _shown(console: Console, text: Callable[[float], str]) -> Iterator[None]:
    began = time.monotonic()
    done = threading.Event()
    status = console.status(_escape(text(0.0))) if console.is_terminal else None
    ticker = threading.Thread(target=_tick, args=(console, status, text, began, done), daemon=True)
    if status:
        status.start()
    ticker.start()
    try:
        yield
    finally:
        done.set()
        ticker.join()
        if status:
            status.stop()


def _tick(
    console: Console,
    status: Status | None,
    text: Callable[[float], str],
    began: float,
    done: threading.Event,
) -> None:
    said = began
    while not done.wait(_TICK_S):
        now = time.monotonic()
        if status:
            status.update(_escape(text(now - began)))
        elif now - said >= QUIET_S or (said == began and now - began > 2 * _TICK_S):
            console.print(text(now - began), markup=False, soft_wrap=True)
            said = now


def _escape(text: str) -> str:
    return text.replace("[", r"\[")


def _durations() -> dict[str, float]:
    try:
        known = json.loads(_file().read_text())
    except (OSError, ValueError):
        return {}
    return {str(title): float(seconds) for title, seconds in known.items()}


def _remember(title: str, seconds: float) -> None:
    known = {**_durations(), title: round(seconds, 1)}
    _file().parent.mkdir(parents=True, exist_ok=True)
    fresh = _file().with_suffix(f".{threading.get_native_id()}")
    fresh.write_text(json.dumps(known, indent=1))
    fresh.replace(_file())


def _file() -> Path:
    return cache.root() / "durations.json"

"""`inferfleet fetch`, from options to exit status.

The one rule: however it ends, the termination message says so, and nothing that is written anywhere holds a secret.
This module alone takes the real clock, sleep and chance, as defaults of its arguments.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import signal
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import replace

from inferfleet.errors import FetchError
from inferfleet.fetch import claim, outcome, server
from inferfleet.fetch.download import Download
from inferfleet.fetch.meter import Meter
from inferfleet.fetch.options import FetchOptions
from inferfleet.fetch.server import Board
from inferfleet.fetch.sources import ClaimSource, parse_source
from inferfleet.fetch.text import redact
from inferfleet.fetch.urls import passwords
from inferfleet.fetch.world import World
from inferfleet.fleet.weights import Outcome, Repository

TOKEN = re.compile(r"[\x21-\x7e]{0,4096}\Z")
log = logging.getLogger(__name__)


def run_fetch(
    options: FetchOptions,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    chance: Callable[[], float] = random.random,  # noqa: TID251 - the outermost default
) -> int:
    """Bring a source into the cache, or find out about it; returns the exit status (see `outcome`)."""
    return asyncio.run(_run(replace(options, token=options.token.strip()), World(clock, sleep, chance)))


async def _run(options: FetchOptions, world: World) -> int:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    meter = Meter(world.clock)
    ended = outcome.STOPPED_EARLY
    try:
        async with server.serving(options, meter) as board:
            ended = await _outcome(options, world, meter, board)
            outcome.write(options.termination_message, ended)
            if ended.ok and options.port:
                await _until_read(board, options.result_wait)
    except FetchError as error:
        ended = _failed(error, options, meter)
        outcome.write(options.termination_message, ended)
    except asyncio.CancelledError:
        if not ended.ok:
            outcome.write(options.termination_message, ended)
    log.info("ended: %s", ended.reason or "whole")
    return outcome.exit_status(ended)


async def _outcome(options: FetchOptions, world: World, meter: Meter, board: Board) -> Outcome:
    try:
        found = await _found(options, world, meter)
    except FetchError as error:
        return _failed(error, options, meter)
    except Exception as error:  # noqa: BLE001 - a fault of ours must reach the termination message, not only the log
        log.error("%s", redact("".join(traceback.format_exception(error)), _secrets(options)))  # noqa: TRY400 - redacted
        unknown = FetchError(
            "InternalError", f"The download failed unexpectedly ({type(error).__name__}); its log has the details."
        )
        return _failed(unknown, options, meter)
    board.show(found)
    return Outcome(ok=True, commit=found.commit, bytes_downloaded=meter.downloaded)


async def _found(options: FetchOptions, world: World, meter: Meter) -> Repository:
    source = parse_source(options.source)
    if isinstance(source, ClaimSource):
        if options.revision:
            raise FetchError("RevisionNotFound", "A claim has no revisions: remove spec.model.revision.")
        found = await asyncio.to_thread(claim.inspect, options.claim, source)
        meter.expect(found.files, found.total_bytes)
        meter.all_done()
        return found
    if not TOKEN.match(options.token):
        raise FetchError(
            "HubUnauthorized",
            "HF_TOKEN holds a space, a line break or another character that no token has. Correct it in the Secret "
            "that spec.model.secretRef names.",
        )
    passwords(options.proxies)
    return await Download(options, source, world, meter).run()


async def _until_read(board: Board, patience: float) -> None:
    try:
        async with asyncio.timeout(patience):
            await board.read.wait()
    except TimeoutError:
        log.info("nobody read the result within %.0f s", patience)


def _failed(error: FetchError, options: FetchOptions, meter: Meter) -> Outcome:
    ended = outcome.failed(error, _secrets(options), meter.downloaded)
    log.error("%s: %s", ended.reason, ended.message)
    return ended


def _secrets(options: FetchOptions) -> list[str]:
    """List what must not be shown: the token, and passwords of proxies."""
    try:
        return [options.token, *passwords(options.proxies)]
    except FetchError:  # no address, so nothing that could be told apart in it: hide all of it
        return [options.token, options.proxies.https, options.proxies.http]

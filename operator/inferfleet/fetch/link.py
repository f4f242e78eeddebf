"""`inferfleet link`: the repository of links that the server in this pod loads; it needs no network.

The one rule: nothing outside the target is touched, nothing but links and empty directories is ever removed from it,
and no link is made to what is not there. Clock and sleep come as arguments, whose defaults are the real ones.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from inferfleet.errors import FetchError
from inferfleet.fetch import disk, failures, inspection, links, marker, outcome
from inferfleet.fetch.inspection import CONFIG, Survey
from inferfleet.fetch.layout import Place
from inferfleet.fetch.links import Disk, Repository
from inferfleet.fetch.options import LinkOptions
from inferfleet.fetch.sources import COMMIT, ClaimSource, last_name, parse_source
from inferfleet.fetch.text import plain
from inferfleet.fleet.weights import Outcome

LOOK_SECONDS = 1.0
log = logging.getLogger(__name__)


def run_link(
    options: LinkOptions,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> int:
    """Build the repository of links; returns the exit status (see `outcome`)."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        weights = _weights(options, clock, sleep)
        wanted = _plan(options, weights)
        _apply(options.target, wanted)
    except _StoppedError:
        ended = outcome.STOPPED_EARLY
    except FetchError as error:
        ended = outcome.failed(error, ())
    except OSError as error:
        ended = outcome.failed(_unexpected(error), ())
    else:
        ended = Outcome(ok=True, commit=options.commit)
    log.log(logging.INFO if ended.ok else logging.ERROR, "%s %s", ended.reason or "linked", ended.message)
    outcome.write(options.termination_message, ended)
    return outcome.exit_status(ended)


class _StoppedError(BaseException):
    """SIGTERM came: the first process of a container gets no other notice of it than its own handler."""


def _stop(*_: object) -> None:
    raise _StoppedError


def _weights(options: LinkOptions, clock: Callable[[], float], sleep: Callable[[float], object]) -> Path:
    """Find the directory that is served, once it is whole."""
    source = parse_source(options.source)
    if isinstance(source, ClaimSource):
        root = options.weights.absolute() / source.folder
        if not root.is_dir():
            raise failures.claim_unreadable(f"pvc://{source.claim}", f"{source.folder or 'it'} is not there")
        return root
    if not COMMIT.match(options.commit):
        raise FetchError("RevisionNotFound", f"{plain(options.commit, 50)!r} is no commit: 40 hexadecimal digits.")
    at = Place(options.weights.absolute(), options.commit)
    deadline = clock() + options.wait
    while marker.read(at.marker, options.source) is None:
        if clock() >= deadline:
            raise FetchError(
                "WeightsMissing",
                f"The weights of commit {options.commit} are not whole in the cache after {options.wait:.0f} s. Look "
                "at the model's download.",
            )
        sleep(LOOK_SECONDS)
    return at.root


def _plan(options: LinkOptions, weights: Path) -> Repository:
    seen = links.check_survey(inspection.survey(_paths(weights), last_name(parse_source(options.source))))
    seen_on = Disk(
        weights=weights,
        entries={model.directory: tuple(_there(weights / model.directory)) for model in seen.models},
        configs=_configs(weights, seen),
        generated=_generated(options.config),
    )
    return links.plan_links(seen.models, seen_on)


def _paths(weights: Path) -> Iterator[str]:
    """List two levels of a repository; a directory ends in a slash."""
    for name in _there(weights):
        if not (weights / name).is_dir():
            yield name
            continue
        below = _there(weights / name)
        if not below:
            yield f"{name}/"
        yield from (f"{name}/{one}{'/' if (weights / name / one).is_dir() else ''}" for one in below)


def _there(directory: Path) -> list[str]:
    """List what can be linked to: nothing hidden, nothing that is a link to nowhere."""
    return sorted(one.name for one in directory.iterdir() if not one.name.startswith(".") and one.exists())


def _configs(weights: Path, seen: Survey) -> dict[str, str]:
    paths = [model.path(CONFIG) for model in seen.models if model.has_config]
    return {path: _text(weights / path) for path in paths}


def _generated(config: Path | None) -> dict[str, tuple[Path, str]]:
    if config is None or not config.is_dir():
        return {}
    paths = [config.absolute() / name for name in _there(config) if name.endswith(".pbtxt")]
    return {path.stem: (path, _text(path)) for path in paths}


def _text(path: Path) -> str:
    return inspection.check_text(CONFIG, disk.read_bounded(path, inspection.text_bytes(CONFIG)))


def _apply(target: Path, wanted: Repository) -> None:
    for name in _entries(target):
        _clean(target, name, wanted)
    for name in sorted(wanted.models):
        (target / name).mkdir(exist_ok=True)
    for name in sorted(wanted.versions):
        (target / name).mkdir(exist_ok=True)
    for name, leads in sorted(wanted.links.items()):
        if not (target / name).is_symlink():
            (target / name).symlink_to(leads)


def _clean(target: Path, model: str, wanted: Repository) -> None:
    """Take away what an earlier run left and is not wanted any more."""
    directory = target / model
    if directory.is_symlink():
        directory.unlink()
        return
    for entry in _entries(directory):
        name = f"{model}/{entry}"
        path = target / name
        if path.is_symlink():
            if wanted.links.get(name) != path.readlink():
                path.unlink()
        elif name not in wanted.versions:
            path.rmdir()
    if model not in wanted.models:
        directory.rmdir()


def _entries(directory: Path) -> list[str]:
    return sorted(one.name for one in directory.iterdir())


def _unexpected(error: OSError) -> FetchError:
    return FetchError(
        "RepositoryNotBuilt",
        f"The repository of links cannot be built: {plain(str(error.filename or ''), 200)} "
        f"{plain(error.strerror or type(error).__name__, 100)}. The target must be an emptyDir of this pod's own.",
    )

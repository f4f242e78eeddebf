"""What a source is, from the paths in it: a Triton repository, a checkpoint, a GGUF file, or none of these.

The one rule: pure; a path that ends in a slash is a directory, and hidden directories at the top are not looked at.

A directory is a model when it holds a config.pbtxt or a version (a directory named by a number from 1). A source that
holds these itself is one bare model directory: its name is the `name` of its config.pbtxt, else the last part of the
source's path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from inferfleet.engines.pbtxt import is_ensemble
from inferfleet.errors import FetchError
from inferfleet.fetch import failures, pbtxt
from inferfleet.fetch.text import plain
from inferfleet.fleet.weights import Repository, RepositoryModel, Shape

CONFIG = "config.pbtxt"
PROBE = "inferfleet-probe.json"
CONFIG_CHARACTERS = 65_536
PROBE_CHARACTERS = 16_384
MOST_MODELS = 256
MOST_VERSIONS = 64
MOST_NAMES = 32
NAME_CHARACTERS = 253
ALL_TEXT_BYTES = 8 << 20
"""Of all small files together, so that whoever reads a result can bound it: as JSON it has at most twice that."""
VERSION = re.compile(r"[1-9][0-9]{0,17}\Z")
_BINARY = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")


@dataclass(frozen=True, slots=True)
class Found:
    """A model directory: `directory` is its path, empty for a source that is itself one."""

    name: str
    directory: str
    versions: tuple[int, ...]
    files: tuple[str, ...]
    has_config: bool
    has_probe: bool

    def path(self, file: str) -> str:
        """Say where a file of the model directory lies."""
        return f"{self.directory}/{file}" if self.directory else file


@dataclass(frozen=True, slots=True)
class Survey:
    """What the paths alone tell."""

    shape: Shape
    models: tuple[Found, ...]
    listing: tuple[str, ...]

    def small_files(self) -> tuple[str, ...]:
        """List the paths whose text belongs to the result."""
        configs = [model.path(CONFIG) for model in self.models if model.has_config]
        return (*configs, *(model.path(PROBE) for model in self.models if model.has_probe))


@dataclass(frozen=True, slots=True)
class Facts:
    """What else belongs to the result."""

    commit: str
    total: int
    files: int
    licence: str = ""


def survey(paths: Iterable[str], last_name: str) -> Survey:
    """Tell the shape of a source and its models; `last_name` names a source that is one bare model directory."""
    tree = sorted(path for path in paths if not _hidden(path))
    top = {path for path in tree if "/" not in path}
    groups = _by_directory(tree)
    models = tuple(found for name, rest in groups.items() if (found := _model(name, name, rest)))
    strong = any(model.has_config for model in models)
    if CONFIG in top and not strong:
        models = _bare(last_name, tree)
    elif not strong and _is_checkpoint(top):
        return Survey("checkpoint", (), _first(tree))
    elif not strong and any(path.endswith(".gguf") for path in top):
        return Survey("gguf", (), _first(tree))
    elif not models:
        models = _bare(last_name, tree)
    _check(models)
    return Survey("triton" if models else "unknown", models, () if models else _first(tree))


def repository(seen: Survey, texts: Mapping[str, str], facts: Facts) -> Repository:
    """Put the result together; `texts` holds the small files by path."""
    if sum(len(text.encode()) for text in texts.values()) > ALL_TEXT_BYTES:
        raise failures.unusable(
            f"The configs of all models have more than {ALL_TEXT_BYTES} bytes", "Serve a folder of the source."
        )
    named = tuple(rename(model, texts.get(model.path(CONFIG), "")) for model in seen.models)
    return Repository(
        commit=facts.commit,
        shape=seen.shape,
        total_bytes=facts.total,
        files=facts.files,
        licence=facts.licence,
        models=tuple(_result(model, texts) for model in named),
        listing=seen.listing,
    )


def rename(model: Found, config: str) -> Found:
    """Give a bare model directory the name that its config asks for: Triton wants both to be the same."""
    asked = pbtxt.scalars(config).get("name", "") if not model.directory else ""
    return replace(model, name=asked) if MODEL_NAME.match(asked) else model


def implied(config: str) -> tuple[int, ...]:
    """Return version 1 for an ensemble that has none: it has no files of its own, and Git keeps no empty directory."""
    return (1,) if is_ensemble(config) else ()


def check_text(path: str, content: bytes) -> str:
    """Return the text of a small file, or say why it cannot be one."""
    limit = CONFIG_CHARACTERS if path.endswith(CONFIG) else PROBE_CHARACTERS
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise _bad_text(path, "is not UTF-8 text") from error
    if _BINARY.search(text) or len(text) > limit:
        raise _bad_text(path, f"holds control characters or more than {limit} characters")
    return text


def text_bytes(path: str) -> int:
    """Say how large a small file may be at most."""
    return 4 * (CONFIG_CHARACTERS if path.endswith(CONFIG) else PROBE_CHARACTERS)


def _by_directory(tree: Iterable[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for path in tree:
        name, slash, rest = path.partition("/")
        if slash:
            groups.setdefault(name, []).append(rest)
    return groups


def _model(name: str, directory: str, paths: Iterable[str]) -> Found | None:
    """Look at one directory; `paths` are those below it."""
    rest = list(paths)
    below = _by_directory(rest)
    versions = sorted((int(one) for one in below if VERSION.match(one)), reverse=True)[:MOST_VERSIONS]
    if not versions and CONFIG not in rest:
        return None
    newest = below[str(versions[0])] if versions else []
    files = sorted({file.partition("/")[0] for file in newest if file and not file.startswith(".")})
    short = tuple(file for file in files if len(file) <= NAME_CHARACTERS)
    return Found(name, directory, tuple(versions), short[:MOST_NAMES], CONFIG in rest, PROBE in rest)


def _bare(last_name: str, tree: Iterable[str]) -> tuple[Found, ...]:
    found = _model(last_name, "", tree)
    return (found,) if found else ()


def _check(models: tuple[Found, ...]) -> None:
    wrong = [model.name for model in models if not MODEL_NAME.match(model.name)]
    if wrong:
        raise failures.unusable(
            f"The model directory {plain(wrong[0], 150)!r} has a name that cannot be served",
            "Names have letters, digits, '.', '_' and '-', begin with a letter or digit and have at most 128 "
            "characters: rename it.",
        )
    if len(models) > MOST_MODELS:
        raise failures.unusable(
            f"The repository holds {len(models)} models, more than {MOST_MODELS}", "Split it, or serve a folder of it."
        )


def _result(model: Found, texts: Mapping[str, str]) -> RepositoryModel:
    return RepositoryModel(
        name=model.name,
        versions=model.versions or implied(texts.get(model.path(CONFIG), "")),
        files=model.files,
        config=texts.get(model.path(CONFIG)),
        probe=texts.get(model.path(PROBE)),
    )


def _is_checkpoint(top: set[str]) -> bool:
    return "config.json" in top and any(path.endswith(".safetensors") for path in top)


def _hidden(path: str) -> bool:
    return path.startswith(".")


def _first(tree: Iterable[str]) -> tuple[str, ...]:
    return tuple(plain(path, NAME_CHARACTERS) for path in list(tree)[:MOST_NAMES])


def _bad_text(path: str, why: str) -> FetchError:
    return failures.unusable(f"{plain(path, 200)!r} {why}", "Correct it in the source.")

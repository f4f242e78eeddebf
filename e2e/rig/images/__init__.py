"""Images without a registry: built by buildah, kept as archives in the cache, imported into every node.

The rule: an archive is cached under the hash of everything that its build can see (Dockerfile, context,
arguments, base), so that an unchanged image is neither built nor imported again.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from e2e.rig import cache
from e2e.rig.images import base, buildah
from e2e.rig.settings import BASE_IMAGE, REGISTRY

_IGNORED = ("__pycache__", ".git")


@dataclass(frozen=True, slots=True)
class Image:
    """An image to build: from a Dockerfile with `ARG BASE`, or from `scratch`, which fills a directory."""

    name: str
    tag: str
    dockerfile: Path | None = None
    context: Path | None = None
    # What of the context the build may see, as paths below it; all of it when empty.
    include: tuple[str, ...] = ()
    build_args: Mapping[str, str] = field(default_factory=dict)
    scratch: Callable[[Path], list[str]] | None = None
    # What a scratch image is made of, for the cache.
    made_of: tuple[str, ...] = ()
    seconds: float = 10

    @property
    def reference(self) -> str:
        return f"{REGISTRY}/{self.name}:{self.tag}"


@dataclass(frozen=True, slots=True)
class Built:
    """A finished image: its reference, the digest that a runtime knows it by, and its archive."""

    reference: str
    digest: str
    archive: Path


def build(
    name: str,
    dockerfile: Path,
    context: Path,
    build_args: Mapping[str, str] | None = None,
    *,
    tag: str = "dev",
    include: tuple[str, ...] = (),
) -> Built:
    """Build an image from a Dockerfile, unless its inputs are those of an earlier build."""
    return make(Image(name, tag, dockerfile, context, include, build_args or {}))


def make(image: Image) -> Built:
    """Build a declared image, unless its inputs are those of an earlier build."""
    entry = cache.ensure("images", image.name, key(image), lambda out: _make(image, out))
    known = json.loads((entry / "image.json").read_text())
    return Built(known["reference"], known["digest"], entry / "image.tar")


def find(image: Image) -> bool:
    """Whether an image needs no building."""
    return cache.find("images", image.name, key(image)) is not None


def key(image: Image) -> str:
    """Hash everything that a build of the image can see."""
    if image.scratch:
        return cache.key(image.reference, *image.made_of)
    dockerfile, context = _inputs(image)
    arguments = [f"{name}={value}" for name, value in sorted(image.build_args.items())]
    seen = cache.files_key(context, visible(context, image.include))
    return cache.key(image.reference, base.key(), dockerfile.read_text(), seen, *arguments)


def visible(context: Path, include: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files of a context that a build may see."""
    for top in [context / part for part in include] or [context]:
        if not top.exists():
            raise FileNotFoundError(f"{top} is named in an image's context, but is not there.")
        for path in [top] if top.is_file() else top.rglob("*"):
            inside = path.relative_to(context)
            if not set(inside.parts) & set(_IGNORED) and (path.is_symlink() or path.is_file()):
                yield path


def _make(image: Image, out: Path) -> None:
    if image.scratch:
        content = out / "root"
        content.mkdir()
        buildah.from_directory(image.reference, content, image.scratch(content))
        shutil.rmtree(content)
    else:
        base.ensure_in_store()
        _build_dockerfile(image)
    archive = out / "image.tar"
    buildah.save(image.reference, archive)
    known = {"reference": image.reference, "digest": buildah.digest(archive)}
    (out / "image.json").write_text(json.dumps(known))


def _build_dockerfile(image: Image) -> None:
    dockerfile, context = _inputs(image)
    arguments = {"BASE": BASE_IMAGE, **image.build_args}
    # A copy, so that the build sees the files that were hashed and no others.
    with tempfile.TemporaryDirectory(prefix="rig-context-") as name:
        copy = Path(name)
        for file in visible(context, image.include):
            target = copy / file.relative_to(context)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target, follow_symlinks=False)
        buildah.from_dockerfile(image.reference, dockerfile, copy, arguments)


def _inputs(image: Image) -> tuple[Path, Path]:
    if image.dockerfile is None or image.context is None:
        raise ValueError(f"{image.name} has neither a Dockerfile with a context nor a scratch recipe.")
    return image.dockerfile, image.context

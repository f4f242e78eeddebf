"""Images on a node: which it has, and bringing in those that changed.

The rule: what a node has is asked of its containerd, by digest, and remembered nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.rig import shell
from e2e.rig.files import link_or_copy
from e2e.rig.images import Built
from e2e.rig.settings import STATE

DIRECTORY = STATE / "images"
Runner = Callable[[Sequence[str]], str]
_CTR = ("ctr", "--namespace", "k8s.io", "images")


@dataclass(frozen=True, slots=True)
class Offered:
    """An archive that every node of the rig shall hold."""

    reference: str
    digest: str
    archive: Path


def here(argv: Sequence[str]) -> str:
    """Run a program in the caller's own namespaces."""
    return shell.run(argv)


def offer(built: Iterable[Built]) -> None:
    """Put archives where every node finds them; others are withdrawn."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    names = {offer_one(image) for image in built}
    for file in DIRECTORY.iterdir():
        if file.stem not in names:
            file.unlink()


def offer_one(image: Built) -> str:
    """Put one archive where every node finds it, also after a power failure; return its name there."""
    name = image.reference.rpartition("/")[2].replace(":", "@")
    link_or_copy(image.archive, DIRECTORY / f"{name}.tar")
    (DIRECTORY / f"{name}.json").write_text(json.dumps({"reference": image.reference, "digest": image.digest}))
    return name


def offered() -> list[Offered]:
    """List what the rig offers its nodes."""
    found = []
    for file in sorted(DIRECTORY.glob("*.json")):
        entry = json.loads(file.read_text())
        found.append(Offered(entry["reference"], entry["digest"], file.with_suffix(".tar")))
    return found


def present(run: Runner) -> dict[str, str]:
    """Map the references that a node holds to their digests."""
    lines = run([*_CTR, "list"]).splitlines()[1:]
    columns = [line.split() for line in lines]
    return {words[0]: words[2] for words in columns if len(words) > 2}


def import_missing(run: Runner) -> list[str]:
    """Import every offered image that the node lacks or holds in another version; return their references."""
    held = present(run)
    wanted = [image for image in offered() if held.get(image.reference) != image.digest]
    for image in wanted:
        run([*_CTR, "import", str(image.archive)])
    return [image.reference for image in wanted]

"""buildah, called so that it leaves nothing behind: its store lies in the cache, its mounts in a namespace that ends.

The rule: nothing of the machine's own package configuration (proxy, certificates, pip) enters an image; it is
mounted read-only while a build runs.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from e2e.rig import cache, shell
from e2e.rig.images.pip_configuration import BUNDLE, pip_conf
from e2e.rig.settings import PYTHON

SCRATCH = "scratch"
# System directories that buildah writes caches and locks to, whatever its options say: it gets a tmpfs there.
_WRITTEN_TO = ("/etc/cni", "/var/lib/containers")
_HIDE = 'while [ "$1" != -- ]; do mount -t tmpfs rig "$1"; shift; done; shift; exec "$@"'


def call(*argv: str | Path) -> str:
    """Run buildah on the rig's own store."""
    home = cache.root() / "buildah"
    temporary = home / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    store: list[str | Path] = ["--root", home / "storage", "--runroot", home / "run", "--storage-driver", "overlay"]
    private = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _HIDE, "hide", *_WRITTEN_TO]
    with _directories(_WRITTEN_TO):
        return shell.run([*private, "--", "buildah", *store, *argv], env={"TMPDIR": str(temporary)}).strip()


def from_directory(reference: str, content: Path, configure: Sequence[str]) -> None:
    """Make an image out of a directory and nothing else."""
    container = call("from", SCRATCH)
    try:
        call("add", "-q", container, content, "/")
        call("config", *configure, container)
        call("commit", "-q", container, reference)
    finally:
        call("rm", container)


def from_dockerfile(reference: str, dockerfile: Path, context: Path, build_args: dict[str, str]) -> None:
    """Build a Dockerfile; layers are kept in the store, so that an unchanged beginning costs nothing."""
    mounts = [word for at, file in _configuration().items() for word in ("--volume", f"{file}:{at}:ro")]
    arguments = [word for name, value in build_args.items() for word in ("--build-arg", f"{name}={value}")]
    # chroot isolation: the machine may itself be a container in which no runtime can nest.
    how = ["--layers", "--pull-never", "--isolation", "chroot", "--network", "host"]
    call("bud", "-q", *how, *mounts, *arguments, "-f", dockerfile, "-t", reference, context)


def save(reference: str, archive: Path) -> None:
    """Write an image to an OCI archive that keeps its reference."""
    call("push", "-q", "--compression-format", "zstd", reference, f"oci-archive:{archive}:{reference}")


def load(archive: Path, reference: str) -> None:
    """Bring an archive into the store under its reference."""
    identity = call("pull", "-q", f"oci-archive:{archive}")
    call("tag", identity, reference)


def holds(reference: str) -> bool:
    """Whether the store has an image of this reference."""
    names = json.loads(call("images", "--json") or "[]") or []
    return any(reference in (image.get("names") or []) for image in names)


def digest(archive: Path) -> str:
    """Read the digest under which a container runtime will know the archive's image."""
    with tarfile.open(archive) as tar:
        file = tar.extractfile("index.json")
        if file is None:
            raise ValueError(f"{archive} is no OCI archive.")
        return str(json.load(file)["manifests"][0]["digest"])


def _configuration() -> dict[str, Path]:
    """Write the machine's way to package registries, and map where it belongs in a build to where it lies."""
    bundle = Path(os.environ.get("SSL_CERT_FILE") or BUNDLE)
    file = cache.root() / "buildah" / "pip.conf"
    file.write_text(pip_conf(shell.run([PYTHON, "-m", "pip", "config", "list"])))
    return {"/etc/pip.conf": file} | ({BUNDLE: bundle} if bundle.is_file() else {})


@contextmanager
def _directories(names: Sequence[str]) -> Iterator[None]:
    """See to it that directories exist for a while; nothing is ever written into those made here."""
    made = [Path(name) for name in names if not Path(name).exists()]
    for path in made:
        path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for path in made:
            path.rmdir()

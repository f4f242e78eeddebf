"""Every image that `up` builds and gives to the nodes. To add one, declare it here."""

from __future__ import annotations

import shutil
from pathlib import Path

from e2e.rig import binaries, cache, shell
from e2e.rig.errors import RigError
from e2e.rig.files import link_or_copy
from e2e.rig.images import Image
from e2e.rig.settings import COREDNS, REPOSITORY

_BUSYBOX = Path("/bin/busybox")


def declared() -> list[Image]:
    """List the images, those without a Dockerfile in this checkout left out."""
    version = _busybox_version()
    coredns = binaries.key(binaries.COREDNS_MODULE)
    small = [
        Image("busybox", "1.0", scratch=_busybox, made_of=(version, "1"), seconds=2),
        Image("pause", "1.0", scratch=_pause, made_of=(version, "1"), seconds=2),
        Image("coredns", COREDNS, scratch=_coredns, made_of=(coredns, "1"), seconds=5),
    ]
    return small + [image for image in _from_dockerfiles() if image.dockerfile and image.dockerfile.exists()]


def _from_dockerfiles() -> list[Image]:
    here = Path(__file__).parent
    return [
        Image("triton", "24.10", here / "triton.Dockerfile", here, ("triton.Dockerfile",), seconds=60),
        Image(
            "inferfleet",
            "dev",
            REPOSITORY / "Dockerfile",
            REPOSITORY,
            ("requirements/run.txt", "operator"),
            seconds=40,
        ),
    ]


def declared_as(name: str) -> Image:
    """Return the declaration of one image."""
    for image in declared():
        if image.name == name:
            return image
    raise RigError(f"No image {name!r} is declared.")


def _busybox_version() -> str:
    if not _BUSYBOX.exists():
        return "not installed yet"  # while a first run is planned; nothing is built before it is there
    return cache.files_key(_BUSYBOX.parent, [_BUSYBOX])


def _busybox(root: Path) -> list[str]:
    for name in ("bin", "etc", "tmp", "root"):
        (root / name).mkdir()
    shutil.copy2(_BUSYBOX, root / "bin/busybox")
    for applet in shell.run([_BUSYBOX, "--list"]).split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    return ["--env", "PATH=/bin", "--cmd", '["/bin/sh"]']


def _pause(root: Path) -> list[str]:
    (root / "bin").mkdir()
    shutil.copy2(_BUSYBOX, root / "bin/busybox")
    return ["--entrypoint", '["/bin/busybox","sleep","infinity"]']


def _coredns(root: Path) -> list[str]:
    link_or_copy(binaries.build(binaries.COREDNS_MODULE) / "coredns", root / "coredns")
    return ["--entrypoint", '["/coredns"]']

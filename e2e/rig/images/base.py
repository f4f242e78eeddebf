"""The base of every Python image: Debian bookworm with Python 3.11 and pip, made by debootstrap once per machine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from e2e.rig import cache, debian, shell
from e2e.rig.images import buildah
from e2e.rig.settings import BASE_IMAGE

SUITE = "bookworm"
PACKAGES = ("ca-certificates", "python3", "python3-pip", "python3-venv")
SECONDS = 95.0
_RECIPE = "3"  # raise it when what is done below changes
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# resolv.conf and hostname are this machine's; the rest is weight.
_UNWANTED = (
    "etc/resolv.conf",
    "etc/hostname",
    "var/lib/apt/lists",
    "var/cache/apt/archives",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
)


def key() -> str:
    """Hash what the base is made of."""
    return cache.key(SUITE, *PACKAGES, _RECIPE)


def find() -> bool:
    """Whether the base is built."""
    return cache.find("images", "base", key()) is not None


def build() -> Path:
    """Return the directory with the base's archive, making it if needed."""
    return cache.ensure("images", "base", key(), _make)


def ensure_in_store() -> None:
    """See to it that buildah's store has this very base under its reference."""
    entry = build()
    mark = f"{BASE_IMAGE}-{key()}"
    if not buildah.holds(mark):
        buildah.load(entry / "image.tar", mark)
    buildah.call("tag", mark, BASE_IMAGE)


def _make(out: Path) -> None:
    root = out / "root"
    mirror = debian.mirror()
    argv = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(root)]
    shell.run([*argv, mirror] if mirror else argv)
    for name in _UNWANTED:
        path = root / name
        if path.is_dir():
            shutil.rmtree(path)
            path.mkdir()
        else:
            path.unlink(missing_ok=True)
    for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()  # in an image pip may write where it likes
    buildah.from_directory(BASE_IMAGE, root, ["--env", f"PATH={_PATH}", "--cmd", '["python3"]'])
    shutil.rmtree(root)
    archive = out / "image.tar"
    buildah.save(BASE_IMAGE, archive)
    (out / "image.json").write_text(json.dumps({"reference": BASE_IMAGE, "digest": buildah.digest(archive)}))

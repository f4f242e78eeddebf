"""The programs of the rig, built from their Go modules under `go/`.

The rule: a binary is cached under the hash of its module's files and its build flags, so that an unchanged
module is never built twice on a machine.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from e2e.rig import cache, shell
from e2e.rig.settings import CONTAINERD, KUBERNETES

MODULES = Path(__file__).parent / "go"
_VERSION = "k8s.io/component-base/version"
_MINOR = KUBERNETES.split(".")[1]


@dataclass(frozen=True, slots=True)
class Module:
    """One Go module of ours, the programs that come out of it, and the seconds that two cores need."""

    name: str
    programs: tuple[str, ...]
    seconds: float
    packages: tuple[str, ...] = (".",)
    tags: str = ""
    variables: tuple[str, ...] = ()

    @property
    def directory(self) -> Path:
        return MODULES / self.name


_CONTAINERD_COMMANDS = ("containerd", "containerd-shim-runc-v2", "ctr")

KUBE = Module(
    "kube",
    ("kube",),
    seconds=270,
    variables=(
        f"{_VERSION}.gitVersion=v{KUBERNETES}",
        f"{_VERSION}.gitMajor=1",
        f"{_VERSION}.gitMinor={_MINOR}",
    ),
)
ETCD = Module("etcd", ("etcd",), seconds=35)
CONTAINERD_MODULE = Module(
    "containerd",
    _CONTAINERD_COMMANDS,
    seconds=90,
    packages=tuple(f"github.com/containerd/containerd/v2/cmd/{name}" for name in _CONTAINERD_COMMANDS),
    tags="no_btrfs no_devmapper no_zfs",
    variables=(f"github.com/containerd/containerd/v2/version.Version=v{CONTAINERD}",),
)
COREDNS_MODULE = Module("coredns", ("coredns",), seconds=90)

REQUIRED = (KUBE, ETCD, CONTAINERD_MODULE, COREDNS_MODULE)


def find(module: Module) -> Path | None:
    """Return the directory with a module's programs if they are built."""
    return cache.find("bin", module.name, key(module))


def build(module: Module) -> Path:
    """Return the directory with a module's programs, building them if needed."""
    return cache.ensure("bin", module.name, key(module), lambda out: _go_build(module, out))


def key(module: Module) -> str:
    """Hash what a module's programs are made of."""
    sources = [*module.directory.glob("*.go"), module.directory / "go.mod", module.directory / "go.sum"]
    return cache.key(cache.files_key(module.directory, sources), *_flags(module), *module.packages)


def _go_build(module: Module, out: Path) -> None:
    # One package keeps its own name ("-o FILE"); several are named after their directories ("-o DIR/").
    target = str(out / module.programs[0]) if len(module.programs) == 1 else f"{out}/"
    shell.run(
        ["go", "build", *_flags(module), "-o", target, *module.packages],
        cwd=module.directory,
        env={"CGO_ENABLED": "0", "GOTOOLCHAIN": os.environ.get("GOTOOLCHAIN", "local"), "GOWORK": "off"},
    )


def _flags(module: Module) -> list[str]:
    variables = [f"-X {variable}" for variable in module.variables]
    flags = ["-trimpath", "-buildvcs=false", "-mod=readonly", f"-ldflags={' '.join(['-s', '-w', *variables])}"]
    return [*flags, f"-tags={module.tags}"] if module.tags else flags

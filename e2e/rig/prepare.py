"""Everything that must exist before a cluster can start: packages, programs, images; built once per machine."""

from __future__ import annotations

from collections.abc import Callable

from e2e.rig import binaries, clients, debian, node_images, preconditions, settings
from e2e.rig import images as image_builder
from e2e.rig.errors import RigError
from e2e.rig.files import link_or_copy
from e2e.rig.images import base, catalogue
from e2e.rig.machine import look
from e2e.rig.models import weights
from e2e.rig.preconditions import Machine
from e2e.rig.progress import Step, run_steps

BIN = settings.STATE / "bin"


def check() -> Machine:
    """Look at the machine and refuse, with every reason at once, where the rig cannot run."""
    machine = look()
    if found := preconditions.problems(machine):
        raise RigError(preconditions.message(found))
    for warning in preconditions.warnings(machine):
        print(f"warning: {warning}", flush=True)
    return machine


def build(packages: list[str]) -> None:
    """Install and build what is missing, with progress."""
    run_steps([*_program_steps(packages), *_image_steps()])


def install_programs() -> None:
    """Put the programs into the state directory, so that neither a clone nor the cache can take them away."""
    BIN.mkdir(parents=True, exist_ok=True)
    for directory in (*(binaries.build(module) for module in binaries.REQUIRED), clients.build()):
        for program in directory.iterdir():
            link_or_copy(program, BIN / program.name)


def offer_images() -> None:
    """Put the archives of all declared images where the nodes find them, and withdraw the others."""
    node_images.offer([image_builder.make(image) for image in catalogue.declared()])


def _program_steps(packages: list[str]) -> list[Step]:
    steps = []
    if packages:
        names = " ".join(packages)
        steps.append(Step(f"install Debian packages: {names}", 40, lambda: debian.install(packages)))
    if clients.find() is None:
        steps.append(Step("fetch helm and kubectl", 10, clients.build))
    if not weights.find():
        steps.append(Step("fetch SmolLM2-135M-Instruct", weights.SECONDS, weights.gguf))
    unbuilt = [module for module in binaries.REQUIRED if binaries.find(module) is None]
    return steps + [Step(f"build {' '.join(module.programs)}", module.seconds, _builder(module)) for module in unbuilt]


def _builder(module: binaries.Module) -> Callable[[], object]:
    return lambda: binaries.build(module)


def _image_steps() -> list[Step]:
    wanted = [image for image in catalogue.declared() if not image_builder.find(image)]
    steps = []
    if not base.find() and any(image.dockerfile for image in wanted):
        steps.append(Step("build the base image (Debian, Python 3.11)", base.SECONDS, base.build))
    return steps + [Step(f"build image {image.name}", image.seconds, _maker(image.name)) for image in wanted]


def _maker(name: str) -> Callable[[], object]:
    # Looked up again when its turn has come: what it is made of may have been installed since.
    return lambda: image_builder.make(catalogue.declared_as(name))

"""The wheel builds, holds the package and nothing else, installs, and its commands run."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from house.repository import ROOT, tracked
from inferfleet import __version__

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    argv = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def commands(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an environment of its own, beside the dependencies that are here already."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    argv = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "install", "--quiet"]
    offline = ["--no-deps", "--no-index", "--ignore-installed", str(wheel)]
    subprocess.run([*argv, *offline], check=True, capture_output=True)
    return home / "bin"


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(path.relative_to(ROOT / "operator")) for path in tracked() if ROOT / "operator" in path.parents}

    assert {name for name in inside if ".dist-info/" not in name} == modules


def test_the_wheel_names_its_licence_its_python_and_what_it_needs(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = message_from_string(archive.read(name).decode())

    assert metadata["Name"] == "inferfleet"
    assert metadata["Version"] == __version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert any(need.startswith("kopf") for need in metadata.get_all("Requires-Dist", []))


@pytest.mark.parametrize("command", ["inferfleet", "kubectl-inferfleet"])
def test_a_command_that_was_installed_says_its_version(command: str, commands: Path) -> None:
    said = subprocess.run([commands / command, "--version"], capture_output=True, text=True, check=True, cwd="/")

    assert said.stdout == f"inferfleet {__version__}\n"


def test_the_installed_command_prints_the_crd_of_this_repository(commands: Path) -> None:
    import yaml

    said = subprocess.run([commands / "inferfleet", "crds"], capture_output=True, text=True, check=True, cwd="/")

    assert yaml.safe_load(said.stdout) == yaml.safe_load(
        (ROOT / "crds" / "modeldeployments.inferfleet.dev.yaml").read_text()
    )

"""The demo on the cluster of the current kubeconfig: no root, no rig, NVIDIA's own images, a model of your choice.

The one rule: it says what it needs and what it will make before it makes anything, and takes away only that.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.prompt import Confirm

from e2e.rig.settings import PYTHON, REPOSITORY

NAMESPACE = "inferfleet-demo"
SYSTEM = "inferfleet-system"
SOURCE = os.environ.get("INFERFLEET_DEMO_SOURCE", "")
IMAGE = os.environ.get("INFERFLEET_DEMO_IMAGE", "")
MODEL = "demo"


def up(out: Console) -> int:
    """Check, tell, ask, and show the main job."""
    problems = _problems()
    if problems:
        out.print("The demo cannot start:")
        for problem in problems:
            out.print(f"  - {problem}", markup=False)
        return 1
    _tell(out)
    if sys.stdin.isatty() and not Confirm.ask("Go on?", console=out, default=False):
        return 1
    chart = str(REPOSITORY / "charts" / "inferfleet")
    registry, _, tag = IMAGE.rpartition(":")
    values = f"image.registry=,image.repository={registry},image.tag={tag}"
    where = ("--install", "--create-namespace", "--namespace", SYSTEM)
    _call("helm", "upgrade", "inferfleet", chart, *where, "--set", values, "--wait", "--timeout", "300s")
    _call("kubectl", "create", "namespace", NAMESPACE, check=False)
    _call("kubectl", "-n", NAMESPACE, "apply", "-f", "-", stdin=json.dumps(_model()))
    return _status()


def down(out: Console) -> int:
    """Take away what `up` made: the demo's namespace and the release; the definition of the kind stays."""
    out.print(f"Deleting the namespace {NAMESPACE}; its pods may finish their requests first.")
    _call("kubectl", "delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true")
    out.print(f"Uninstalling the release from {SYSTEM}.")
    _call("helm", "uninstall", "inferfleet", "--namespace", SYSTEM, "--ignore-not-found")
    out.print("The namespace and the release are gone. The CustomResourceDefinition stays, and with it every model.")
    return 0


def _problems() -> list[str]:
    """List everything that is missing, each with what to do."""
    found = [f"{tool} is not on PATH; install it." for tool in ("kubectl", "helm") if not shutil.which(tool)]
    if found:
        return found
    if subprocess.run(["kubectl", "version"], capture_output=True, check=False).returncode:
        found.append("kubectl does not reach a cluster; set KUBECONFIG or choose a context.")
    elif not _gpus():
        found.append("no node offers nvidia.com/gpu; install the NVIDIA device plugin or the GPU operator.")
    if not SOURCE:
        found.append("set INFERFLEET_DEMO_SOURCE to a Triton model repository, for example hf://my-org/my-repository.")
    if ":" not in IMAGE.rpartition("/")[2]:
        found.append("set INFERFLEET_DEMO_IMAGE to the operator's image with its tag, in a registry that nodes reach.")
    return found


def _gpus() -> list[str]:
    columns = 'jsonpath={range .items[*]}{.status.allocatable.nvidia\\.com/gpu}{"\\n"}{end}'
    answer = subprocess.run(["kubectl", "get", "nodes", "-o", columns], capture_output=True, text=True, check=False)
    return [line for line in answer.stdout.split() if line not in ("", "0")]


def _tell(out: Console) -> None:
    context = subprocess.run(["kubectl", "config", "current-context"], capture_output=True, text=True, check=False)
    out.print(f"On the cluster [bold]{context.stdout.strip()}[/bold] this will make:")
    out.print(
        f"  - the CustomResourceDefinition modeldeployments.inferfleet.dev and ClusterRoles, by Helm, in {SYSTEM}"
    )
    out.print(f"  - the namespace {NAMESPACE} with one ModelDeployment, which takes one GPU and serves {SOURCE}")
    out.print("It needs one free NVIDIA GPU, and that nodes may pull NVIDIA's Triton image.")


def _model() -> dict[str, object]:
    return {
        "apiVersion": "inferfleet.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": MODEL},
        "spec": {"model": {"source": SOURCE}, "gpu": {"count": 1}},
    }


def _status() -> int:
    command = [PYTHON, "-m", "inferfleet", "status", MODEL, "--watch", "--namespace", NAMESPACE]
    environment = {**os.environ, "PYTHONPATH": str(Path(REPOSITORY) / "operator")}
    return subprocess.run(command, env=environment, check=False).returncode


def _call(*argv: str, stdin: str | None = None, check: bool = True) -> None:
    subprocess.run(argv, input=stdin, text=True, check=check)

"""The main job, shown: a real cluster, inferfleet in it by Helm, and a ten-line manifest that becomes a real model.

`python -m e2e.demo up [--cluster rig|current]` and `... down`. On the rig nothing is needed but this machine; with
`--cluster current` the cluster of your kubeconfig is used, and you are told beforehand what will be made there.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown
from rich.panel import Panel
from rich.syntax import Syntax

from e2e import demo_current
from e2e.ask import ask
from e2e.install import install, uninstall
from e2e.lab import Lab
from e2e.rig import Rig, RigError
from e2e.rig.progress import spell
from e2e.rig.settings import PYTHON, REPOSITORY

OUT = Console(width=120)
NAMESPACE = "demo"
EXAMPLES = REPOSITORY / "examples"
PROMPT = "What is a GPU good for? Answer in one sentence."


def main() -> int:
    """Show the main job, or take it away again."""
    parser = argparse.ArgumentParser(prog="e2e.demo", description=__doc__)
    parser.add_argument("what", choices=("up", "down"))
    parser.add_argument("--cluster", choices=("rig", "current"), default="rig")
    chosen = parser.parse_args()
    if chosen.cluster == "current":
        return demo_current.up(OUT) if chosen.what == "up" else demo_current.down(OUT)
    try:
        return up() if chosen.what == "up" else down()
    except RigError as error:
        OUT.print(f"[red]{error}[/red]")
        return 1


def up() -> int:
    """Bring everything up and show it."""
    begun = time.monotonic()
    _chapter("1. A real Kubernetes on this machine: control plane, two nodes, eight (pretended) GPUs on each")
    rig = Rig.up()
    with rig.held("demo"):
        _chapter("2. inferfleet, installed by Helm")
        install(rig)
        OUT.print(rig.kubectl("-n", "inferfleet-system", "get", "deployments"), markup=False)
        lab = _namespace(rig)
        _chapter("3. A model in ten lines")
        _serve(lab)
        _chapter("4. A question, and the answer as it streams")
        OUT.print(f"[bold]{PROMPT}[/bold] ", end="")
        answer = ask(lab, "smollm2", PROMPT, tokens=32, show=True)
        OUT.print(f"\n\n{answer.tokens} tokens, the first after {answer.first_seconds:.2f} s.")
        _chapter("5. What the operator says about it")
        OUT.print(rig.kubectl("-n", NAMESPACE, "get", "mdep"), markup=False)
        _run(rig, "status", "smollm2")
        _chapter("6. Why a model that asks for too much does not run")
        _why(lab)
    _end(time.monotonic() - begun)
    return 0


def down() -> int:
    """Take the demo and the rig away."""
    rig = Rig.attach()
    rig.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true", "--timeout=120s")
    uninstall(rig)
    return subprocess.run([PYTHON, "-m", "e2e.rig", "down"], check=False).returncode


def _namespace(rig: Rig) -> Lab:
    labels = "pod-security.kubernetes.io/enforce=restricted"
    rig.kubectl("create", "namespace", NAMESPACE, check=False)
    rig.kubectl("label", "namespace", NAMESPACE, labels, "--overwrite")
    return Lab(rig, NAMESPACE)


def _serve(lab: Lab) -> None:
    manifest = EXAMPLES / "smollm2.yaml"
    _show(manifest)
    lab.rig.kubectl("-n", NAMESPACE, "apply", "-f", str(manifest))
    OUT.print("kubectl inferfleet status smollm2 --watch")
    _run(lab.rig, "status", "smollm2", "--watch", "--timeout", "600")


def _why(lab: Lab) -> None:
    manifest = EXAMPLES / "too-large.yaml"
    _show(manifest)
    lab.rig.kubectl("-n", NAMESPACE, "apply", "-f", str(manifest))
    lab.reason("too-large", "Scheduled", "TooFewGpusOnOneNode", 60)
    _run(lab.rig, "why", "too-large")


def _run(rig: Rig, *argv: str) -> None:
    """Run the command line as a user does, and show what it says."""
    OUT.file.flush()
    command = [PYTHON, "-m", "inferfleet", *argv, "--namespace", NAMESPACE]
    environment = {**os.environ, **rig.environment, "PYTHONPATH": str(REPOSITORY / "operator"), "COLUMNS": "120"}
    subprocess.run(command, env=environment, check=False)


def _show(manifest: Path) -> None:
    OUT.print(Syntax(manifest.read_text("utf-8"), "yaml", background_color="default"))


def _chapter(title: str) -> None:
    OUT.print()
    OUT.rule(f"[bold]{title}", align="left")


def _end(seconds: float) -> None:
    text = (
        f"That took **{spell(seconds)}**. Go on by hand:\n\n"
        "    export KUBECONFIG=/var/lib/inferfleet-rig/pki/admin.kubeconfig\n"
        f"    kubectl -n {NAMESPACE} get mdep,pods\n\n"
        "`make demo-down` takes everything away again. The tutorial in `docs/tutorials/first-model.md` begins here."
    )
    OUT.print()
    OUT.print(Panel(Markdown(text)))


if __name__ == "__main__":
    sys.exit(main())

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
from rich.text import Text

from e2e import demo_current
from e2e.ask import ask
from e2e.install import install, install_plugin, is_installed
from e2e.lab import Lab
from e2e.rig import Rig, RigError, cache, lifecycle, pki
from e2e.rig.prepare import BIN
from e2e.rig.progress import spell
from e2e.rig.settings import REPOSITORY

OUT = Console(width=120)
NAMESPACE = "demo"
EXAMPLES = REPOSITORY / "examples"
EXPORT = f"export KUBECONFIG={pki.ADMIN_KUBECONFIG} PATH={BIN}:$PATH"
BUILT = f"What was built stays in {cache.root()}, so that the next start is quick."
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
        OUT.print(Text(str(error), style="red"), soft_wrap=True)
        return 1


def up() -> int:
    """Bring everything up and show it."""
    begun = time.monotonic()
    _chapter("1. A real Kubernetes on this machine: control plane, two nodes, eight (pretended) GPUs on each")
    rig = Rig.up()
    with rig.held("demo"):
        _chapter("2. inferfleet, installed by Helm")
        if is_installed(rig):
            OUT.print("It is installed already, and is upgraded to this checkout.")
        install(rig)
        install_plugin()
        _say(rig.kubectl("-n", "inferfleet-system", "get", "deployments"))
        lab = _namespace(rig)
        _chapter("3. A model in ten lines")
        _serve(lab)
        _chapter("4. A question, and the answer as it streams")
        OUT.print(f"[bold]{PROMPT}[/bold] ", end="")
        answer = ask(lab, "smollm2", PROMPT, tokens=32, show=True)
        OUT.print(f"\n\n{answer.tokens} tokens, the first after {answer.first_seconds:.2f} s.")
        _chapter("5. What the operator says about it")
        _say(rig.kubectl("-n", NAMESPACE, "get", "mdep"))
        _run(rig, "status", "smollm2")
        _chapter("6. Why a model that asks for too much does not run")
        _why(lab)
    end(time.monotonic() - begun)
    return 0


def down() -> int:
    """Take the rig away, and with it the demo, which is nowhere else."""
    OUT.print("Taking the cluster down, with all that the demo made in it:")
    lifecycle.down()
    OUT.print(f"{BUILT} `rm -rf {cache.root()}` removes that too.", markup=False, soft_wrap=True)
    return 0


def _namespace(rig: Rig) -> Lab:
    labels = "pod-security.kubernetes.io/enforce=restricted"
    rig.kubectl("create", "namespace", NAMESPACE, check=False)
    if there := rig.kubectl("-n", NAMESPACE, "get", "mdep", "--output", "name").split():
        names = ", ".join(name.rpartition("/")[2] for name in there)
        OUT.print(f"Models of an earlier demo are here and stay as they are: {names}.")
    rig.kubectl("label", "namespace", NAMESPACE, labels, "--overwrite")
    return Lab(rig, NAMESPACE)


def _serve(lab: Lab) -> None:
    manifest = EXAMPLES / "smollm2.yaml"
    _show(manifest)
    lab.rig.kubectl("-n", NAMESPACE, "apply", "-f", str(manifest))
    _run(lab.rig, "status", "smollm2", "--watch", "--timeout", "600")


def _why(lab: Lab) -> None:
    manifest = EXAMPLES / "too-large.yaml"
    _show(manifest)
    lab.rig.kubectl("-n", NAMESPACE, "apply", "-f", str(manifest))
    lab.reason("too-large", "Scheduled", "TooFewGpusOnOneNode", 60)
    _run(lab.rig, "why", "too-large")


def _run(rig: Rig, *argv: str) -> None:
    """Run the command line as a user does, and show what was typed and what it says."""
    command = ["kubectl", "inferfleet", *argv, "-n", NAMESPACE]
    _say(f"$ {' '.join(command)}")
    OUT.file.flush()
    subprocess.run(command, env={**os.environ, **rig.environment, "COLUMNS": "120"}, check=False)


def _say(text: str) -> None:
    """Show text as it is."""
    OUT.print(text, markup=False, highlight=False, soft_wrap=True)


def _show(manifest: Path) -> None:
    OUT.print(Syntax(manifest.read_text("utf-8"), "yaml", background_color="default"))


def _chapter(title: str) -> None:
    OUT.print()
    OUT.rule(f"[bold]{title}", align="left")


def end(seconds: float) -> None:
    """Say how to go on by hand, and how to end."""
    text = (
        f"That took **{spell(seconds)}**. Go on by hand:\n\n"
        f"    {EXPORT}\n"
        f"    kubectl -n {NAMESPACE} get mdep,pods\n"
        f"    kubectl inferfleet status smollm2 -n {NAMESPACE}\n\n"
        "The tutorial in `docs/tutorials/first-model.md` begins here. `make demo-down` takes the cluster away. "
        f"{BUILT}"
    )
    OUT.print()
    OUT.print(Panel(Markdown(text)))


if __name__ == "__main__":
    sys.exit(main())

"""The command line: `inferfleet VERB`, also as `kubectl inferfleet VERB`. Thin: argv comes in, text goes out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from inferfleet import __version__
from inferfleet.errors import InferfleetError

app = typer.Typer(
    name="inferfleet",
    help="Serve open-weight models on the GPUs of a Kubernetes cluster.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Namespace = Annotated[str, typer.Option("--namespace", "-n", help="Namespace; that of the kubeconfig if unset.")]
Context = Annotated[str, typer.Option("--context", help="Context of the kubeconfig; the current one if unset.")]
Kubeconfig = Annotated[str, typer.Option("--kubeconfig", help="Path of the kubeconfig.", envvar="KUBECONFIG")]
File = Annotated[Path, typer.Option("--filename", "-f", help="A file with ModelDeployments, or - for standard input.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="The operator's configuration, from its ConfigMap; that of the chart's default values if unset.",
    ),
]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"inferfleet {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Serve open-weight models on the GPUs of a Kubernetes cluster."""


@app.command()
def run(
    config: Annotated[Path, typer.Option(help="The operator's configuration, YAML.")],
    identity: Annotated[str, typer.Option(envvar="POD_NAME", help="Name of this replica in the Lease.")] = "inferfleet",
    host: Annotated[str, typer.Option(help="Address of probes and metrics; all if unset.")] = "",
    port: Annotated[int, typer.Option(help="Port of probes and metrics.")] = 8080,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Run the operator."""
    from inferfleet.cli.process import RunArguments, run_operator

    raise typer.Exit(run_operator(RunArguments(config, identity, host, port, log_level, kubeconfig)))


@app.command()
def crds() -> None:
    """Print the CustomResourceDefinition."""
    from inferfleet.cli.offline import print_crds

    print_crds()


@app.command()
def render(filename: File, config: ConfigFile = None) -> None:
    """Print the children that a file's ModelDeployments become, without a cluster."""
    from inferfleet.cli.offline import render_file

    raise typer.Exit(render_file(filename, config))


@app.command()
def lint(filename: File, config: ConfigFile = None) -> None:
    """Check a file's ModelDeployments; the exit status is 1 if anything is wrong."""
    from inferfleet.cli.offline import lint_file

    raise typer.Exit(lint_file(filename, config))


@app.command()
def status(
    name: Annotated[str, typer.Argument(help="Name of a ModelDeployment; all of the namespace if unset.")] = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow until it is settled.")] = False,
    output: Annotated[str, typer.Option("--output", "-o", help="`json` for machines.")] = "",
    timeout: Annotated[int, typer.Option(help="Seconds to follow at most.")] = 1800,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Show models, their revisions, pods and GPUs; the exit status is 0 if all are Ready."""
    from inferfleet.cli.cluster import Access
    from inferfleet.cli.status import StatusOptions, show_status

    options = StatusOptions(name, watch, output == "json", timeout)
    raise typer.Exit(show_status(Access(namespace, context, kubeconfig), options))


@app.command()
def why(
    name: Annotated[str, typer.Argument(help="Name of a ModelDeployment.")],
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Explain why a model is as it is: what it waits for, and the arithmetic of every node."""
    from inferfleet.cli.cluster import Access
    from inferfleet.cli.why import explain

    raise typer.Exit(explain(Access(namespace, context, kubeconfig), name))


@app.command(hidden=True)
def fetch(
    source: Annotated[str, typer.Option(help=r"`hf://ORG/REPOSITORY\[/FOLDER]` or `pvc://CLAIM\[/FOLDER]`.")],
    revision: Annotated[str, typer.Option(help="Branch, tag or commit.")] = "",
    endpoint: Annotated[str, typer.Option(help="The hub or its mirror.")] = "https://huggingface.co",
    cache: Annotated[Path, typer.Option(help="The cache volume.")] = Path("/cache"),
    claim: Annotated[Path, typer.Option(help="Where a pvc:// source's claim is mounted.")] = Path("/claim"),
    resolve_only: Annotated[bool, typer.Option(help="Find the commit and the shape only.")] = False,
    ca_file: Annotated[Path | None, typer.Option(help="Further trust anchors.")] = None,
    connections: Annotated[int, typer.Option(help="Files downloaded at once.")] = 4,
    size_limit: Annotated[int, typer.Option(help="Bytes that the volume may hold.")] = 0,
    evict: Annotated[bool, typer.Option("--evict", help="Unused commits go when space is short.")] = False,
    in_use: Annotated[list[str] | None, typer.Option(help="SOURCE-DIRECTORY/COMMIT that stays.")] = None,
    port: Annotated[int, typer.Option(help="Port that shows progress.")] = 0,
    secret: Annotated[str, typer.Option(help="The Secret that HF_TOKEN should come from, named if it is empty.")] = "",
) -> None:
    """Download weights into a cache (the operator's Jobs run this)."""
    from inferfleet.cli import weights
    from inferfleet.fetch.options import FetchOptions

    options = FetchOptions(
        source=source,
        revision=revision,
        endpoint=endpoint,
        cache=cache,
        claim=claim,
        resolve_only=resolve_only,
        secret=secret,
        ca_file=ca_file,
        connections=connections,
        size_limit=size_limit,
        evict=evict,
        in_use=tuple(in_use or ()),
        port=port,
    )
    raise typer.Exit(weights.fetch_weights(options))


@app.command(hidden=True)
def link(
    source: Annotated[str, typer.Option(help="The source, as for fetch.")],
    weights: Annotated[Path, typer.Option(help="Where the weights are mounted.")] = Path("/weights"),
    commit: Annotated[str, typer.Option(help="Commit of an hf:// source.")] = "",
    target: Annotated[Path, typer.Option(help="Where the repository is built.")] = Path("/models"),
    config: Annotated[Path | None, typer.Option(help="Folder with generated configurations.")] = None,
) -> None:
    """Build a model repository of links (an init container of serving pods runs this)."""
    from inferfleet.cli.weights import link_weights

    raise typer.Exit(link_weights(source, weights, commit, target, config))


def main() -> None:
    """Run the command line; an error of ours is one line."""
    try:
        app()
    except InferfleetError as error:
        print(f"error: {error.message}", file=sys.stderr)
        sys.exit(1)

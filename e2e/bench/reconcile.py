"""What it costs to keep models as they should be: `python -m e2e.bench.reconcile --models 500`.

The one rule: the exit status is 0 only if every gate holds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from e2e.bench import report
from e2e.bench.fleet import Simulated, simulated
from e2e.bench.phases import Run, Say
from e2e.bench.plot import plot
from e2e.bench.process import BenchError, OperatorProcess
from support.makers import CONFIG

IDLE_SECONDS, QUIET_SECONDS = 120.0, 3.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the phases, print one table, and return 1 if a gate does not hold."""
    chosen = _arguments(arguments)
    console = Console(width=160)
    try:
        with _progress(console) as progress:
            run = asyncio.run(_measure(chosen, _sayer(progress)))
    except BenchError as error:
        console.print(f"error: {error}", markup=False)
        return 2
    figures = report.figures(run, chosen.models, chosen.idle)
    console.print(report.table(figures, chosen.models))
    if chosen.json:
        whole = {"models": chosen.models, "figures": [asdict(each) for each in figures], **report.details(run)}
        chosen.json.write_text(json.dumps(whole, indent=1) + "\n", "utf-8")
    if chosen.plot:
        chosen.plot.write_text(plot(run.sizes, run.memory), "utf-8")
    failed = [each for each in figures if each.passed is False]
    held = sum(each.passed is True for each in figures)
    console.print(
        f"{held} gates hold, {len(failed)} fail" + (": " + "; ".join(f.name for f in failed) if failed else "")
    )
    return 1 if failed else 0


async def _measure(chosen: argparse.Namespace, say: Say) -> Run:
    models = chosen.models
    several, tenth = [f"m{number}" for number in range(models)], -(-models // 10)
    waiting = [f"w{number}" for number in range(tenth)]
    with tempfile.TemporaryDirectory(prefix="inferfleet-bench-") as made:
        folder = Path(made)
        async with simulated(models + tenth) as fleet:
            async with _operator(folder, fleet, 0, chosen.profile) as operator:
                run = Run(fleet, operator, say, min(QUIET_SECONDS, chosen.idle))
                await run.lead()
                await run.create("create", several, {})
                await run.idle(chosen.idle)
                busy = run.phases["idle"].cpu_seconds / run.phases["idle"].seconds
                await run.change(several[:tenth])
                await run.create("waiting", waiting, {"gpu": {"products": ["A100-80GB"]}})
                await run.resync({"waiting": waiting, "plain": several[tenth:], "changed": several[:tenth]}, busy)
            async with _operator(folder, fleet, 1, chosen.profile) as again:
                await run.restart(again, models + tenth)
                await run.delete([*several, *waiting])
    return run


def _operator(folder: Path, fleet: Simulated, number: int, profile: Path | None) -> OperatorProcess:
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(CONFIG.model_dump(mode="json", by_alias=True)), "utf-8")
    return OperatorProcess(folder, fleet.fake.kubeconfig(folder / "kubeconfig"), config, number, profile)


def _progress(console: Console) -> Progress:
    bar = BarColumn(bar_width=50)
    return Progress(
        TextColumn("{task.description:>8}"), bar, MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
        console=console,
    )  # fmt: skip


def _sayer(progress: Progress) -> Say:
    tasks = {}

    def say(phase: str, done: int, of: int) -> None:
        if phase not in tasks:
            tasks[phase] = progress.add_task(phase, total=of)
        progress.update(tasks[phase], completed=min(done, of), total=of)

    return say


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m e2e.bench.reconcile", description=__doc__)
    parser.add_argument("--models", type=int, default=500, help="models that serve; a tenth more waits for GPUs")
    parser.add_argument("--idle", type=float, default=IDLE_SECONDS, metavar="SECONDS", help="how long it is left alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE.svg", help="draw cost by children and memory by models there"
    )
    parser.add_argument("--profile", type=Path, metavar="FILE", help="profile the operator (slower): FILE.0, FILE.1")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

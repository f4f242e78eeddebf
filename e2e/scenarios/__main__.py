"""Runs scenarios and prints one table: scenario, what was counted, result, seconds."""

from __future__ import annotations

import argparse
import faulthandler
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from types import FrameType

from rich.console import Console
from rich.table import Table

from e2e.install import install
from e2e.lab import Lab, ScenarioError
from e2e.rig import Rig, RigError
from e2e.scenarios.registry import Scenario, scenarios

OUT = Console(width=160)


@dataclass(frozen=True, slots=True)
class Result:
    """How one scenario went."""

    scenario: Scenario
    counted: dict[str, object]
    error: str
    seconds: float


def main() -> int:
    """Play the chosen scenarios; return 1 if one fails."""
    chosen = _arguments()
    known = scenarios()
    names = chosen.only.split(",") if chosen.only else list(known)
    if unknown := [name for name in names if name not in known]:
        OUT.print(f"No scenario {', '.join(unknown)}; there are {', '.join(known)}.")
        return 2
    try:
        results = _play_all([known[name] for name in names], whole=chosen.full)
    except RigError as error:
        OUT.print(str(error), markup=False)
        return 1
    OUT.print(_table(results))
    failed = [each for each in results if each.error]
    for each in failed:
        OUT.print(f"\n{each.scenario.name} failed:\n{each.error}", markup=False)
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


def _play_all(chosen: list[Scenario], *, whole: bool) -> list[Result]:
    rig = Rig.up()
    results = []
    with rig.held("play scenarios"):
        OUT.print("Installing inferfleet by Helm ...")
        install(rig)
        for number, each in enumerate(chosen, 1):
            OUT.print(f"[{number}/{len(chosen)}] {each.name}: {each.shows} ...")
            results.append(play(rig, each, whole=whole))
            OUT.print(f"    {'ok' if not results[-1].error else 'FAILED'} in {results[-1].seconds:.0f} s")
    return results


def play(rig: Rig, scenario: Scenario, *, whole: bool) -> Result:
    """Play one scenario in a namespace of its own, within its time limit."""
    begun = time.monotonic()
    counted: dict[str, object] = {}
    error = ""
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(scenario.limit_seconds * (4 if whole else 1))
    try:
        with Lab.open(rig, scenario.name) as lab:
            counted = lab.counted
            scenario.play(lab, whole)
    except Exception as problem:  # noqa: BLE001 - a scenario may fail in any way; the table says how
        error = str(problem) if isinstance(problem, ScenarioError) else traceback.format_exc()
    finally:
        signal.alarm(0)
    return Result(scenario, counted, error, time.monotonic() - begun)


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    faulthandler.dump_traceback()
    raise ScenarioError("The scenario took too long; the traceback above shows where it was.")


def _table(results: list[Result]) -> Table:
    table = Table(title="Scenarios on the rig", title_justify="left")
    for column in ("SCENARIO", "COUNTED", "RESULT", "SECONDS"):
        table.add_column(column, justify="right" if column == "SECONDS" else "left")
    for each in results:
        counted = ", ".join(f"{key} {value}" for key, value in each.counted.items())
        table.add_row(each.scenario.name, counted, "FAILED" if each.error else "ok", f"{each.seconds:.0f}")
    return table


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="e2e.scenarios", description=__doc__)
    parser.add_argument("--only", default="", help="names with commas between them")
    parser.add_argument("--full", action="store_true", help="the whole matrix instead of a part and today's draw")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

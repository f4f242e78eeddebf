"""Commands of the rig: each is one call of the Python API, and prints what it did."""

from __future__ import annotations

import argparse
import sys

from e2e.rig import lifecycle
from e2e.rig.errors import RigError
from e2e.rig.leftovers import leftovers
from e2e.rig.settings import STATE


def main(argv: list[str]) -> int:
    """Run one command; what went wrong is one message, not a traceback."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.command(arguments) or 0)
    except RigError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m e2e.rig", description="A real Kubernetes on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, work, text in (
        ("up", lambda _: lifecycle.up(), "bring the rig up, or find that it is"),
        ("down", lambda _: lifecycle.down(), "remove the rig and every trace of it"),
        ("status", _status, "say what runs and what does not"),
    ):
        command = commands.add_parser(name, help=text)
        command.set_defaults(command=work)
    return parser


def _status(_: argparse.Namespace) -> int:
    found = lifecycle.sick()
    if not found:
        about = lifecycle.about()
        print(f"healthy; started from {about.get('clone')} at {about.get('since')}")
        return 0
    print("\n".join(found))
    for thing in leftovers() if not STATE.exists() or found else []:
        print(f"  there is: {thing}")
    return 1

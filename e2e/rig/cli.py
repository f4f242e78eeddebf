"""Commands of the rig: each is one call of the Python API, and prints what it did."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from e2e.rig import lever_commands, lifecycle, selfcheck
from e2e.rig.errors import RigError
from e2e.rig.leftovers import leftovers
from e2e.rig.rig import Rig
from e2e.rig.selfcheck import killed

_Command = Callable[[list[str]], int]


def main(argv: list[str]) -> int:
    """Run one command; what went wrong is one message, not a traceback."""
    parser = argparse.ArgumentParser(
        prog="python -m e2e.rig",
        description="A real Kubernetes on this machine.",
        epilog="\n".join(f"  {name:<12} {work.__doc__}" for name, work in _COMMANDS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=_COMMANDS, metavar="COMMAND")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    arguments = parser.parse_args(argv)
    try:
        return _COMMANDS[arguments.command](arguments.arguments)
    except (RigError, ValueError, AssertionError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the next `up` or `down` clears what is half done", file=sys.stderr)
        return 130


def _up(_: list[str]) -> int:
    """Bring the rig up, or find that it is."""
    lifecycle.up()
    return 0


def _down(_: list[str]) -> int:
    """Remove the rig and every trace of it."""
    lifecycle.down()
    return 0


def _status(_: list[str]) -> int:
    """Say what runs and what does not."""
    if not (found := lifecycle.sick()):
        print(f"healthy. {lifecycle.whose()}.")
        return 0
    print("\n".join(found))
    print("\n".join(f"  there is: {thing}" for thing in leftovers()))
    return 1


def _lever(argv: list[str]) -> int:
    """Pull a lever: `lever` lists them, `lever network.cut node2` pulls one."""
    if not argv:
        print("\n".join(lever_commands.listing()))
        return 0
    print(lever_commands.pull(_running().levers, argv[0], argv[1:]))
    return 0


def _check(argv: list[str]) -> int:
    """Pull every lever (or those of the named checks) and say what was seen."""
    return 1 if selfcheck.run(Rig.attach(), argv) else 0


def _check_killed(_: list[str]) -> int:
    """Kill the rig in every way and see that it comes back; takes some minutes."""
    killed.run()
    return 0


def _kubectl(argv: list[str]) -> int:
    """Run kubectl as administrator."""
    return _become("kubectl", argv)


def _helm(argv: list[str]) -> int:
    """Run helm as administrator."""
    return _become("helm", argv)


def _env(_: list[str]) -> int:
    """Print what a shell must export to use the cluster."""
    print("\n".join(f"export {name}={value}" for name, value in _running().environment.items()))
    return 0


def _running() -> Rig:
    """Return the rig in whatever state: a person may want to look at a sick one."""
    if not lifecycle.about():
        raise RigError("No rig is running: `python -m e2e.rig up` first.")
    return Rig()


def _become(program: str, argv: list[str]) -> int:
    os.environ.update(_running().environment)
    os.execvp(program, [program, *argv])  # noqa: S606 - the person's own argv, no shell


_COMMANDS: dict[str, _Command] = {
    "up": _up,
    "down": _down,
    "status": _status,
    "lever": _lever,
    "check": _check,
    "check-killed": _check_killed,
    "kubectl": _kubectl,
    "helm": _helm,
    "env": _env,
}

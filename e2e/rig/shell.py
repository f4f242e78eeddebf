"""Running programs. The rule: argv lists only, and a failure always shows the command and what it said."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.rig.errors import CommandError

_TAIL = 4000


@dataclass(frozen=True, slots=True)
class Result:
    """How a program ended and what it wrote."""

    code: int
    out: str
    err: str


def attempt(
    argv: Sequence[str | Path],
    *,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
) -> Result:
    """Run a program and say how it ended, whatever that is."""
    try:
        done = subprocess.run(
            [str(word) for word in argv],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, **env} if env else None,
            cwd=cwd,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise CommandError(f"{argv[0]}: no such program ({error}).") from error
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"{_shown(argv)}\ndid not end within {timeout:g} s.") from error
    return Result(done.returncode, done.stdout, done.stderr)


def run(
    argv: Sequence[str | Path],
    *,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
) -> str:
    """Run a program that must succeed and return its standard output."""
    result = attempt(argv, stdin=stdin, env=env, cwd=cwd, timeout=timeout)
    if result.code != 0:
        said = (result.out + result.err).strip()[-_TAIL:]
        raise CommandError(f"{_shown(argv)}\nended with {result.code}:\n{said}")
    return result.out


def succeeds(argv: Sequence[str | Path]) -> bool:
    """Whether a program ends with 0."""
    return attempt(argv).code == 0


def in_netns(name: str, argv: Sequence[str | Path]) -> list[str]:
    """Prefix argv so that it runs in the named network namespace."""
    return ["nsenter", f"--net=/run/netns/{name}", *(str(word) for word in argv)]


def _shown(argv: Sequence[str | Path]) -> str:
    return shlex.join(str(word) for word in argv)

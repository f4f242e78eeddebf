"""Python calls for the hub's levers, for scenarios and the rig.

Rule: standard library only and blocking; a scenario reads as what it does to the hub.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from e2e.rig.hub.levers import Kind, Lever
from e2e.rig.hub.store import Repository

TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class HubClient:
    """The control side of a running hub."""

    address: str

    def pull(self, lever: Lever) -> int:
        """Set a lever and return its number."""
        return int(self._call("POST", "levers", asdict(lever))["number"])

    def release(self, number: int | None = None) -> None:
        """Take one lever away, or all of them."""
        self._call("DELETE", "levers" if number is None else f"levers/{number}")

    @contextmanager
    def pulled(self, kind: Kind, value: int = 0, **where: Any) -> Iterator[None]:
        """Hold a lever while the block runs."""
        number = self.pull(Lever(kind, value, **where))
        try:
            yield
        finally:
            self.release(number)

    def log(self) -> list[dict[str, Any]]:
        """Return the request log, oldest first."""
        entries: list[dict[str, Any]] = self._call("GET", "log")
        return entries

    def clear_log(self) -> None:
        """Forget the log so far."""
        self._call("DELETE", "log")

    def sent(self, repository: str, path: str) -> int:
        """Count the bytes of files, by a shell pattern, that left the hub since the log was cleared."""
        asked = [each for each in self.log() if each["repository"] == repository]
        return sum(each["sent"] for each in asked if fnmatchcase(each["path"], path))

    def refs(self, repository: str) -> dict[str, str]:
        """Say which commits the branches and tags of a repository mean."""
        known = {one["name"]: one["refs"] for one in self._call("GET", "repositories")}
        return dict(known[repository])

    def publish(self, repository: Repository, directory: Path, ref: str = "main") -> str:
        """Commit a directory of the hub's machine and return the commit."""
        asked = asdict(repository) | {"directory": str(directory), "ref": ref}
        return str(self._call("POST", "repositories", asked)["commit"])

    def move(self, repository: str, ref: str, commit: str) -> None:
        """Point a branch or tag at another commit."""
        self._call("POST", "refs", {"name": repository, "ref": ref, "commit": commit})

    def _call(self, method: str, path: str, body: object = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.address}/_rig/{path}", content, method=method)
        with urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            said = answer.read()
        return json.loads(said) if said else None

"""What kubectl shows: golden texts from a real API server; runs where a kubeconfig is given."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.judges import KUBECONFIG
from api.server import ApiServer, installed
from e2e.rig import clients, shell
from ecosystem.statuses import ROWS
from inferfleet.api.base import GROUP, PLURAL, VERSION

pytestmark = [pytest.mark.contract, pytest.mark.ecosystem]
GOLDEN = Path(__file__).with_name("golden")


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with installed(KUBECONFIG) as found:
        yield found


@pytest.fixture(scope="module")
def namespace(server: ApiServer) -> Iterator[str]:
    """Store one object for each situation."""
    with server.namespace() as name:
        for row in ROWS:
            raw = row.object
            raw["metadata"] = {"name": re.sub(r"[^a-z]+", "-", row.title.lower()), "namespace": name}
            server.stored(raw)
        yield name


def kubectl(*argv: str) -> str:
    with_cache = ["--cache-dir", f"/tmp/kube-cache-{os.getpid()}"]  # noqa: S108 - a cache of public schemas
    return shell.run([clients.build() / "kubectl", "--kubeconfig", KUBECONFIG, *with_cache, *argv])


def expect(name: str, text: str) -> None:
    """Compare a text with its golden file; `GOLDEN=write` in the environment writes it anew."""
    file = GOLDEN / name
    if os.environ.get("GOLDEN") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()


def test_get_shows_a_line_for_each_situation(server: ApiServer, namespace: str) -> None:
    text = kubectl("get", f"{PLURAL}.{server.group}", "--namespace", namespace, "--sort-by=.metadata.name")

    expect("get.txt", re.sub(r"\d+s$", "1s", text, flags=re.MULTILINE))


def test_wait_waits_for_a_condition(server: ApiServer, namespace: str) -> None:
    said = kubectl(
        "wait", "--for=condition=Ready", f"{PLURAL}.{server.group}/serves-as-wanted", "-n", namespace, "--timeout=5s"
    )

    assert "condition met" in said


@pytest.mark.parametrize("field", ["spec", "spec.model", "spec.template.server", "status.conditions"])
def test_explain_describes_every_field(server: ApiServer, field: str) -> None:
    text = kubectl("explain", f"{PLURAL}.{field}", f"--api-version={server.group}/{VERSION}")

    expect(f"explain-{field}.txt", text.replace(server.group, GROUP))


def test_explain_shows_the_whole_tree(server: ApiServer) -> None:
    text = kubectl("explain", PLURAL, "--recursive", f"--api-version={server.group}/{VERSION}")

    expect("explain-recursive.txt", text.replace(server.group, GROUP))

"""Helm waits for a model as it should, on a real API server, by the real kstatus; runs where a kubeconfig is given."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helm_python import Chart, Config
from helm_python.errors import HelmError

from api.judges import KUBECONFIG
from api.objects import deployment
from api.server import ApiServer, installed
from ecosystem.statuses import ROWS, Row
from inferfleet.api.base import Json

pytestmark = [pytest.mark.contract, pytest.mark.ecosystem]
PATIENCE = 6
DELAY = 1.5
CHOSEN = ("serves as wanted", "suspended", "waits for GPUs", "rolls out", "refused", "no progress")


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with installed(KUBECONFIG) as found:
        yield found


@pytest.fixture
def namespace(server: ApiServer) -> Iterator[str]:
    with server.namespace() as name:
        yield name


def chart_of(raw: Json, directory: Path) -> Chart:
    """Write a chart that holds one model and nothing else, as a user's would."""
    (directory / "templates").mkdir()
    (directory / "Chart.yaml").write_text("apiVersion: v2\nname: one-model\nversion: 0.1.0\n")
    (directory / "templates" / "model.yaml").write_text(json.dumps(raw))
    return Chart.load(str(directory))


def install(server: ApiServer, namespace: str, directory: Path, status: Json | None) -> None:
    """Install and wait; the status is written after a moment, as an operator would."""
    raw = server.here({**deployment(), "metadata": {"name": "chat", "namespace": namespace}})
    config = Config(namespace=namespace, kubeconfig_path=KUBECONFIG, storage_driver="memory")
    writer = threading.Timer(DELAY, lambda: server.write_status(namespace, "chat", status or {}))
    if status:
        writer.start()
    try:
        config.install(chart_of(raw, directory), "one-model", {}, wait="watcher", timeout=PATIENCE)
    finally:
        if status:
            writer.join()


def status_of(row: Row) -> Json:
    """Take a row's status, as of the object's first generation."""
    found: Json = json.loads(
        json.dumps(row.object["status"]).replace('"observedGeneration": 3', '"observedGeneration": 1')
    )
    return found


@pytest.mark.parametrize("row", [row for row in ROWS if row.title in CHOSEN], ids=lambda row: row.title)
def test_helm_takes_a_situation_for_what_it_is(row: Row, server: ApiServer, namespace: str, tmp_path: Path) -> None:
    begun = time.monotonic()
    if row.kstatus == "Current":
        install(server, namespace, tmp_path, status_of(row))
        assert time.monotonic() - begun >= DELAY
        return

    with pytest.raises(HelmError) as raised:
        install(server, namespace, tmp_path, status_of(row))

    took = time.monotonic() - begun
    if row.kstatus == "Failed":
        ready = next(found for found in row.object["status"]["conditions"] if found["type"] == "Ready")
        assert took < PATIENCE
        assert ready["message"].split(";")[0] in str(raised.value)
    else:
        assert took >= PATIENCE - 1


def test_helm_waits_for_an_object_that_nobody_has_looked_at(server: ApiServer, namespace: str, tmp_path: Path) -> None:
    with pytest.raises(HelmError):
        install(server, namespace, tmp_path, None)

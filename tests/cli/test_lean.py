"""The operator passes by the halls of packages of which it uses one room, and what it uses works all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import kubernetes
import pytest

from inferfleet.cli import lean

ROOT = Path(__file__).parents[2]
NEEDLESS = ("numpy", "requests", "oauthlib", "websocket")
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
"""
LEAN = """
import asyncio, json, sys
from inferfleet.cli.lean import pass_by
pass_by()
import inferfleet.handlers.process
from inferfleet.kube.compare import differs
from inferfleet.kube.connection import load_connection
from inferfleet.serving.request import zeros
from tritonclient.grpc import model_config_pb2, service_pb2
connection = asyncio.run(load_connection(sys.argv[1]))
metadata = service_pb2.ModelMetadataResponse(name="m")
metadata.inputs.add(name="x", datatype="FP32", shape=[-1, 2])
manifest = [{"resources": {"limits": {"memory": amount}}, "containers": {}} for amount in ("1Gi", "1024Mi")]
print(json.dumps({
    "modules": sorted(sys.modules),
    "server": connection.server,
    "credential": asyncio.run(connection.credential(False)),
    "asks": zeros(metadata, model_config_pb2.ModelConfig(name="m")).inputs[0].name,
    "differs": differs(*manifest),
}))
"""


@pytest.mark.slow
def test_what_is_never_called_is_not_imported_and_the_rest_works(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG)
    environment = os.environ | {"PYTHONPATH": str(ROOT / "operator")}
    command = [sys.executable, "-c", LEAN, str(kubeconfig)]
    found = json.loads(subprocess.run(command, env=environment, capture_output=True, check=True, timeout=40).stdout)

    assert [name for name in NEEDLESS if name in found["modules"]] == []
    assert "kopf" in found["modules"]
    assert found["server"] == "http://127.0.0.1:1"
    assert found["credential"] == "Bearer t"
    assert found["asks"] == "x"
    assert found["differs"] == []


def test_a_package_that_was_entered_already_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lean, "HALLS", ("kubernetes",))

    lean.pass_by()

    assert sys.modules["kubernetes"] is kubernetes
    assert kubernetes.__version__

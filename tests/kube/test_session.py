"""Credentials and meters of a session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from inferfleet.errors import InferfleetError, KubeError
from inferfleet.kube.client import Client
from inferfleet.kube.connection import Connection, load_connection, token_credential
from inferfleet.kube.kinds import CONFIG_MAPS, PODS
from inferfleet.kube.session import metered, resource_of
from support.fake_kube import FakeKube, ManualClock
from support.fake_kube.clients import Meter, connection_to, open_client
from support.fake_kube.manifests import config_map


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("first\n")
    return path


@pytest.fixture
async def rotating(fake: FakeKube, clock: ManualClock, token_file: Path) -> AsyncIterator[Client]:
    """Ask with a token that a file holds."""
    fake.tokens = {"first": "operator"}
    async with open_client(Connection(fake.url, None, token_credential(token_file)), clock.hurried) as client:
        yield client


async def test_row_27_a_token_that_was_rotated_in_time_is_read_without_a_refusal(
    fake: FakeKube, clock: ManualClock, rotating: Client, token_file: Path
) -> None:
    await rotating.list(PODS)
    rotate(token_file)
    fake.tokens = {"first": "operator", "second": "operator"}
    await clock.advance(10)
    await rotating.list(PODS)
    fake.tokens = {"second": "operator"}

    await rotating.list(PODS)

    assert fake.refused == 0


async def test_row_27_a_token_that_was_rotated_too_late_costs_one_refusal(
    fake: FakeKube, rotating: Client, token_file: Path, clock: ManualClock
) -> None:
    await rotating.list(PODS)
    rotate(token_file)
    fake.tokens = {"second": "operator"}

    await rotating.apply(config_map("one", {}))

    assert fake.refused == 1
    assert clock.slept == [0.0]


async def test_row_27_a_refusal_for_five_seconds_is_outlasted(
    fake: FakeKube, clock: ManualClock, rotating: Client
) -> None:
    with fake.fault(status=401, times=4) as fault:
        await rotating.list(PODS)

    assert fault.hits == 4
    assert clock.slept == [0.0, 0.5, 1.0, 2.0]


async def test_row_27_a_lasting_refusal_is_an_error_after_six_attempts(
    fake: FakeKube, clock: ManualClock, rotating: Client
) -> None:
    fake.tokens = {}

    with pytest.raises(KubeError) as error:
        await rotating.list(PODS)

    assert error.value.status == 401
    assert fake.refused == 6
    assert clock.seconds == 7.5


async def test_a_token_file_that_vanishes_for_a_moment_costs_nothing(
    clock: ManualClock, rotating: Client, token_file: Path
) -> None:
    await rotating.list(PODS)
    remove(token_file)
    await clock.advance(10)

    assert await rotating.list(PODS) == []


async def test_a_token_file_that_never_was_is_told_as_unreachable(
    fake: FakeKube, clock: ManualClock, tmp_path: Path
) -> None:
    connection = Connection(fake.url, None, token_credential(tmp_path / "none"))
    async with open_client(connection, clock.hurried) as client:
        with pytest.raises(KubeError, match="Unreachable"):
            await client.list(PODS)


async def test_a_meter_sees_every_attempt(fake: FakeKube, clock: ManualClock) -> None:
    meter, connection = Meter(), connection_to(fake.url, "token")
    async with open_client(connection, clock.hurried, middlewares=[metered(meter, clock.time)]) as client:
        with fake.fault(status=429, retry_after=1, times=1):
            await client.list(PODS)
        with fake.fault(reset=True), pytest.raises(KubeError):
            await client.create(config_map("one", {}))

    assert meter.requests == [("GET", "pods", 429), ("GET", "pods", 200), ("POST", "configmaps", 0)]


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/api/v1/pods", "pods"),
        ("/api/v1/namespaces/a/pods/x", "pods"),
        ("/apis/apps/v1/namespaces/a/replicasets/x/status", "replicasets/status"),
        ("/api/v1/namespaces/a", "namespaces"),
        ("/api/v1/nodes/n", "nodes"),
        ("/version", "other"),
        ("/apis", "other"),
    ],
)
def test_a_path_becomes_a_label_of_few_values(path: str, resource: str) -> None:
    assert resource_of(path) == resource


async def test_a_kubeconfig_names_server_and_token(fake: FakeKube, clock: ManualClock, tmp_path: Path) -> None:
    fake.tokens = {"known": "operator"}
    connection = await load_connection(str(fake.kubeconfig(tmp_path / "config", token="known")))

    async with open_client(connection, clock.hurried) as client:
        await client.apply(config_map("one", {}))

    assert fake.log[-1].user == "operator"


async def test_row_27_a_kubeconfigs_token_file_is_read_again_when_it_is_refused(
    fake: FakeKube, clock: ManualClock, tmp_path: Path, token_file: Path
) -> None:
    fake.tokens = {"first": "operator"}
    connection = await load_connection(str(fake.kubeconfig(tmp_path / "config", token_file=token_file)))
    async with open_client(connection, clock.hurried) as client:
        await client.list(CONFIG_MAPS)
        rotate(token_file)
        fake.tokens = {"second": "operator"}

        await client.list(CONFIG_MAPS)

    assert fake.refused == 1


async def test_an_exec_plugin_is_asked_again_when_its_token_is_refused_before_its_time(
    fake: FakeKube, clock: ManualClock, tmp_path: Path, token_file: Path
) -> None:
    path = fake.kubeconfig(tmp_path / "config")
    expiry = '"expirationTimestamp":"2999-01-01T00:00:00Z"'
    version = "client.authentication.k8s.io/v1"
    answer = f'{{"apiVersion":"{version}","kind":"ExecCredential","status":{{"token":"%s",{expiry}}}}}'
    script = f"printf '{answer}' $(cat {token_file})"
    edit(path, {"apiVersion": version, "command": "sh", "args": ["-c", script], "interactiveMode": "Never"})
    fake.tokens = {"first": "operator"}
    connection = await load_connection(str(path))
    async with open_client(connection, clock.hurried) as client:
        await client.list(CONFIG_MAPS)
        rotate(token_file)
        fake.tokens = {"second": "operator"}

        await client.list(CONFIG_MAPS)

    assert fake.refused == 1


def rotate(path: Path) -> None:
    path.write_text("second")


def remove(path: Path) -> None:
    path.unlink()


def edit(path: Path, plugin: dict[str, object]) -> None:
    config = orjson.loads(path.read_bytes())
    config["users"][0]["user"] = {"exec": plugin}
    path.write_bytes(orjson.dumps(config))


@pytest.mark.parametrize("text", ["", "a: [", "users: canary-value", "users: [{user: {token: canary-value}}]"])
async def test_row_47_a_malformed_kubeconfig_is_an_error_that_quotes_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)

    with pytest.raises(InferfleetError) as error:
        await load_connection(str(path))

    assert error.value.reason == "NoClusterAccess"
    assert "canary-value" not in str(error.value)


async def test_a_pods_service_account_is_used_without_a_kubeconfig(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")

    with pytest.raises(InferfleetError, match="Service token file does not exist"):
        await load_connection()

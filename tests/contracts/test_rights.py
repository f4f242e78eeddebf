"""Who may ask, and what is said to those who may not."""

from __future__ import annotations

import ssl
from dataclasses import replace

import pytest

from inferfleet.errors import KubeError
from inferfleet.kube.client import Scope
from inferfleet.kube.kinds import CONFIG_MAPS, NODES, PODS, Ref
from support.fake_kube import ManualClock, Rule
from support.fake_kube.clients import open_client
from support.fake_kube.manifests import config_map, pod
from support.fake_kube.under_test import Server

PATCH_ONLY = Rule(["get", "patch"], ["configmaps"], [""])
CREATE_TOO = Rule(["create"], ["configmaps"], [""])


async def test_a_right_that_is_missing_is_named(server: Server) -> None:
    async with server.as_user("contract-reader", [PATCH_ONLY]) as client:
        with pytest.raises(KubeError) as error:
            await client.list(PODS, server.scope)

    assert (error.value.status, error.value.reason) == (403, "Forbidden")
    assert 'User "contract-reader" cannot list resource "pods" in API group ""' in error.value.message
    assert f'in the namespace "{server.namespace}"' in error.value.message


async def test_a_right_of_one_namespace_is_none_for_the_cluster(server: Server) -> None:
    async with server.as_user("contract-reader", [Rule(["list"], ["configmaps"], [""], [server.namespace])]) as client:
        assert isinstance(await client.list(CONFIG_MAPS, server.scope), list)
        with pytest.raises(KubeError) as error:
            await client.list(CONFIG_MAPS)
        with pytest.raises(KubeError) as cluster:
            await client.list(NODES, Scope())

    assert "at the cluster scope" in error.value.message
    assert cluster.value.status == 403


async def test_applying_what_is_not_there_needs_the_right_to_create_too(server: Server) -> None:
    await server.client.apply(config_map("there", {"a": "1"}, server.namespace))

    async with server.as_user("contract-patcher", [PATCH_ONLY]) as client:
        changed = await client.apply(config_map("there", {"a": "2"}, server.namespace))
        with pytest.raises(KubeError) as error:
            await client.apply(config_map("new", {"a": "1"}, server.namespace))
    async with server.as_user("contract-maker", [PATCH_ONLY, CREATE_TOO]) as client:
        made = await client.apply(config_map("new", {"a": "1"}, server.namespace))

    assert changed["data"] == {"a": "2"}
    assert error.value.status == 403
    assert "cannot create resource" in error.value.message
    assert made["data"] == {"a": "1"}


async def test_the_right_to_a_status_is_none_to_the_object(server: Server) -> None:
    await server.client.create(pod("one", server.namespace))
    ref = Ref(PODS, server.namespace, "one")

    async with server.as_user("contract-kubelet", [Rule(["patch"], ["pods/status"], [""])]) as client:
        with pytest.raises(KubeError) as error:
            await client.merge_patch(ref, {"metadata": {"labels": {"a": "b"}}})

    assert error.value.status == 403


async def test_a_bad_token_is_unauthorized(server: Server) -> None:
    async def credential(_refused: bool) -> str | None:
        return "Bearer not-a-token"

    anonymous = replace(server.connection, credential=credential, tls=without_certificate(server.connection.tls))
    async with open_client(anonymous, ManualClock().hurried) as client:
        with pytest.raises(KubeError) as error:
            await client.list(CONFIG_MAPS, server.scope)

    assert (error.value.status, error.value.reason, error.value.message) == (401, "Unauthorized", "Unauthorized")


def without_certificate(known: ssl.SSLContext | None) -> ssl.SSLContext | None:
    """Trust the same authority without showing a client certificate of ours."""
    if known is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for authority in known.get_ca_certs(binary_form=True):
        context.load_verify_locations(cadata=authority)
    return context

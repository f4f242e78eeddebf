"""Where the API server is and how to prove who we are: from a pod's service account or a kubeconfig.

The one rule: `kubernetes.aio` finds and reads what there is; a credential is read again and again, never remembered.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config
from kubernetes.aio.config.incluster_config import SERVICE_HOST_ENV_NAME, SERVICE_TOKEN_FILENAME
from kubernetes.aio.config.kube_config import KubeConfigLoader
from yaml import YAMLError

from inferfleet.errors import InferfleetError

_FILE_SECONDS = 10.0
_KUBECONFIG_SECONDS = 60.0

Credential = Callable[[bool], Awaitable[str | None]]
"""Reads the value of the Authorization header, None without one; True says that the last one was refused."""


@dataclass(frozen=True, slots=True)
class Connection:
    """An API server and our way in."""

    server: str
    tls: ssl.SSLContext | None
    credential: Credential
    reread_seconds: float = _FILE_SECONDS
    tls_name: str | None = None
    proxy: str | None = None


async def load_connection(kubeconfig: str | None = None, context: str | None = None) -> Connection:
    """Use this kubeconfig; without one the service account of this pod, or else the user's default kubeconfig."""
    try:
        if kubeconfig is None and os.environ.get(SERVICE_HOST_ENV_NAME):
            return _in_cluster()
        return await _from_kubeconfig(kubeconfig, context)
    except (ConfigException, OSError) as error:
        raise InferfleetError("NoClusterAccess", f"No usable access to a cluster was found: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, YAMLError) as error:
        # The message of such an error may quote the file, and a credential with it.
        raise InferfleetError("NoClusterAccess", f"The kubeconfig is malformed ({type(error).__name__}).") from error


def token_credential(path: Path) -> Credential:
    """Read a bearer token from a file that is replaced while we run; keep the last one while it cannot be read."""
    last: str | None = None

    async def read(_refused: bool) -> str | None:
        nonlocal last
        try:
            last = f"Bearer {path.read_text('utf-8').strip()}"  # noqa: ASYNC240 - a few bytes in memory
        except OSError:
            if last is None:
                raise
        return last

    return read


def _in_cluster() -> Connection:
    found = Configuration()
    load_incluster_config(found)  # type: ignore[no-untyped-call]  # - the package is typed, this function is not
    return Connection(found.host, _tls(found), token_credential(Path(SERVICE_TOKEN_FILENAME)))


async def _from_kubeconfig(kubeconfig: str | None, context: str | None) -> Connection:
    found = Configuration()
    load = partial(load_kube_config, config_file=kubeconfig, context=context, persist_config=False)
    loader = await load(client_configuration=found)
    credential = _kubeconfig_credential(loader, load)
    tls = _tls(found) if found.host.startswith("https") else None
    return Connection(found.host, tls, credential, _KUBECONFIG_SECONDS, found.tls_server_name, found.proxy)


def _kubeconfig_credential(loader: KubeConfigLoader, load: Callable[..., Awaitable[KubeConfigLoader]]) -> Credential:
    last: str | None = None

    async def read(refused: bool) -> str | None:
        nonlocal loader, last
        found = Configuration()
        try:
            # A loader keeps an exec plugin's token until it expires; one that was refused needs a new loader. An OIDC
            # loader keeps the newest refresh token, which a new one would not know.
            if refused and loader.provider != "oidc":
                loader = await load(client_configuration=found)
            else:
                await loader.load_and_set(found)  # type: ignore[no-untyped-call]  # - as above
        except (ConfigException, OSError, ValueError, KeyError, aiohttp.ClientError):
            if last is None:
                raise
            return last
        token = found.api_key.get("BearerToken")
        # A token file may end in a line end, which no header takes.
        last = None if token is None else token.strip()
        return last

    return read


def _tls(found: Configuration) -> ssl.SSLContext:
    """Trust the cluster's own authority and nothing else, from TLS 1.2 on."""
    context = ssl.create_default_context(cafile=found.ssl_ca_cert, cadata=found.ca_cert_data)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Cluster authorities often lack the extensions that strict X.509 wants; Kubernetes' own clients ask for none.
    context.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_STRICT
    if found.cert_file:
        context.load_cert_chain(found.cert_file, keyfile=found.key_file)
    if not found.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context

"""Keys and certificates: one authority, one certificate per component, written once per life of the rig."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from pathlib import Path

from e2e.rig import shell
from e2e.rig.settings import API_URL, CONTROL_IP, NODES, SERVICE_IP, STATE

DIRECTORY = STATE / "pki"
CA = DIRECTORY / "ca.crt"
CA_KEY = DIRECTORY / "ca.key"
TOKEN_KEY = DIRECTORY / "sa.key"
ADMIN_KUBECONFIG = DIRECTORY / "admin.kubeconfig"

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_API_NAMES = (
    "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"
    f"DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:{CONTROL_IP},IP:{SERVICE_IP}"
)
_CLIENTS = {
    "admin": "/O=system:masters/CN=admin",
    "kcm": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "proxy": "/CN=system:kube-proxy",
}


def create() -> None:
    """Write the authority, all certificates and all kubeconfigs."""
    DIRECTORY.mkdir(mode=0o700, parents=True)
    subject = ("-days", "3650", "-subj", "/CN=rig-ca")
    _openssl(["req", "-x509", *_NEW_KEY, *subject, "-keyout", str(CA_KEY), "-out", str(CA)])
    _certificate("apiserver", "/CN=kube-apiserver", _API_NAMES)
    _certificate("front-proxy", "/CN=front-proxy", "DNS:front-proxy")
    for name, distinguished in _CLIENTS.items():
        _certificate(name, distinguished, f"DNS:{name}")
        _write_kubeconfig(name)
    for node in NODES:
        distinguished = f"/O=system:nodes/CN=system:node:{node.name}"
        _certificate(node.name, distinguished, f"DNS:{node.name},IP:{node.ip}")
        _write_kubeconfig(node.name)
    create_token_key()


def create_token_key() -> None:
    """Write a new key for service account tokens; the API server takes it at its next start."""
    fresh = TOKEN_KEY.with_suffix(".new")
    _openssl(["genrsa", "-out", str(fresh), "2048"])
    fresh.rename(TOKEN_KEY)


def files(name: str) -> tuple[Path, Path]:
    """Return the certificate and key files of a component."""
    return DIRECTORY / f"{name}.crt", DIRECTORY / f"{name}.key"


def kubeconfig(name: str) -> Path:
    """Return the kubeconfig file of a component."""
    return DIRECTORY / f"{name}.kubeconfig"


def kubeconfig_text(authority: bytes, certificate: bytes, key: bytes) -> str:
    """Render a kubeconfig that holds its certificates."""
    embedded = [base64.b64encode(raw).decode() for raw in (certificate, key)]
    return _kubeconfig(authority, f"client-certificate-data: {embedded[0]}, client-key-data: {embedded[1]}")


def kubeconfig_with_token(authority: bytes, token: str) -> str:
    """Render a kubeconfig that holds a bearer token."""
    return _kubeconfig(authority, f"token: {token}")


def _kubeconfig(authority: bytes, user: str) -> str:
    return f"""apiVersion: v1
kind: Config
clusters:
- name: rig
  cluster: {{server: "{API_URL}", certificate-authority-data: {base64.b64encode(authority).decode()}}}
users:
- name: user
  user: {{{user}}}
contexts:
- name: rig
  context: {{cluster: rig, user: user}}
current-context: rig
"""


def _certificate(name: str, subject: str, alternative_names: str) -> None:
    certificate, key = files(name)
    request, extensions = DIRECTORY / f"{name}.csr", DIRECTORY / f"{name}.ext"
    extensions.write_text(f"subjectAltName={alternative_names}\nextendedKeyUsage=serverAuth,clientAuth\n")
    _openssl(["req", *_NEW_KEY, "-subj", subject, "-keyout", str(key), "-out", str(request)])
    signing = ["-CA", str(CA), "-CAkey", str(CA_KEY), "-CAcreateserial", "-days", "3650"]
    files_in_out = ["-in", str(request), "-out", str(certificate), "-extfile", str(extensions)]
    _openssl(["x509", "-req", *signing, *files_in_out])
    request.unlink()
    extensions.unlink()


def _write_kubeconfig(name: str) -> None:
    certificate, key = files(name)
    file = kubeconfig(name)
    file.touch(mode=0o600)
    file.write_text(kubeconfig_text(CA.read_bytes(), certificate.read_bytes(), key.read_bytes()))


def _openssl(argv: Sequence[str]) -> None:
    previous = os.umask(0o077)
    try:
        shell.run(["openssl", *argv])
    finally:
        os.umask(previous)

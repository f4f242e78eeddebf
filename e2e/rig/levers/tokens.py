"""Levers on service account tokens: short-lived ones, and old ones that the API server suddenly refuses."""

from __future__ import annotations

from dataclasses import dataclass

from e2e.rig import control_plane, nodes, pki
from e2e.rig.api import Api, Json
from e2e.rig.settings import NODES

_SHORTEST_S = 600


@dataclass(frozen=True, slots=True)
class TokenLevers:
    """Ask for, and spoil, tokens."""

    api: Api

    def request(self, namespace: str, account: str, seconds: int = _SHORTEST_S) -> str:
        """Ask for a token of a service account; the API server grants no life below ten minutes."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        body: Json = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        return str(self.api.create(path, body)["status"]["token"])

    def invalidate(self, namespace: str, account: str) -> None:
        """Make every token of one account worthless: the account is deleted and made again with another uid.

        The API server may accept a token that it has just seen for 10 seconds more.
        """
        collection = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        old = self.api.get(f"{collection}/{account}")
        kept = {key: value for key, value in old["metadata"].items() if key in ("name", "labels", "annotations")}
        self.api.delete(f"{collection}/{account}")
        self.api.create(collection, {**old, "metadata": kept})

    def refresh(self) -> None:
        """Make the kubelets forget the tokens that they hold: pods' files get fresh ones within 10 seconds.

        A kubelet asks anew only after most of a token's life, or after its own start. GPUs are gone for
        about 2 seconds each time.
        """
        for node in NODES:
            nodes.stop_service(node, "kubelet")
            nodes.start_service(node, "kubelet")

    def age(self) -> None:
        """Age every token in the cluster at once: another signing key, and nobody vouches for the old one.

        What pods hold in memory is refused from now on; what they read from their files is good again as
        soon as the kubelet has written it, within about 10 seconds.
        """
        pki.create_token_key()
        # The controller-manager holds tokens of its own accounts, so it must begin anew as well.
        for component in ("kcm", "apiserver"):
            control_plane.kill(component)
        control_plane.start_component("apiserver")
        control_plane.wait_ready()
        control_plane.start_component("kcm")
        control_plane.wait_healthy("kcm")
        self.refresh()

"""Every pod of ours lives in a namespace that enforces Pod Security `restricted`, the operator's own included."""

from __future__ import annotations

import json

from e2e.install import NAMESPACE
from e2e.lab import Lab, must
from e2e.rig.api import Json
from e2e.scenarios.registry import scenario

LABEL = "pod-security.kubernetes.io/enforce"


@scenario("restricted", "operator, downloads and servers are admitted where `restricted` is enforced")
def restricted(lab: Lab, _whole: bool) -> None:
    lab.apply(lab.model("shared"))
    lab.apply(lab.model("alone", cache={"type": "Pod"}))
    lab.ready("shared")
    lab.ready("alone", 240)
    pods = [*lab.children("pods"), *lab.rig.get(f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]]
    for pod in pods:
        must(_dry_run(lab, pod), f"{pod['metadata']['name']} would be refused")
        token = pod["spec"].get("automountServiceAccountToken")
        must(token is False or pod["metadata"]["namespace"] == NAMESPACE, f"{pod['metadata']['name']} has a token")
    lab.counted["pods admitted"] = len(pods)


def _dry_run(lab: Lab, pod: Json) -> bool:
    """Ask the API server whether a copy of the pod would be admitted here."""
    spec = {
        key: value
        for key, value in pod["spec"].items()
        if key not in ("nodeName", "serviceAccountName", "serviceAccount")
    }
    spec["volumes"] = [each for each in spec.get("volumes", []) if not each["name"].startswith("kube-api-access")]
    copy = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "copy", "namespace": lab.namespace}, "spec": spec}
    answer = lab.rig.kubectl("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(copy), check=False)
    return "violates PodSecurity" not in answer

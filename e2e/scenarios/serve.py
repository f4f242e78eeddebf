"""From `kubectl apply` to a streamed token, and back to nothing but a claim."""

from __future__ import annotations

import time

from e2e.ask import ask, first_token_seconds
from e2e.lab import CHILDREN, OURS, Lab, must, wait_for
from e2e.scenarios.registry import scenario


@scenario("serve", "apply to first streamed token; deleted with nothing left but a retained claim")
def serve(lab: Lab, _whole: bool) -> None:
    begun = time.monotonic()
    lab.apply(lab.model("smollm2", replicas=2))
    lab.counted["downloaded s"] = round(_until(lab, "Cached", begun), 1)
    lab.counted["scheduled s"] = round(_until(lab, "Scheduled", begun), 1)
    model = lab.ready("smollm2")
    lab.counted["ready s"] = round(time.monotonic() - begun, 1)
    must(
        model["status"]["summary"] == {"replicas": "2/2", "gpus": "1xH100-80GB"},
        f"columns: {model['status']['summary']}",
    )
    must(len(model["status"]["plan"]["revision"]) == 40, "the branch was not resolved to a commit")

    answer = ask(lab, "smollm2", "The capital of France is", tokens=16)
    lab.counted["first token s"] = round(first_token_seconds(answer), 2)
    must(answer.finished and answer.tokens == 16, f"the stream was cut: {answer}")

    _nothing_of_ours_on_the_object(lab)
    lab.delete("smollm2")
    left = wait_for(lambda: _only_claims(lab), "children to be collected", 60)
    lab.counted["left"] = ", ".join(left)


def _until(lab: Lab, kind: str, begun: float) -> float:
    wait_for(lambda: lab.condition("smollm2", kind).get("status") == "True", f"{kind} to be True", 120)
    return time.monotonic() - begun


def _nothing_of_ours_on_the_object(lab: Lab) -> None:
    meta = lab.get("smollm2")["metadata"]
    must(not meta.get("finalizers"), f"finalizers: {meta.get('finalizers')}")
    ours = [key for key in meta.get("annotations", {}) if not key.startswith("kubectl.kubernetes.io/")]
    must(not ours, f"annotations: {ours}")


def _only_claims(lab: Lab) -> list[str]:
    """Return what is left once it is claims alone."""
    left = []
    for path in CHILDREN:
        items = lab.rig.get(f"/{path.format(f'namespaces/{lab.namespace}')}?labelSelector={OURS}")["items"]
        left += [f"{path.rsplit('/', 1)[1]}/{each['metadata']['name']}" for each in items]
    return left if left == ["persistentvolumeclaims/smollm2.weights"] else []

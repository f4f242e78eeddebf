"""A settled fleet is left alone: two minutes without a write, every resourceVersion stable."""

from __future__ import annotations

import time

from e2e.lab import CHILDREN, OURS, Lab, must, wait_for
from e2e.operators import writes
from e2e.rig import audit
from e2e.scenarios.registry import scenario

SECONDS = 120


@scenario("idle", "two minutes settled: no write, all resourceVersions stable", limit_seconds=400)
def idle(lab: Lab, _whole: bool) -> None:
    lab.apply(lab.model("smollm2", replicas=1))
    lab.apply(lab.model("asleep", suspend=True))
    lab.apply(lab.model("too-large", gpu={"count": 12}))
    lab.ready("smollm2")
    lab.ready("asleep")
    lab.reason("too-large", "Scheduled", "TooFewGpusOnOneNode")
    wait_for(lambda: _versions(lab) == _later(lab), "the models to settle", 60)
    before, since = _versions(lab), audit.mark()
    time.sleep(SECONDS)
    after = _versions(lab)
    ours = [event for event in writes(since) if event["objectRef"]["resource"] != "leases"]
    moved = sorted(name for name in before if before[name] != after.get(name))
    named = [(event["verb"], event["objectRef"]["resource"], event["objectRef"].get("name")) for event in ours[:5]]
    must(not ours, f"{len(ours)} writes: {named}")
    must(not moved, f"changed while idle: {moved}")
    lab.counted |= {"seconds": SECONDS, "writes": len(ours), "objects stable": len(before)}


def _later(lab: Lab) -> dict[str, str]:
    time.sleep(3)
    return _versions(lab)


def _versions(lab: Lab) -> dict[str, str]:
    """Map every object of ours here to its resourceVersion."""
    paths = [f"/{path.format(f'namespaces/{lab.namespace}')}?labelSelector={OURS}" for path in CHILDREN]
    found = {}
    for path in (*paths, lab.path()):
        for item in lab.rig.get(path)["items"]:
            kind = path.split("?")[0].rsplit("/", 1)[1]
            found[f"{kind}/{item['metadata']['name']}"] = item["metadata"]["resourceVersion"]
    return found

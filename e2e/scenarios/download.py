"""Downloads: resume counted in bytes, and each fault with a reason of its own and what to do."""

from __future__ import annotations

from e2e.install import HUB
from e2e.lab import Lab, must, wait_for
from e2e.rig.hub.client import HubClient
from e2e.rig.hub.levers import Kind
from e2e.scenarios.registry import scenario

BIG = "inferfleet/big"
MIB = 1 << 20
FAULTS = (
    (Kind.UNAUTHORIZED, "HubUnauthorized", "secretRef"),
    (Kind.GATED, "LicenceNotAccepted", "licence"),
    (Kind.NO_REPOSITORY, "SourceNotFound", "spec.model.source"),
    (Kind.NO_REVISION, "RevisionNotFound", "spec.model.revision"),
    (Kind.CORRUPT_CONTENT, "ChecksumMismatch", "has checksum"),
)


@scenario("download", "resume in bytes after a cut and a kill, and every fault named", limit_seconds=900)
def download(lab: Lab, _whole: bool) -> None:
    hub = HubClient(HUB)
    _resumes(lab, hub)
    for kind, reason, word in FAULTS:
        name = reason.lower()
        with hub.pulled(kind, repository=BIG, path="?*" if kind is Kind.CORRUPT_CONTENT else "*"):
            lab.apply(lab.model(name, f"hf://{BIG}"))
            found = lab.reason(name, "Cached", reason, 120)
            must(word in found["message"], f"{reason} does not say {word}: {found['message']}")
        lab.delete(name)
    _disk_full(lab)
    lab.counted["faults named"] = len(FAULTS) + 1


def _resumes(lab: Lab, hub: HubClient) -> None:
    """Kill the download's pod half-way and cut a connection: bytes over the network stay near those on disk."""
    hub.clear_log()
    cut = hub.pulled(Kind.CUT, 5 * MIB, repository=BIG, path="*/part-2.bin", times=1)
    with cut, hub.pulled(Kind.SLOW, 6 * MIB, repository=BIG):
        lab.apply(lab.model("big", f"hf://{BIG}"))
        wait_for(lambda: hub.sent(BIG, "*") > 12 * MIB, "a quarter of the bytes to be sent", 120)
        pod = lab.pods("big", role="download")[0]["metadata"]["name"]
        lab.rig.kubectl("-n", lab.namespace, "delete", "pod", pod, "--grace-period=0", "--force")
        moving = wait_for(lambda: lab.get("big").get("status", {}).get("download"), "bytes in status", 60)
        must(0 < moving["bytesDone"] <= moving["bytesTotal"], f"odd progress: {moving}")
    model = lab.ready("big", 240)
    total = model["status"]["plan"]["weightsMib"]
    sent = hub.sent(BIG, "*") / MIB
    lab.counted["MiB on disk"] = total
    lab.counted["MiB over the network"] = round(sent)
    must(sent < total * 1.35, f"{sent:.0f} MiB were sent for {total} MiB: the download did not resume")
    lab.delete("big")


def _disk_full(lab: Lab) -> None:
    """Give a claim of 64 MiB, which is less than the weights: the reason says how much is needed."""
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "small", "namespace": lab.namespace},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "storageClassName": "rig-small",
            "resources": {"requests": {"storage": "64Mi"}},
        },
    }
    lab.apply(claim)
    lab.apply(lab.model("disk-full", cache={"type": "PVC", "claim": "small"}))
    found = lab.reason("disk-full", "Cached", "DiskFull", 120)
    must("MiB are free" in found["message"], f"DiskFull says no number: {found['message']}")
    lab.delete("disk-full")

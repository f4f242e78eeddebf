"""Downloads that cannot go on where they are: a dead node, and values of the chart that were wrong.

The one rule: what is in the way is in the cluster, and a download begins anew as soon as beginning anew can help.
"""

from __future__ import annotations

from inferfleet.api.base import Json
from inferfleet.fleet import names
from support.pods import role_of
from support.simulation import Simulation


def downloading(sim: Simulation) -> list[Json]:
    """List the pods of downloads that run."""
    return [
        pod
        for pod in sim.fake.all("pods")
        if role_of(pod) == names.ROLE_DOWNLOAD and pod.get("status", {}).get("phase") == "Running"
    ]


async def test_a_download_on_a_node_that_died_begins_anew_on_another(sim: Simulation) -> None:
    await sim.operator()
    sim.apply()
    await sim.until(lambda: downloading(sim))
    (first,) = downloading(sim)

    sim.fake.controllers.kubelets.cut_off.add(first["spec"]["nodeName"])
    sim.fake.patch("nodes", "", first["spec"]["nodeName"], {"spec": {"unschedulable": True}})
    sim.fake.delete("pods", "default", first["metadata"]["name"])
    took = await sim.until(sim.serves)

    assert took < 60
    assert first["metadata"]["name"] in [pod["metadata"]["name"] for pod in downloading(sim)]

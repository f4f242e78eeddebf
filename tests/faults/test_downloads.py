"""Downloads that cannot go on where they are: a dead node, and values of the chart that were wrong.

The one rule: what is in the way is in the cluster, and a download begins anew as soon as beginning anew can help.
"""

from __future__ import annotations

from collections.abc import Callable

from inferfleet.api.base import Json
from inferfleet.fleet import names
from support.fake_kube import Fate
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


def cannot_pull(image: str) -> Callable[[Json], Fate | None]:
    """Let no pod get an image."""

    def choose(pod: Json) -> Fate | None:
        wanted = pod["spec"]["containers"][0]["image"] == image
        return Fate(waiting="ImagePullBackOff", message="no such image") if wanted else None

    return choose


async def test_a_download_that_cannot_start_begins_anew_with_corrected_values(sim: Simulation) -> None:
    wrong, right = "registry.test/wrong:1", sim.config
    sim.fake.controllers.kubelets.fates.insert(0, cannot_pull(wrong))
    sim.config = right.model_copy(update={"images": right.images.model_copy(update={"operator": wrong})})
    run = await sim.operator()
    sim.apply()
    await sim.until(lambda: sim.said("Cached") == ("False", "ImagePullFailed"))
    await sim.passes(600)
    assert [job["metadata"]["name"][-8:] for job in sim.children()["jobs"]] == ["-fetch-0"]
    await run.kill()

    sim.config = right
    await sim.operator()

    assert await sim.until(sim.serves) < 30
    assert [job["metadata"]["name"][-8:] for job in sim.children()["jobs"]] == ["-fetch-1"]


async def test_a_download_that_runs_is_left_alone_when_the_charts_values_change(sim: Simulation) -> None:
    run = await sim.operator()
    sim.apply()
    await sim.settled()
    before = [job["metadata"]["uid"] for job in sim.children()["jobs"]]
    await run.kill()

    sim.config = sim.config.model_copy(update={"run_as_user": 20002})
    await sim.operator()
    await sim.passes(60)

    assert [job["metadata"]["uid"] for job in sim.children()["jobs"]] == before

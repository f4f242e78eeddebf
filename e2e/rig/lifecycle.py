"""`up` and `down`: from any state that a machine can be found in to a healthy rig, or to no trace of one.

The rule: nothing is trusted that a killed run may have left half done. What is not wholly healthy is cleared
and started anew.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from e2e.rig import (
    cgroups,
    control_plane,
    dns,
    footprint,
    network,
    node_images,
    nodes,
    pki,
    prepare,
    processes,
    services,
    shell,
    volumes,
)
from e2e.rig.api import Api, Json
from e2e.rig.errors import ApiError, RigError
from e2e.rig.leftovers import CHECKED, leftovers, live_processes, mounts
from e2e.rig.lock import USE, machine_lock
from e2e.rig.preconditions import MEMORY_ROOT_GB
from e2e.rig.settings import DNS_IP, GPUS_PER_NODE, NODES, PYTHON, REPOSITORY, STATE

_ABOUT = STATE / "rig.json"
_NODES_S = 120.0


def up(*, holding: bool = False) -> None:
    """Bring up a rig, or find that it is up; whatever a killed one left behind is cleared first.

    A rig that somebody has in use may be broken on purpose, so it is not cleared; `holding`: the caller has it.
    """
    machine = prepare.check()
    with machine_lock("bring the rig up"):
        began = time.monotonic()
        prepare.build(machine.missing_packages)
        if not broken():
            print(f"{whose()}; its images and services are brought up to date.", flush=True)
            refresh()
            print(f"The rig is up ({time.monotonic() - began:.1f} s).")
            return
        with _in_use("start the rig anew", holding=holding):
            if found := leftovers():
                first = f"{len(found)} things, the first: {found[0]}"
                print(f"Clearing what another rig left behind ({first}).", flush=True)
                _clear()
            _start(in_memory=machine.memory_gb >= MEMORY_ROOT_GB)


def down(*, holding: bool = False) -> None:
    """Remove the rig and everything of it, and say what was looked at; `holding`: the caller has it in use."""
    what = "take the rig down"
    with machine_lock(what), _in_use(what, holding=holding):
        began = time.monotonic()
        before = footprint.recorded()
        _clear()
        left = leftovers() + (before.differences(footprint.take()) if before else [])
        if left:
            raise RigError("\n".join(["The rig is down, but this was left:", *(f"  - {thing}" for thing in left)]))
        print(f"The rig is down ({time.monotonic() - began:.1f} s). Nothing is left of it; looked at:")
        print("\n".join(f"  - {what}" for what in CHECKED))


def sick() -> list[str]:
    """Say why the rig is not healthy; empty for a healthy one."""
    return broken() or [*(f"{name} is not running" for name in services.dead()), *_gpus_missing()]


def broken() -> list[str]:
    """Say what of the cluster itself does not work; only a new start mends that."""
    if not _ABOUT.exists():
        return ["no rig is running"]
    expected = (*control_plane.COMPONENTS, *(node.name for node in NODES))
    if found := [f"{name} is not running" for name in expected if not _alive(name)]:
        return found
    api = Api(timeout_s=3.0)
    try:
        if not api.ready():
            return ["the API server is not ready"]
        return [f"{node['metadata']['name']} is not ready" for node in _items(api) if _not_ready(node)]
    except (OSError, ApiError) as error:
        return [f"the API server does not answer: {error}"]
    finally:
        api.close()


def refresh() -> None:
    """Give a running rig what has changed since: images, and services that this checkout has."""
    prepare.offer_images()
    for node in NODES:
        for reference in node_images.import_missing(partial(nodes.run_inside, node)):
            print(f"{node.name}: imported {reference}", flush=True)
    for name in services.start_missing():
        print(f"started {name}", flush=True)
    _wait_for_services()


def about() -> dict[str, str]:
    """Say who started the rig, when and from where."""
    try:
        return dict(json.loads(_ABOUT.read_text()))
    except (OSError, ValueError):
        return {}


def whose() -> str:
    """Say since when a rig runs, and who started it."""
    found = about()
    clone = found.get("clone", "nobody knows where")
    origin = "this checkout" if clone == str(REPOSITORY) else clone
    return f"A rig is running already, since {found.get('since', 'nobody knows when')}, started from {origin}"


def in_steps(*steps: tuple[str, Callable[[], object]]) -> None:
    """Do the steps in order, and say each with the time that is gone when it is done."""
    began = time.monotonic()
    for title, work in steps:
        work()
        print(f"  {time.monotonic() - began:5.1f} s  {title}", flush=True)


def _in_use(what: str, *, holding: bool) -> AbstractContextManager[None]:
    return nullcontext() if holding else machine_lock(what, name=USE)


def _start(*, in_memory: bool) -> None:
    began = time.monotonic()
    in_steps(
        ("network, keys, volumes", lambda: _foundations(in_memory=in_memory)),
        ("nodes switched on", _power_on),
        ("control plane ready", control_plane.start),
        ("nodes ready", _wait_for_nodes),
        ("volumes and DNS applied", _apply),
        ("GPUs and services ready", _wait_for_services),
        ("DNS answers on every node", _wait_for_dns),
    )
    # Written last: a rig without it is not whole, and the next `up` clears it.
    _ABOUT.write_text(
        json.dumps(
            {
                "clone": str(REPOSITORY),
                "since": datetime.now(tz=UTC).isoformat(timespec="seconds"),
                "by": f"process {os.getpid()}",
            }
        )
    )
    print(f"The rig is up ({time.monotonic() - began:.1f} s). KUBECONFIG={pki.ADMIN_KUBECONFIG}")


def _foundations(*, in_memory: bool) -> None:
    STATE.mkdir(mode=0o755)
    footprint.record()
    prepare.install_programs()
    prepare.offer_images()
    pki.create()
    volumes.create()
    cgroups.create([node.name for node in NODES])
    network.create()
    for node in NODES:
        nodes.prepare(node, in_memory=in_memory)


def _power_on() -> None:
    for node in NODES:
        nodes.power_on(node)


def _wait_for_nodes() -> None:
    services.start_missing()
    api = Api()
    _wait("the nodes", lambda: len(_items(api)) == len(NODES) and not any(map(_not_ready, _items(api))))


def _wait_for_services() -> None:
    _wait("the GPUs", lambda: not _gpus_missing())


def _wait_for_dns() -> None:
    def answered() -> bool:
        ask = [PYTHON, "-m", "e2e.rig.dns", DNS_IP]
        env = {"PYTHONPATH": str(REPOSITORY)}
        return all(shell.attempt(shell.in_netns(node.netns, ask), env=env).code == 0 for node in NODES)

    _wait("cluster DNS", answered)


def _apply() -> None:
    objects = {"apiVersion": "v1", "kind": "List", "items": [*volumes.manifests(), *dns.manifests()]}
    client = [str(prepare.BIN / "kubectl"), "--kubeconfig", str(pki.ADMIN_KUBECONFIG)]
    shell.run(
        [*client, "create", "-f", "-"], stdin=json.dumps(objects), env={"KUBECACHEDIR": str(STATE / "kube-cache")}
    )


def _wait(what: str, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _NODES_S
    while not done():
        for node in NODES:
            if not nodes.is_on(node):
                raise RigError(f"{node.name} went off; see {processes.LOG / node.name}.log.")
        if time.monotonic() > deadline:
            raise RigError(f"Waited {_NODES_S:g} s for {what}; see {processes.LOG}.")
        time.sleep(0.1)


def _clear() -> None:
    """Remove a rig in whatever state it is."""
    in_steps(*_clearing())


def _clearing() -> tuple[tuple[str, Callable[[], object]], ...]:
    """Name what removes a rig, in the order in which it must be done."""
    return (
        ("processes ended", _end_processes),
        ("network removed", network.remove),
        ("mounts removed", _unmount),
        ("control groups removed", cgroups.remove),
        ("state removed", _remove_state),
    )


def _end_processes() -> None:
    processes.end(live_processes())
    while alive := live_processes():
        processes.end(alive)


def _unmount() -> None:
    for point in mounts(Path("/proc/self/mountinfo").read_text()):
        shell.run(["umount", "-l", point])


def _remove_state() -> None:
    before = footprint.recorded()
    if before is None or str(network.DIRECTORY) not in before.directories:
        network.remove_directory()
    shutil.rmtree(STATE, ignore_errors=True)


def _alive(name: str) -> bool:
    record = processes.recorded(name)
    return bool(record and record.alive)


def _items(api: Api) -> list[Json]:
    """List the real nodes; a scale test may have added fake ones."""
    ours = {spec.name for spec in NODES}
    return [node for node in api.get("/api/v1/nodes")["items"] if node["metadata"]["name"] in ours]


def _not_ready(node: Json) -> bool:
    conditions = {entry["type"]: entry["status"] for entry in node["status"].get("conditions", [])}
    return conditions.get("Ready") != "True"


def _gpus_missing() -> list[str]:
    api = Api()
    shown = {node["metadata"]["name"]: node["status"]["capacity"].get("nvidia.com/gpu", "0") for node in _items(api)}
    api.close()
    return [f"{name} shows {gpus} GPUs" for name, gpus in shown.items() if gpus != str(GPUS_PER_NODE)]

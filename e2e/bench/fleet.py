"""A cluster that costs nothing: the tests' API server, controllers, kubelets and GPU nodes, in the bench's process.

The one rule: pods take their time, models answer real inferences, and downloads show a real result; only the work
behind them is left out.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

import grpc
from aiohttp import web
from tritonclient.grpc import service_pb2_grpc

from inferfleet.api.base import API_VERSION, KIND, PLURAL, Json
from inferfleet.api.crd import crd
from inferfleet.fleet import names
from inferfleet.kube.kinds import CHILDREN
from inferfleet.serving.metrics import METRICS_PORT
from inferfleet.serving.progress import PROGRESS_PORT
from inferfleet.serving.triton import GRPC_PORT
from serving.fakes import FakeTriton, metrics_page
from support.fake_kube import FakeKube, Logged
from support.fake_kube.resources import custom_resource
from support.fake_kube.storage import Change
from support.fake_servers import download_address, serving_address
from support.makers import CONFIG, H100, REPOSITORY
from support.pods import address_of, fate, role_of

NAMESPACE = "default"
GPUS_PER_NODE = 8
SERVING_ADDRESSES, DOWNLOAD_ADDRESSES = 4, 8
OTHER_LINES = "".join(
    f'nv_inference_{name}_duration_us{{model="m",version="1"}} 1234\n# HELP nv_gpu_{name} {"x" * 60}\n'
    for name in ("request", "queue", "compute_input", "compute_infer", "compute_output", "exec", "load", "unload")
    for _ in range(6)
).encode()
"""A real page has some hundred lines that the operator does not look at."""


@dataclass
class Simulated:
    """A fleet of GPU nodes whose pods live by the clock."""

    fake: FakeKube
    unread: dict[str, deque[str]] = field(default_factory=lambda: defaultdict(deque))
    """Downloads whose result nobody has read, by address, the oldest first."""
    read: set[str] = field(default_factory=set)
    edited_at: dict[str, float] = field(default_factory=dict)
    """When its user last changed a model that the operator has not written for since."""
    delays: list[float] = field(default_factory=list)
    """Seconds from a user's change to the first write for that model."""
    _logged: int = 0

    def live(self, nodes: int) -> None:
        """Let there be nodes, and let pods run."""
        fake = self.fake
        fake.controllers.kubelets.address = self._address
        fake.controllers.kubelets.fates.append(lambda pod: fate(pod, self.read))
        fake.api.storage.listen(self._seen)
        fake.enable()
        fake.api.register(custom_resource(crd()))
        fake.add_namespace(CONFIG.namespace)
        for number in range(nodes):
            name = f"n{number}"
            fake.add_node(name, GPUS_PER_NODE, {"nvidia.com/gpu.product": H100.products[0]})
            fake.patch("nodes", "", name, {"status": {"allocatable": {"ephemeral-storage": "1Ti"}}}, "status")

    def create(self, name: str, spec: Json) -> None:
        """Write a ModelDeployment as its user does."""
        meta = {"name": name, "namespace": NAMESPACE}
        self.edited_at[name] = monotonic()
        body = {"model": {"source": "hf://org/model"}, **spec}
        self.fake.add({"apiVersion": API_VERSION, "kind": KIND, "metadata": meta, "spec": body})

    def edit(self, name: str, patch: Json) -> None:
        """Change a ModelDeployment as its user does; the delay to the first write for it is taken."""
        self.edited_at[name] = monotonic()
        self.fake.patch(PLURAL, NAMESPACE, name, patch)

    def touch(self, name: str, value: str) -> None:
        """Change what is nothing to the operator, so that it looks and finds nothing to do."""
        patch = {"metadata": {"annotations": {"example.com/touched": value}}}
        self.fake.patch(PLURAL, NAMESPACE, name, patch)

    def is_at_rest(self, name: str) -> bool:
        """Tell whether a model serves as its spec wants, or says why it cannot."""
        found = self.fake.api.storage.get(self.fake.api.resource(PLURAL), (NAMESPACE, name))
        if found is None:
            return False
        status = found.obj.get("status") or {}
        conditions = {each["type"]: each for each in status.get("conditions", ())}
        current = status.get("observedGeneration") == found.obj["metadata"]["generation"]
        if conditions.get("Scheduled", {}).get("status") == "False":
            return bool(current)
        ready = conditions.get("Ready", {}).get("status") == "True"
        return bool(current and ready and "Reconciling" not in conditions)

    def has_started(self, name: str) -> bool:
        """Tell whether a model has its ReplicaSet, the last of its children."""
        found = self.fake.api.storage.get(self.fake.api.resource(PLURAL), (NAMESPACE, name))
        uid = found.obj["metadata"]["uid"] if found else ""
        dependents = self.fake.api.storage.dependents.get(uid, ())
        return any(resource.plural == "replicasets" for resource, _ in dependents)

    def looks(self) -> int:
        """Count the beats since the log was taken: each begins with a read of its model."""
        return sum(entry.resource == PLURAL and entry.verb == "get" for entry in self.fake.log)

    def children(self, *chosen: str, owned: bool = False) -> int:
        """Count what was made for models, or only what goes with them."""
        wanted = set(chosen)
        stored = [each for kind in CHILDREN for each in self.fake.api.storage.all(self.fake.api.resource(kind.plural))]
        metas = [each.obj["metadata"] for each in stored]
        labels = [meta.get("labels", {}) for meta in metas if not owned or meta.get("ownerReferences")]
        return sum(found.get(names.MODEL) in wanted for found in labels)

    def take_log(self) -> list[Logged]:
        """Hand out what was asked since the last time, and forget it: bodies take much memory."""
        self.note_delays()
        found = self.fake.log[:]
        self.fake.log.clear()
        self._logged = 0
        self.fake.api.storage.forget(5000)
        return found

    def note_delays(self) -> None:
        """Note the first write after each change of a user's."""
        for entry in self.fake.log[self._logged :]:
            name = _model_of(entry) if entry.writes else ""
            if name in self.edited_at and entry.at >= self.edited_at[name]:
                self.delays.append(entry.at - self.edited_at.pop(name))
        self._logged = len(self.fake.log)

    def _seen(self, change: Change) -> None:
        """Put a download into its line when it begins to run, and take it out when it is gone unread."""
        if change.resource.plural != "pods":
            return
        if change.after is None:
            self._forget(change.before.obj if change.before else {})
            return
        pod = change.after.obj
        runs = (pod.get("status") or {}).get("phase") == "Running"
        uid = pod["metadata"]["uid"]
        if runs and role_of(pod) == names.ROLE_DOWNLOAD and uid not in self.read:
            waiting = self.unread[pod["status"]["podIP"]]
            if uid not in waiting:
                waiting.append(uid)

    def _forget(self, pod: Json) -> None:
        waiting = self.unread[(pod.get("status") or {}).get("podIP", "")]
        if pod["metadata"]["uid"] in waiting:
            waiting.remove(pod["metadata"]["uid"])

    def was_read(self, address: str) -> None:
        """Let the oldest download at an address end."""
        uid = self.unread[address].popleft()
        self.read.add(uid)
        found = self.fake.api.storage.by_uid.get(uid)
        if found is not None:
            self.fake.controllers.kubelets.dirty[found[1]] = None

    @staticmethod
    def _address(pod: Json, number: int) -> str:
        among = DOWNLOAD_ADDRESSES if role_of(pod) == names.ROLE_DOWNLOAD else SERVING_ADDRESSES
        return address_of(pod, number % among)

    async def page(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer as a model server's metrics port or a download's progress port does."""
        assert request.transport is not None
        address, port = request.transport.get_extra_info("sockname")[:2]
        if port == METRICS_PORT:
            return web.Response(body=OTHER_LINES + metrics_page(succeeded=1, broken=0, pending=0))
        if request.path != "/result" or not self.unread[address]:
            return web.Response(status=404)
        response = web.Response(body=REPOSITORY.model_dump_json().encode(), content_type="application/json")
        await response.prepare(request)
        await response.write_eof()
        self.was_read(address)
        return response


def _model_of(entry: Logged) -> str:
    """Name the model that a write is for, as far as it shows."""
    if entry.resource == PLURAL:
        return entry.name
    meta = entry.body.get("metadata") or {} if isinstance(entry.body, dict) else {}
    return str((meta.get("labels") or {}).get(names.MODEL, ""))


@asynccontextmanager
async def simulated(models: int) -> AsyncIterator[Simulated]:
    """Bring up a cluster with room for so many models of one GPU each, and their pods' ports."""
    async with AsyncExitStack() as stack:
        fake = await stack.enter_async_context(FakeKube())
        found = Simulated(fake)
        found.live(-(-models // GPUS_PER_NODE))
        runner = web.ServerRunner(web.Server(found.page, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        server = grpc.aio.server()
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(FakeTriton(), server)
        for number in range(SERVING_ADDRESSES):
            await web.TCPSite(runner, serving_address(number), METRICS_PORT).start()
            server.add_insecure_port(f"{serving_address(number)}:{GRPC_PORT}")
        for number in range(DOWNLOAD_ADDRESSES):
            await web.TCPSite(runner, download_address(number), PROGRESS_PORT).start()
        await server.start()
        stack.push_async_callback(server.stop, 0)
        yield found

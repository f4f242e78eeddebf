"""The server container of a serving pod.

The one rule: it executes the server itself, so that signals, exit codes and the drain are the server's own.
"""

from __future__ import annotations

from typing import Any

from inferfleet.api.base import Json
from inferfleet.api.config import FleetConfig
from inferfleet.engines.profile import EngineProfile, Probe
from inferfleet.fleet import names
from inferfleet.fleet.nodes import GPU
from inferfleet.plan.desired import ServingPlan
from inferfleet.render import commands, merge
from inferfleet.render.security import container_security

SERVER = "server"
DRAIN = "DRAIN_SECONDS"
MIB = 1 << 20
CPU_PER_GPU = 200
"""Millicores: enough to keep the scheduler honest, little enough for eight replicas on a small node."""
PROCESS_MIB = 1024
WEIGHTS_ON_CPU = 120
"""Percent of the weights' size that a server on CPUs holds in memory."""


def server_container(serving: ServingPlan, profile: EngineProfile, config: FleetConfig, mounts: list[Json]) -> Json:
    """Write the container; the drain time stands in its environment, laid over by each ReplicaSet."""
    theirs = serving.spec.template.server
    found: Json = {
        "name": SERVER,
        "image": serving.image,
        "imagePullPolicy": config.images.pull_policy,
        "command": list(profile.command),
        "args": list(profile.argv(config.triton.options | serving.spec.engine.options)),
        "env": merge.add_environment(_environment(serving, profile), theirs.env),
        "ports": [{"name": port.name, "containerPort": port.number} for port in profile.ports],
        "resources": _resources(serving, profile),
        "lifecycle": {"preStop": {"sleep": {"seconds": profile.drain.pre_stop}}},
        "securityContext": container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts + [merge.as_written(mount) for mount in theirs.volume_mounts],
    }
    if theirs.env_from:
        found["envFrom"] = [merge.as_written(source) for source in theirs.env_from]
    probes = profile.probes(serving.model, serving.repository.total_bytes)
    checks = {"startup": probes.startup, "readiness": probes.readiness, "liveness": probes.liveness}
    return found | {f"{name}Probe": _probe(probe) for name, probe in checks.items()}


def _environment(serving: ServingPlan, profile: EngineProfile) -> list[Json]:
    found: list[Json] = [
        {"name": "ADMIN_KEY", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
        {"name": DRAIN, "value": str(serving.spec.rollout.drain_timeout_seconds)},
    ]
    found += [{"name": name, "value": value} for name, value in profile.environment.items()]
    if not serving.shape.gpus:
        # Images for GPUs ask for all of them, and a node whose default runtime is NVIDIA's gives them.
        found.append({"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"})
    return found


def _resources(serving: ServingPlan, profile: EngineProfile) -> Json:
    gpus, weights = serving.shape.gpus, serving.repository.total_bytes
    memory = PROCESS_MIB + profile.shared_memory_mib
    memory += 0 if gpus else weights * WEIGHTS_ON_CPU // 100 // MIB
    requests = {"cpu": f"{CPU_PER_GPU * max(1, gpus)}m", "memory": f"{memory}Mi"}
    if serving.cache.kind == "Pod" and not serving.cache.size:
        requests["ephemeral-storage"] = f"{cache_limit_mib(serving)}Mi"
    limits = {GPU: str(gpus)} if gpus else {}
    return merge.add_resources(requests, limits, serving.spec.template.server.resources)


def cache_limit_mib(serving: ServingPlan) -> int:
    """Bound a pod's own copy of the weights: their size and some room."""
    return 1024 + serving.repository.total_bytes * 5 // 4 // MIB


def _probe(probe: Probe) -> Json:
    found: dict[str, Any] = {
        "httpGet": {"path": probe.path, "port": "http"},
        "periodSeconds": probe.period,
        "failureThreshold": probe.failures,
        "timeoutSeconds": probe.timeout,
    }
    return found | ({"terminationGracePeriodSeconds": probe.grace} if probe.grace else {})


def server_mounts(serving: ServingPlan, *, configured: bool) -> list[Json]:
    """Write where the server finds its repository; the links in it point to the weights and the configuration."""
    weights: Json = {"name": "weights", "mountPath": commands.WEIGHTS, "readOnly": True}
    if not commands.is_claim(serving.spec.model.source):
        weights["subPath"] = names.source_directory(serving.spec.model.source)
    found = [
        weights,
        {"name": "models", "mountPath": commands.MODELS, "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own emptyDir
        {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - as above
    ]
    return [*found, {"name": "config", "mountPath": commands.CONFIG, "readOnly": True}] if configured else found

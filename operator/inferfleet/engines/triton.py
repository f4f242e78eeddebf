"""NVIDIA Triton, serving a model repository.

The one rule: what a model may set cannot break probes, drain or the walls around the server.
"""

from __future__ import annotations

from types import MappingProxyType

from inferfleet.engines.pbtxt import is_ensemble
from inferfleet.engines.probe import parse_probe
from inferfleet.engines.profile import ADMIN_KEY, DRAIN_SECONDS, Drain, EngineProfile, Port
from inferfleet.errors import SpecError
from inferfleet.fleet.weights import Repository, RepositoryModel

ADMIN_HEADER = "triton-grpc-protocol-admin-key"
"""gRPC metadata that opens the admin APIs; its value is the pod's uid."""
_RESTRICTED = f"model-repository,trace,logging,shared-memory:admin-key={ADMIN_KEY}"
_SHOWN = 5

ALLOWED = frozenset(
    {
        "allow-cpu-metrics",
        "backend-config",
        "buffer-manager-thread-count",
        "cache-config",
        "cuda-memory-pool-byte-size",
        "cuda-virtual-address-size",
        "disable-auto-complete-config",
        "enable-peer-access",
        "grpc-http2-max-ping-strikes",
        "grpc-http2-max-pings-without-data",
        "grpc-http2-min-recv-ping-interval-without-data",
        "grpc-infer-allocation-pool-size",
        "grpc-infer-response-compression-level",
        "grpc-infer-thread-count",
        "grpc-keepalive-permit-without-calls",
        "grpc-max-connection-age",
        "grpc-max-connection-age-grace",
        "grpc-max-response-pool-size",
        "host-policy",
        "http-max-input-size",
        "http-thread-count",
        "log-info",
        "log-verbose",
        "metrics-config",
        "min-supported-compute-capability",
        "model-load-gpu-limit",
        "model-load-retry-count",
        "model-load-thread-count",
        "pinned-memory-pool-byte-size",
        "rate-limit",
        "rate-limit-resource",
        "response-cache-byte-size",
    }
)

_REPOSITORY = "the repository is built from model.source; remove it"
_ADDRESS = "probes, Services and NetworkPolicies rely on it; remove it"
_CLOSED = "the admin APIs stay closed; remove it"
_CONTROL = "every model of the repository is loaded at the start, and a new revision gets new pods; remove it"
_BACKENDS = "backends come with the image; set engine.image to one that has yours, and remove it"
_LOGS = "logs go to the container's output, where kubectl logs shows them; remove it"
_TRACES = "tracing is off; remove it"
_METRICS = "the operator reads the metrics; remove it"
_VANISHED = "clients that vanish must not hold a server that ends; remove it"
_PLAIN = "the operator probes without TLS inside the cluster; put TLS in front of the Service, and remove it"

OWNED = MappingProxyType(
    dict.fromkeys(("model-repository", "model-store"), _REPOSITORY)
    | dict.fromkeys(("allow-http", "http-port", "http-address", "reuse-http-port"), _ADDRESS)
    | dict.fromkeys(("allow-grpc", "grpc-port", "grpc-address", "reuse-grpc-port"), _ADDRESS)
    | dict.fromkeys(("allow-metrics", "metrics-port", "metrics-address"), _ADDRESS)
    | dict.fromkeys(("allow-sagemaker", "sagemaker-port", "allow-vertex-ai", "vertex-ai-port"), _ADDRESS)
    | dict.fromkeys(("http-restricted-api", "grpc-restricted-protocol", "allow-client-shm"), _CLOSED)
    | dict.fromkeys(("model-control-mode", "load-model", "repository-poll-secs", "model-namespacing"), _CONTROL)
    | dict.fromkeys(("backend-directory", "repoagent-directory", "cache-directory"), _BACKENDS)
    | dict.fromkeys(("log-file", "log-format", "log-error", "log-warning"), _LOGS)
    | dict.fromkeys(("trace-config", "trace-file", "trace-level", "trace-rate", "trace-count"), _TRACES)
    | dict.fromkeys(("metrics-interval-ms", "allow-gpu-metrics"), _METRICS)
    | dict.fromkeys(("grpc-use-ssl", "grpc-use-ssl-mutual", "grpc-server-cert", "grpc-server-key"), _PLAIN)
    | dict.fromkeys(("grpc-root-cert",), _PLAIN)
    | dict.fromkeys(("grpc-keepalive-time", "grpc-keepalive-timeout"), _VANISHED)
    | {
        "exit-timeout-secs": "set rollout.drainTimeoutSeconds instead, and remove it",
        "exit-on-error": "the server stays up, so that it can be asked why a model failed to load; remove it",
        "strict-readiness": "readiness is asked of the model, not of the server; remove it",
        "strict-model-config": "use disable-auto-complete-config instead, and remove it",
    }
)

TRITON = EngineProfile(
    name="triton",
    command=("tritonserver",),
    arguments=(
        "--model-repository=/models",
        "--model-control-mode=none",
        "--strict-readiness=false",
        # A model that fails to load leaves the server up, which can then say why; its own readiness stays off.
        "--exit-on-error=false",
        f"--exit-timeout-secs={DRAIN_SECONDS}",
        # The stream of a client that vanished without a word would hold an ending server for its whole drain.
        "--grpc-keepalive-time=30000",
        "--grpc-keepalive-timeout=10000",
        "--metrics-interval-ms=1000",
        "--allow-gpu-metrics=false",
        "--log-format=ISO8601",
        f"--http-restricted-api={_RESTRICTED}",
        f"--grpc-restricted-protocol={_RESTRICTED}",
    ),
    ports=(Port("http", 8000, "http"), Port("grpc", 8001, "kubernetes.io/h2c"), Port("metrics", 8002, "")),
    environment=MappingProxyType(
        {
            "HOME": "/tmp",  # noqa: S108 - the pod's own emptyDir
            # PyTorch asks who runs it, and dies for a uid without a name.
            "USER": "inferfleet",
            "HF_HOME": "/tmp/huggingface",  # noqa: S108 - as HOME
            "HF_HUB_OFFLINE": "1",
            "TRANSFORMERS_OFFLINE": "1",
            "DO_NOT_TRACK": "1",
            "TRTLLM_NO_USAGE_STATS": "1",
            "VLLM_NO_USAGE_STATS": "1",
        }
    ),
    ready_path="/v2/models/{model}/ready",
    live_path="/v2/health/live",
    drain=Drain(pre_stop=10, slack=10),
    shared_memory_mib=2048,
    allowed=ALLOWED,
    owned=OWNED,
)

check_options = TRITON.check_options


def check_repository(repository: Repository) -> None:
    """Refuse what Triton cannot serve, saying what was found and what to do."""
    if repository.shape != "triton" or not repository.models:
        raise SpecError("NotATritonRepository", _no_repository(repository))
    without = [model.name for model in repository.models if not model.versions]
    if without:
        raise SpecError(
            "NoModelVersion",
            f"spec.model.source: {_some(without)} of the repository has no numbered version folder, and the server "
            "loads every model or none. Add one, for example "
            f"{without[0]}/1, or remove the model from the repository.",
        )


def choose_model(repository: Repository, wanted: str | None) -> str:
    """Choose the model that is probed: the named one, the only one, or the only ensemble."""
    names = [model.name for model in repository.models]
    if wanted is not None:
        if wanted not in names:
            raise SpecError(
                "ModelNotFound",
                f'spec.model.name: found "{wanted}"; the repository holds {_some(names)}. Name one of them.',
            )
        return _with_probe(repository.models[names.index(wanted)])
    if len(names) == 1:
        return _with_probe(repository.models[0])
    ensembles = [model for model in repository.models if model.config and is_ensemble(model.config)]
    if len(ensembles) != 1:
        what = "no ensemble" if not ensembles else f"{len(ensembles)} ensembles"
        raise SpecError(
            "ModelNameNeeded",
            f"spec.model.name: not set, and the repository holds {len(names)} models with {what} among them: "
            f"{_some(names)}. Name the one that clients ask.",
        )
    return _with_probe(ensembles[0])


def _with_probe(model: RepositoryModel) -> str:
    if model.probe is not None:
        parse_probe(model.probe)
    return model.name


def _no_repository(repository: Repository) -> str:
    found = {
        "triton": "holds no model",
        "checkpoint": "holds a Hugging Face checkpoint",
        "gguf": "holds GGUF files",
        "unknown": "is no Triton model repository",
    }[repository.shape]
    files = f" (files: {_some([_plain(name) for name in repository.listing])})" if repository.listing else ""
    return (
        f"spec.model.source: the source {found}{files}. What is served is a Triton model repository: a folder for each "
        "model with a numbered folder for each version, for example my-model/1/model.onnx. Put the weights into one, "
        "or point spec.model.source at the folder that is one."
    )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _plain(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name[:64])

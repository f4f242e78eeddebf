"""The fake GPUs of a node: a device plugin, `python -m e2e.rig.gpu_plugin NODE`.

The rule: the file `bad-gpus` in the node's directory names the devices that are broken, and is looked at
five times a second, so that a GPU fails and heals by a write to it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc

from e2e.rig import gpu_wire, settings
from e2e.rig.settings import GPUS_PER_NODE, NodeSpec

RESOURCE = "nvidia.com/gpu"
_SOCKET = "fake-nvidia.sock"
_SERVICE = "v1beta1.DevicePlugin"
_LOOK_S = 0.2
_RETRY_S = 0.3


def bad_gpus_file(node: NodeSpec) -> Path:
    """Return the file that names a node's broken GPUs."""
    return node.directory / "bad-gpus"


def bad_gpus(node: NodeSpec) -> set[str]:
    """Read which GPUs are broken."""
    file = bad_gpus_file(node)
    return set(file.read_text().split()) if file.exists() else set()


def main(argv: list[str]) -> None:
    """Serve the plugin for as long as the process lives, anew after each start of the kubelet."""
    node = settings.node(argv[0])
    directory = node.directory / "kubelet" / "device-plugins"
    while True:
        directory.mkdir(parents=True, exist_ok=True)
        serve_until_kubelet_restarts(node, directory)


def serve_until_kubelet_restarts(node: NodeSpec, directory: Path) -> None:
    """Serve and register; return when our socket is gone, which is how a starting kubelet says hello."""
    socket = directory / _SOCKET
    socket.unlink(missing_ok=True)
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(_SERVICE, _methods(node))])
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    while socket.exists() and not _register(directory):
        time.sleep(_RETRY_S)
    while socket.exists():
        time.sleep(_LOOK_S)
    server.stop(0)


def _methods(node: NodeSpec) -> dict[str, grpc.RpcMethodHandler]:
    def list_and_watch(_: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        shown = None
        while context.is_active():
            bad = bad_gpus(node)
            if (now := gpu_wire.device_list((name, name not in bad) for name in _names())) != shown:
                yield now
                shown = now
            time.sleep(_LOOK_S)

    def allocate(request: bytes, _: grpc.ServicerContext) -> bytes:
        return gpu_wire.allocate_response("NVIDIA_VISIBLE_DEVICES", gpu_wire.allocated_ids(request))

    def nothing(_request: bytes, _: grpc.ServicerContext) -> bytes:
        return b""

    return {
        "GetDevicePluginOptions": grpc.unary_unary_rpc_method_handler(nothing),
        "ListAndWatch": grpc.unary_stream_rpc_method_handler(list_and_watch),
        "Allocate": grpc.unary_unary_rpc_method_handler(allocate),
        "PreStartContainer": grpc.unary_unary_rpc_method_handler(nothing),
    }


def _names() -> list[str]:
    return [f"GPU-{number}" for number in range(GPUS_PER_NODE)]


def _register(directory: Path) -> bool:
    options = [("grpc.default_authority", "localhost")]
    request = gpu_wire.register_request(_SOCKET, RESOURCE)
    with grpc.insecure_channel(f"unix:{directory}/kubelet.sock", options=options) as channel:
        try:
            channel.unary_unary("/v1beta1.Registration/Register")(request, timeout=2)
        except grpc.RpcError as error:
            print("not registered yet:", error.code(), flush=True)
            return False
    print("registered", flush=True)
    return True


if __name__ == "__main__":
    main(sys.argv[1:])

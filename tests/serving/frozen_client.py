"""A client that freezes in the middle of a stream, as one does whose node loses power.

`python -m serving.frozen_client HOST` is that process.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
import threading
from collections.abc import Iterator
from itertools import islice
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc


def story_request(tokens: int) -> Any:
    """Ask SmolLM2 for exactly so many tokens, streamed."""
    request = service_pb2.ModelInferRequest(model_name="smollm2")
    for name, datatype, raw in (
        ("text_input", "BYTES", struct.pack("<I", 4) + b"tell"),
        ("max_tokens", "INT32", struct.pack("<i", tokens)),
        ("ignore_eos", "BOOL", b"\1"),
        ("stream", "BOOL", b"\1"),
    ):
        request.inputs.add(name=name, datatype=datatype, shape=[1])
        request.raw_input_contents.append(raw)
    return request


def _never_ending() -> Iterator[Any]:
    yield story_request(400)
    threading.Event().wait()


def main() -> None:
    """Take three pieces, and stop."""
    channel = grpc.insecure_channel(f"{sys.argv[1]}:8001")
    pieces = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelStreamInfer(_never_ending())
    for _ in islice(pieces, 3):
        pass
    os.kill(os.getpid(), signal.SIGSTOP)


if __name__ == "__main__":
    main()

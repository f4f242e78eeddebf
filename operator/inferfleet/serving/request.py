"""The request that proves a model: the repository's own, or the smallest that its metadata allows.

The one rule: what a server says of its model is bounded before memory is taken for it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator
from types import MappingProxyType
from typing import Any

from tritonclient.grpc import service_pb2

from inferfleet.engines.probe import ProbeRequest, Value
from inferfleet.errors import TritonError

SAMPLE = b"hi"
LARGEST_REQUEST = 32 << 20
MOST_INPUTS = 256
SIZES = MappingProxyType(
    {"BOOL": 1, "UINT8": 1, "INT8": 1, "UINT16": 2, "INT16": 2, "FP16": 2, "BF16": 2, "UINT32": 4, "INT32": 4}
    | {"FP32": 4, "UINT64": 8, "INT64": 8, "FP64": 8}
)
_FORMATS = MappingProxyType(
    {"BOOL": "?", "UINT8": "B", "INT8": "b", "UINT16": "H", "INT16": "h", "FP16": "e", "UINT32": "I", "INT32": "i"}
    | {"FP32": "f", "UINT64": "Q", "INT64": "q", "FP64": "d"}
)

Message = Any
"""A message of tritonclient, whose classes are made at run time."""


def zeros(metadata: Message, config: Message) -> Message:
    """Ask with zeros: `hi` for text, 1 for every free dimension, optional inputs left out."""
    optional = {each.name for each in config.input if each.optional}
    request = _empty(metadata.name, config)
    left = LARGEST_REQUEST
    for each in metadata.inputs[:MOST_INPUTS]:
        if each.name in optional:
            continue
        shape = [1 if size < 0 else size for size in each.shape]
        left -= _bytes(each.datatype, shape)
        if left < 0:
            raise TritonError(
                "InputTooLarge",
                f"The input {each.name[:64]} of {list(each.shape)[:8]} is too large to be made up; put an "
                "inferfleet-probe.json into the repository.",
            )
        _add(request, each.name, each.datatype, shape, _zero(each.datatype, math.prod(shape)))
    return request


def given(probe: ProbeRequest, model: str, config: Message) -> Message:
    """Ask with the repository's own request."""
    request = _empty(model, config)
    for each in probe.inputs:
        _add(request, each.name, each.datatype, each.shape, _packed(each.datatype, each.values))
    for output in probe.outputs:
        request.outputs.add().name = output.name
    for name, value in probe.parameters.items():
        _set(request.parameters[name], value)
    return request


def _empty(model: str, config: Message) -> Message:
    request = service_pb2.ModelInferRequest(model_name=model)
    if config.model_transaction_policy.decoupled:
        request.parameters["triton_enable_empty_final_response"].bool_param = True
    if config.HasField("sequence_batching"):
        request.parameters["sequence_id"].int64_param = 1
        request.parameters["sequence_start"].bool_param = True
        request.parameters["sequence_end"].bool_param = True
    return request


def _bytes(datatype: str, shape: Iterable[int]) -> int:
    return math.prod(shape) * SIZES.get(datatype, 4 + len(SAMPLE))


def _zero(datatype: str, count: int) -> bytes:
    return _text(SAMPLE) * count if datatype == "BYTES" else bytes(count * SIZES[datatype])


def _packed(datatype: str, values: tuple[Value, ...]) -> bytes:
    if datatype == "BYTES":
        return b"".join(_text(str(value).encode()) for value in values)
    return struct.pack(f"<{len(values)}{_FORMATS[datatype]}", *values)


def _text(value: bytes) -> bytes:
    return struct.pack("<I", len(value)) + value


def _add(request: Message, name: str, datatype: str, shape: Iterable[int], raw: bytes) -> None:
    tensor = request.inputs.add()
    tensor.name, tensor.datatype = name, datatype
    tensor.shape.extend(shape)
    request.raw_input_contents.append(raw)


def _set(parameter: Message, value: Value) -> None:
    if isinstance(value, bool):
        parameter.bool_param = value
    elif isinstance(value, int):
        parameter.int64_param = value
    elif isinstance(value, float):
        parameter.double_param = value
    else:
        parameter.string_param = value


def stream(request: Message) -> Iterator[Message]:
    """Send one request as a stream."""
    yield request

"""The few protobuf messages of the kubelet's device plugin API, written and read by hand. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_LENGTH_DELIMITED = 2


def register_request(endpoint: str, resource: str) -> bytes:
    """Write v1beta1.RegisterRequest."""
    return _field(1, b"v1beta1") + _field(2, endpoint.encode()) + _field(3, resource.encode())


def device_list(devices: Iterable[tuple[str, bool]]) -> bytes:
    """Write v1beta1.ListAndWatchResponse from ids and whether each is healthy."""
    return b"".join(
        _field(1, _field(1, name.encode()) + _field(2, b"Healthy" if healthy else b"Unhealthy"))
        for name, healthy in devices
    )


def allocated_ids(request: bytes) -> list[list[str]]:
    """Read v1beta1.AllocateRequest: the device ids of each container."""
    return [[name.decode() for name in _read(container, 1)] for container in _read(request, 1)]


def allocate_response(variable: str, containers: list[list[str]]) -> bytes:
    """Write v1beta1.AllocateResponse: one environment variable that lists each container's devices."""
    out = b""
    for ids in containers:
        entry = _field(1, variable.encode()) + _field(2, ",".join(ids).encode())
        out += _field(1, _field(1, entry))
    return out


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def _read(message: bytes, wanted: int) -> Iterator[bytes]:
    """Yield the length-delimited fields with this number; these messages have no other wire type."""
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        size, at = _read_varint(message, at)
        if tag >> 3 == wanted:
            yield message[at : at + size]
        at += size


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at

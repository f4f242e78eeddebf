"""`inferfleet-probe.json`: the request that proves a model, written by whoever made its repository.

The one rule: it is KServe's JSON inference request, and what cannot be sent is refused before any pod exists.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from inferfleet.errors import SpecError

Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"
]
Value = bool | int | float | str
Name = Annotated[str, Field(min_length=1, max_length=256)]
NESTED = 8
WHOLE: dict[str, tuple[int, int]] = {
    f"{sign}INT{bits}": (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for sign in ("", "U")
    for bits in (8, 16, 32, 64)
}
LARGEST = {"FP16": 65504.0, "FP32": 3.4028234e38, "FP64": 1.7976931348623157e308}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class ProbeInput(_Part):
    """One tensor."""

    name: Name
    datatype: Datatype
    shape: Annotated[tuple[Annotated[int, Field(ge=0, le=1_000_000)], ...], Field(max_length=NESTED)]
    data: list[Any]

    @property
    def values(self) -> tuple[Value, ...]:
        """List the elements in row-major order."""
        return tuple(_flat(self.data))

    @model_validator(mode="after")
    def _fits(self) -> Self:
        values, wanted = self.values, math.prod(self.shape)
        if len(values) != wanted:
            raise ValueError(f"the shape has {wanted} elements and data has {len(values)}")
        odd = [value for value in values if not _is_a(value, self.datatype)]
        if odd:
            raise ValueError(f"{str(odd[0])[:32]!r} is no {self.datatype}")
        return self


class ProbeOutput(_Part):
    """One output to ask for."""

    name: Name


class ProbeRequest(_Part):
    """The request without the model's name."""

    inputs: Annotated[tuple[ProbeInput, ...], Field(max_length=64)]
    outputs: Annotated[tuple[ProbeOutput, ...], Field(max_length=64)] = ()
    parameters: Annotated[dict[Name, Value], Field(max_length=32)] = {}


def parse_probe(text: str) -> ProbeRequest:
    """Read the file, or say what is wrong with it."""
    try:
        return ProbeRequest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the file"
        message = first["msg"].removeprefix("Value error, ")[:256]
        raise SpecError(
            "ProbeInvalid",
            f"inferfleet-probe.json of the repository: {where}: {message}; allowed is a KServe v2 JSON inference "
            "request. Mend it, or remove it to have zeros sent.",
        ) from error


def _flat(data: list[Any], depth: int = 1) -> Iterator[Value]:
    for element in data:
        if isinstance(element, list):
            if depth >= NESTED:
                raise ValueError(f"data is nested more than {NESTED} deep")
            yield from _flat(element, depth + 1)
        else:
            yield element


def _is_a(value: object, datatype: str) -> bool:
    if datatype == "BOOL":
        return isinstance(value, bool)
    if datatype == "BYTES":
        return isinstance(value, str)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if datatype in WHOLE:
        low, high = WHOLE[datatype]
        return isinstance(value, int) and low <= value <= high
    return -LARGEST[datatype] <= value <= LARGEST[datatype]

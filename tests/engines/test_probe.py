"""inferfleet-probe.json: what may stand in it."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inferfleet.engines.probe import parse_probe
from inferfleet.errors import SpecError


def written(**tensor: object) -> str:
    return json.dumps({"id": "ignored", "inputs": [{"name": "x"} | tensor]})


def test_nested_data_is_read_in_row_major_order() -> None:
    probe = parse_probe(written(datatype="INT32", shape=[2, 2], data=[[1, 2], [3, 4]]))

    assert probe.inputs[0].values == (1, 2, 3, 4)


def test_outputs_and_parameters_are_kept() -> None:
    probe = parse_probe('{"inputs": [], "outputs": [{"name": "y"}], "parameters": {"k": 1, "t": "s", "b": true}}')

    assert [output.name for output in probe.outputs] == ["y"]
    assert probe.parameters == {"k": 1, "t": "s", "b": True}


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        ({"datatype": "INT32", "shape": [3], "data": [1, 2]}, "3 elements and data has 2"),
        ({"datatype": "INT8", "shape": [1], "data": [300]}, "'300' is no INT8"),
        ({"datatype": "UINT64", "shape": [1], "data": [-1]}, "is no UINT64"),
        ({"datatype": "BOOL", "shape": [1], "data": [1]}, "is no BOOL"),
        ({"datatype": "INT32", "shape": [1], "data": [True]}, "is no INT32"),
        ({"datatype": "FP16", "shape": [1], "data": [70000]}, "is no FP16"),
        ({"datatype": "FP32", "shape": [1], "data": [10**400]}, "is no FP32"),
        ({"datatype": "FP64", "shape": [1], "data": [float("nan")]}, "is no FP64"),
        ({"datatype": "BYTES", "shape": [1], "data": [None]}, "is no BYTES"),
        ({"datatype": "BYTES", "shape": [1], "data": [{"a": 1}]}, "is no BYTES"),
        ({"datatype": "BF16", "shape": [1], "data": [1]}, "datatype"),
        ({"datatype": "FP32", "shape": [-1], "data": []}, "shape"),
        ({"datatype": "FP32", "shape": [1], "data": [[[[[[[[[1]]]]]]]]]}, "nested"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_the_reason(tensor: dict[str, object], said: str) -> None:
    with pytest.raises(SpecError) as refusal:
        parse_probe(written(**tensor))

    assert refusal.value.reason == "ProbeInvalid"
    assert said in refusal.value.message


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.text(max_size=64) | st.recursive(st.none() | st.booleans() | st.integers(), st.lists).map(json.dumps))
def test_anything_else_is_refused_and_never_breaks(text: str) -> None:
    with pytest.raises(SpecError):
        parse_probe(text)

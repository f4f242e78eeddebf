from __future__ import annotations

from typing import Any

import pytest

from e2e.rig import gpu_wire, lever_commands
from e2e.rig.errors import RigError
from e2e.rig.levers import Levers
from e2e.rig.levers.node import foreign_pod
from e2e.rig.levers.rbac import without
from e2e.rig.watch import always, eventually

RULES = [
    {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get", "list"]},
    {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["patch"]},
]


class _Recorder:
    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def fail(self, *arguments: object) -> None:
        self.calls.append(arguments)

    def cut(self, *arguments: object) -> None:
        self.calls.append(arguments)


def _levers(recorder: object) -> Levers:
    groups: dict[str, Any] = dict.fromkeys(Levers.__slots__, recorder)
    return Levers(**groups)


def test_one_verb_on_one_resource_is_revoked_and_nothing_else() -> None:
    assert without(RULES, "pods", "list") == [
        {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
        RULES[1],
    ]


def test_the_last_verb_takes_its_rule_with_it() -> None:
    assert without(RULES, "replicasets", "patch") == RULES[:1]


def test_what_is_not_granted_changes_nothing() -> None:
    assert without(RULES, "secrets", "get") == RULES
    assert without(RULES, "pods", "delete") == RULES


def test_every_lever_is_a_command_with_a_description() -> None:
    lines = lever_commands.listing()
    names = {line.split()[0] for line in lines[::2]}

    assert {"network.cut", "gpu.fail", "node.power_off", "control_plane.freeze", "pods.kill_process"} <= names
    assert all(len(line.split()) > 1 for line in lines[1::2])
    assert "node.fill NODE GPUS" in lines
    assert "node.stop_service NODE [SERVICE=kubelet]" in lines


def test_a_command_reads_numbers_as_numbers() -> None:
    recorder = _Recorder()

    said = lever_commands.pull(_levers(recorder), "gpu.fail", ["node1", "3"])

    assert said == "done"
    assert recorder.calls == [("node1", 3)]


def test_an_unknown_lever_is_refused_with_those_that_exist() -> None:
    with pytest.raises(RigError, match=r"network\.cut"):
        lever_commands.pull(_levers(_Recorder()), "network.explode", [])


@pytest.mark.parametrize("argv", [[], ["node1", "node2"]])
def test_a_wrong_number_of_arguments_is_refused_with_what_it_takes(argv: list[str]) -> None:
    with pytest.raises(RigError, match="It takes: NODE"):
        lever_commands.pull(_levers(_Recorder()), "network.cut", argv)


def test_a_stranger_goes_through_the_scheduler_to_its_node() -> None:
    pod = foreign_pod("stranger", "node2", 5)

    assert "nodeName" not in pod["spec"]
    assert pod["spec"]["nodeSelector"] == {"kubernetes.io/hostname": "node2"}
    assert pod["spec"]["containers"][0]["resources"]["limits"] == {"nvidia.com/gpu": "5"}


def test_an_allocation_is_read_and_answered_container_by_container() -> None:
    # AllocateRequest{container_requests: [{devices_ids: [GPU-1, GPU-2]}, {devices_ids: [GPU-3]}]}
    request = b"\x0a\x0e\x0a\x05GPU-1\x0a\x05GPU-2\x0a\x07\x0a\x05GPU-3"

    ids = gpu_wire.allocated_ids(request)

    assert ids == [["GPU-1", "GPU-2"], ["GPU-3"]]
    # AllocateResponse{container_responses: [{envs: {V: "GPU-1,GPU-2"}}, {envs: {V: "GPU-3"}}]}
    assert gpu_wire.allocate_response("V", ids) == (
        b"\x0a\x12\x0a\x10\x0a\x01V\x12\x0bGPU-1,GPU-2\x0a\x0c\x0a\x0a\x0a\x01V\x12\x05GPU-3"
    )


def test_a_long_field_gets_a_length_of_two_bytes() -> None:
    request = gpu_wire.register_request("s" * 200, "nvidia.com/gpu")

    assert b"\x12\xc8\x01" + b"s" * 200 in request


def test_health_is_written_in_the_kubelets_words() -> None:
    written = gpu_wire.device_list([("GPU-0", True), ("GPU-1", False)])

    assert written == b"\x0a\x10\x0a\x05GPU-0\x12\x07Healthy\x0a\x12\x0a\x05GPU-1\x12\x09Unhealthy"


def test_waiting_ends_with_what_was_seen_last() -> None:
    assert eventually("it", lambda: True) < 1
    with pytest.raises(AssertionError, match="wanted 2 within 0 s, last saw None"):
        eventually("it", lambda: 1, 2, within_s=0)
    with pytest.raises(AssertionError, match="saw 1"):
        always("it", lambda: 1, 2)

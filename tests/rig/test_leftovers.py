from __future__ import annotations

from e2e.rig.footprint import Footprint
from e2e.rig.leftovers import mounts, routes
from e2e.rig.processes import started

MOUNTINFO = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
90 22 0:40 / /var/lib/inferfleet-rig/volumes/rig-small-0 rw - tmpfs rig rw
91 22 0:4 net:[4026532200] /run/netns/rig1 rw - nsfs nsfs rw
92 22 0:4 net:[4026532201] /run/netns/other rw - nsfs nsfs rw
93 90 0:41 / /var/lib/inferfleet-rig/volumes/rig-small-0/deeper/still rw - tmpfs rig rw
94 22 0:42 / /var/lib/inferfleet-rigged rw - tmpfs other rw
"""
ROUTES = """\
default via 192.0.2.1 dev eth0
10.244.1.0/24 via 172.30.0.11 dev rig-host
10.244.9.0/24 via 192.0.2.7 dev eth0
172.30.0.0/24 dev rig-host proto kernel scope link src 172.30.0.254
"""


def _stat(state: str, threads: int) -> str:
    after = [state, *["0"] * 16, str(threads), "0", "4711", "0"]
    return f"12 (a) b) {' '.join(after)}"


def test_mounts_of_the_rig_are_found_innermost_first_and_those_of_others_are_not() -> None:
    assert mounts(MOUNTINFO) == [
        "/var/lib/inferfleet-rig/volumes/rig-small-0/deeper/still",
        "/var/lib/inferfleet-rig/volumes/rig-small-0",
        "/run/netns/rig1",
    ]


def test_routes_of_the_rig_are_found_and_those_of_others_are_not() -> None:
    assert routes(ROUTES) == [
        "10.244.1.0/24 via 172.30.0.11 dev rig-host",
        "172.30.0.0/24 dev rig-host proto kernel scope link src 172.30.0.254",
    ]


def test_a_footprint_says_what_changed() -> None:
    before = Footprint({"kernel/panic": "0", "vm/panic_on_oom": "0"}, ["/run/netns"], ["table ip nat"])
    after = Footprint(
        {"kernel/panic": "10", "vm/panic_on_oom": "0"},
        ["/run/netns", "/var/lib/cni"],
        ["table ip nat", "table ip netpol"],
    )

    assert before.differences(before) == []
    assert before.differences(after) == [
        "sysctl kernel/panic: was 0, is 10",
        "path /var/lib/cni is new",
        "nftables: table ip netpol is new",
    ]


def test_a_sysctl_that_is_no_longer_there_is_no_difference() -> None:
    assert Footprint({"gone": "1"}, [], []).differences(Footprint({}, [], [])) == []


def test_a_running_process_has_a_start_time_and_a_zombie_has_none() -> None:
    assert started(_stat("S", 8)) == 4711
    assert started(_stat("Z", 1)) is None
    assert started(_stat("X", 1)) is None


def test_a_dead_first_thread_is_not_a_dead_process() -> None:
    assert started(_stat("Z", 5)) == 4711

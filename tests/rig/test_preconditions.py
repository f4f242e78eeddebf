from __future__ import annotations

from dataclasses import replace

import pytest

from e2e.rig import preconditions
from e2e.rig.machine import available_memory_gb, go_version, taken
from e2e.rig.preconditions import Machine

GOOD = Machine(
    uid=0,
    system="Linux",
    python=(3, 11),
    go=(1, 26),
    needs_go=True,
    missing_controllers=[],
    unified_cgroups=False,
    has_apt=True,
    missing_packages=["buildah"],
    memory_gb=20.0,
    state_disk_gb=50.0,
    cache_disk_gb=50.0,
    cache_directory="/home/me/.cache/inferfleet",
    taken_routes=[],
)
BAD = {
    "root": (replace(GOOD, uid=1000), "run it as root"),
    "system": (replace(GOOD, system="Darwin"), "needs Linux"),
    "python": (replace(GOOD, python=(3, 10)), "Python is 3.10: use 3.11"),
    "no go": (replace(GOOD, go=None), "install Go 1.26"),
    "old go": (replace(GOOD, go=(1, 22)), "Go is 1.22: install 1.26"),
    "controllers": (replace(GOOD, missing_controllers=["pids", "cpuset"]), "missing: pids, cpuset"),
    "packages": (replace(GOOD, has_apt=False), "install what Debian calls buildah"),
    "memory": (replace(GOOD, memory_gb=4.0), "4.0 GB of memory are available: 8 GB"),
    "state disk": (replace(GOOD, state_disk_gb=1.0), "free in /var/lib: 8 GB"),
    "cache disk": (replace(GOOD, cache_disk_gb=3.0), "XDG_CACHE_HOME"),
    "route": (replace(GOOD, taken_routes=["10.96.0.0/12 dev vpn0"]), "`10.96.0.0/12 dev vpn0`"),
}


def test_a_good_machine_has_no_problems() -> None:
    assert preconditions.problems(GOOD) == []
    assert preconditions.warnings(GOOD) == []


@pytest.mark.parametrize("name", BAD)
def test_each_problem_says_what_to_do(name: str) -> None:
    machine, words = BAD[name]

    found = preconditions.problems(machine)

    assert len(found) == 1
    assert words in found[0]


def test_all_problems_are_in_one_message() -> None:
    machine = replace(GOOD, uid=1000, go=None, memory_gb=1.0, taken_routes=["172.30.0.0/16 dev x"])

    text = preconditions.message(preconditions.problems(machine))

    assert text.count("\n  - ") == 4


def test_a_warm_cache_needs_neither_go_nor_much_disk() -> None:
    machine = replace(GOOD, needs_go=False, go=None, cache_disk_gb=3.0)

    assert preconditions.problems(machine) == []


def test_what_is_untested_or_slow_is_said() -> None:
    machine = replace(GOOD, unified_cgroups=True, memory_gb=10.0)

    said = " ".join(preconditions.warnings(machine))

    assert "untested" in said
    assert "slower" in said


def test_foreign_routes_in_our_ranges_are_found_and_our_own_are_not() -> None:
    table = (
        "default via 192.168.1.1 dev eth0\n"
        "10.244.1.0/24 via 172.30.0.11 dev rig-host\n"
        "172.30.0.0/24 dev rig-host proto kernel scope link src 172.30.0.254\n"
        "10.0.0.0/8 dev vpn0 scope link\n"
        "192.168.1.0/24 dev eth0\n"
        "unreachable 1.2.3.0/24\n"
    )

    assert taken(table) == ["10.0.0.0/8 dev vpn0 scope link"]


def test_versions_and_memory_are_read() -> None:
    assert go_version("go1.26.8\n") == (1, 26)
    assert go_version("devel +abc") is None
    assert available_memory_gb("MemTotal: 9 kB\nMemAvailable:   2097152 kB\n") == 2.0

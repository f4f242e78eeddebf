from __future__ import annotations

from pathlib import Path

from e2e.rig import cgroups


def test_a_hybrid_machine_has_its_controllers_beside_each_other(tmp_path: Path) -> None:
    for name in (*cgroups.REQUIRED, "systemd", "unified"):
        (tmp_path / name).mkdir()

    assert not cgroups.unified_only(tmp_path)
    assert cgroups.missing_controllers(tmp_path) == []
    assert tmp_path / "unified" not in cgroups.hierarchies(tmp_path)
    assert cgroups.mark(tmp_path) == tmp_path / "pids/inferfleet-rig/system"


def test_missing_controllers_are_named(tmp_path: Path) -> None:
    for name in ("cpu", "memory", "devices", "freezer"):
        (tmp_path / name).mkdir()

    assert cgroups.missing_controllers(tmp_path) == ["cpuset", "pids"]


def test_a_unified_machine_has_one_hierarchy(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory\n")

    assert cgroups.unified_only(tmp_path)
    assert cgroups.missing_controllers(tmp_path) == ["pids"]
    assert cgroups.hierarchies(tmp_path) == [tmp_path]
    assert cgroups.mark(tmp_path) == tmp_path / "inferfleet-rig/system"

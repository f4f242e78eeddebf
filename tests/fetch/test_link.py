"""The repository of links: whole, without dangling links, the same however often it is built."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from inferfleet.fetch.layout import MARKER, Place
from inferfleet.fetch.link import run_link
from inferfleet.fetch.marker import write
from inferfleet.fetch.options import LinkOptions
from inferfleet.fetch.outcome import MUST_ACT, STOPPED
from inferfleet.fleet.weights import Outcome, Repository

COMMIT = "a" * 40
HUB = "hf://org/model"
FILES = {
    "echo/config.pbtxt": 'name: "echo"\n',
    "echo/labels.txt": "a\nb\n",
    "echo/1/model.py": "x = 1\n",
    "echo/2/model.py": "x = 2\n",
    "plain/3/model.onnx": "onnx",
    "docs/guide.md": "no model",
    "README.md": "hello",
}


def lay(root: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


@pytest.fixture(name="options")
def _options(tmp_path: Path) -> LinkOptions:
    weights, target, config = tmp_path / "weights", tmp_path / "models", tmp_path / "config"
    lay(weights / COMMIT, FILES)
    write(weights / COMMIT / MARKER, HUB, Repository(commit=COMMIT, shape="triton"))
    target.mkdir()
    config.mkdir()
    return LinkOptions(HUB, weights, COMMIT, target, config, wait=3.0, termination_message=tmp_path / "message")


def tree(target: Path) -> dict[str, str]:
    """Read what a server would see, two levels deep: where links lead, what directories hold."""
    found = {}
    for path in sorted([*target.iterdir(), *target.glob("*/*")]):
        name = path.relative_to(target).as_posix()
        found[name] = str(path.readlink()) if path.is_symlink() else "directory"
    return found


def link(options: LinkOptions) -> Outcome:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)

    status = run_link(options, clock=lambda: sum(slept), sleep=sleep)
    outcome = Outcome.model_validate_json(options.termination_message.read_bytes())
    assert (status == 0) == outcome.ok
    return outcome


def test_every_model_is_linked_and_nothing_else(options: LinkOptions) -> None:
    assert link(options).ok

    weights = options.weights / COMMIT
    assert tree(options.target) == {
        "echo": "directory",
        "echo/1": str(weights / "echo/1"),
        "echo/2": str(weights / "echo/2"),
        "echo/config.pbtxt": str(weights / "echo/config.pbtxt"),
        "echo/labels.txt": str(weights / "echo/labels.txt"),
        "plain": "directory",
        "plain/3": str(weights / "plain/3"),
    }
    assert (options.target / "echo/2/model.py").read_text() == "x = 2\n"


def test_a_generated_config_goes_before_the_repositorys_own(options: LinkOptions) -> None:
    assert options.config is not None
    lay(options.config, {"echo.pbtxt": 'name: "echo"', "plain.pbtxt": 'name: "plain"', "stranger.pbtxt": ""})

    assert link(options).ok

    found = tree(options.target)
    assert found["echo/config.pbtxt"] == str(options.config / "echo.pbtxt")
    assert found["plain/config.pbtxt"] == str(options.config / "plain.pbtxt")
    assert not any(name.startswith("stranger") for name in found)


def test_building_it_again_changes_nothing(options: LinkOptions) -> None:
    link(options)
    before = {path: path.lstat().st_ino for path in options.target.rglob("*")}

    assert link(options).ok

    assert {path: path.lstat().st_ino for path in options.target.rglob("*")} == before


def test_what_an_earlier_commit_left_goes_away(options: LinkOptions) -> None:
    link(options)
    other = "b" * 40
    lay(options.weights / other, {"new/1/model.py": "x", "echo/4/model.py": "x"})
    write(options.weights / other / MARKER, HUB, Repository(commit=other, shape="triton"))

    assert link(LinkOptions(HUB, options.weights, other, options.target, None, 3.0, options.termination_message)).ok

    assert list(tree(options.target)) == ["echo", "echo/4", "new", "new/1"]


def test_an_ensemble_without_a_version_gets_an_empty_one(options: LinkOptions) -> None:
    lay(options.weights / COMMIT, {"both/config.pbtxt": 'platform: "ensemble"\n'})

    assert link(options).ok
    assert link(options).ok

    assert tree(options.target)["both/1"] == "directory"
    assert list((options.target / "both/1").iterdir()) == []


def test_a_bare_model_directory_gets_the_name_that_its_config_asks_for(options: LinkOptions) -> None:
    commit = "c" * 40
    lay(options.weights / commit, {"config.pbtxt": 'name: "asked"\n', "1/model.py": "x", "labels.txt": "a"})
    source = "hf://org/repository/some-folder"
    write(options.weights / commit / MARKER, source, Repository(commit=commit, shape="triton"))
    bare = LinkOptions(
        source, options.weights, commit, options.target, options.config, 3.0, options.termination_message
    )

    assert link(bare).ok

    assert list(tree(options.target)) == ["asked", "asked/1", "asked/config.pbtxt", "asked/labels.txt"]
    (options.weights / commit / "config.pbtxt").write_text("")
    assert link(bare).ok
    assert next(iter(tree(options.target))) == "some-folder"


def test_a_claim_is_linked_in_place_and_needs_no_marker(options: LinkOptions, tmp_path: Path) -> None:
    lay(tmp_path / "claim/folder", FILES)
    claim = LinkOptions(
        "pvc://models/folder", tmp_path / "claim", "", options.target, None, 3.0, options.termination_message
    )

    assert link(claim).ok

    assert tree(options.target)["echo/2"] == str(tmp_path / "claim/folder/echo/2")


def test_a_link_to_nowhere_is_not_repeated(options: LinkOptions, tmp_path: Path) -> None:
    lay(tmp_path / "claim", FILES)
    (tmp_path / "claim/echo/9").symlink_to("nowhere")
    claim = LinkOptions("pvc://models", tmp_path / "claim", "", options.target, None, 3.0, options.termination_message)

    assert link(claim).ok

    assert "echo/9" not in tree(options.target)
    assert all(path.exists() for path in options.target.rglob("*"))


def test_weights_that_come_late_are_waited_for(options: LinkOptions) -> None:
    marker = Place(options.weights, COMMIT).marker
    whole = marker.read_bytes()
    marker.unlink()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            marker.write_bytes(whole)

    assert run_link(options, clock=lambda: sum(slept), sleep=sleep) == 0
    assert len(slept) == 2


def test_weights_that_never_come_are_given_up(options: LinkOptions) -> None:
    Place(options.weights, COMMIT).marker.unlink()

    outcome = link(options)

    assert outcome.reason == "WeightsMissing"
    assert COMMIT in outcome.message
    assert list(options.target.iterdir()) == []


@pytest.mark.parametrize("commit", ["", "main", "../" + "a" * 37, "A" * 40])
def test_only_a_commit_is_looked_for(options: LinkOptions, commit: str) -> None:
    wrong = LinkOptions(HUB, options.weights, commit, options.target, None, 3.0, options.termination_message)

    assert link(wrong).reason == "RevisionNotFound"


def test_a_source_that_is_no_repository_says_what_it_is(options: LinkOptions, tmp_path: Path) -> None:
    lay(tmp_path / "claim", {"config.json": "{}", "model.safetensors": "x"})
    claim = LinkOptions("pvc://models", tmp_path / "claim", "", options.target, None, 3.0, options.termination_message)

    outcome = link(claim)

    assert outcome.reason == "SourceUnusable"
    assert "config.json, model.safetensors" in outcome.message


def test_a_name_that_no_server_takes_is_refused(options: LinkOptions, tmp_path: Path) -> None:
    lay(tmp_path / "claim", {"my model/config.pbtxt": ""})
    claim = LinkOptions("pvc://models", tmp_path / "claim", "", options.target, None, 3.0, options.termination_message)

    assert link(claim).reason == "SourceUnusable"


@pytest.mark.parametrize("foreign", ["file", "echo/file", "echo/directory/file"])
def test_a_target_that_is_somebody_elses_is_left_alone(options: LinkOptions, foreign: str) -> None:
    lay(options.target, {foreign: "precious"})

    assert run_link(options) == MUST_ACT

    assert (options.target / foreign).read_text() == "precious"


def test_nothing_outside_the_target_is_touched(options: LinkOptions, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    lay(victim, {"1/model.py": "precious"})
    (options.target / "gone").symlink_to(victim)
    (options.target / "echo").symlink_to(victim)
    before = {path: path.lstat().st_mtime_ns for path in (*options.weights.rglob("*"), *victim.rglob("*"))}

    assert link(options).ok

    assert {path: path.lstat().st_mtime_ns for path in before} == before
    assert not (options.target / "echo").is_symlink()
    assert not (options.target / "gone").exists()


def test_a_missing_target_is_named(options: LinkOptions) -> None:
    options.target.rmdir()

    assert link(options).reason == "RepositoryNotBuilt"


def test_being_told_to_stop_ends_the_wait(options: LinkOptions) -> None:
    Place(options.weights, COMMIT).marker.unlink()
    before = signal.getsignal(signal.SIGTERM)
    try:
        status = run_link(options, sleep=lambda _: os.kill(os.getpid(), signal.SIGTERM))
    finally:
        signal.signal(signal.SIGTERM, before)

    assert status == STOPPED
    assert Outcome.model_validate_json(options.termination_message.read_bytes()).reason == "Stopped"

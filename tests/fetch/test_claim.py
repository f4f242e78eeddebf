"""A claim is served in place: looked at whole, summed up, never written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from inferfleet.errors import FetchError
from inferfleet.fetch import claim
from inferfleet.fetch.options import FetchOptions
from inferfleet.fetch.outcome import MUST_ACT
from inferfleet.fetch.run import run_fetch
from inferfleet.fetch.sources import ClaimSource
from inferfleet.fleet.weights import Repository
from support.hub import CONFIG

SOURCE = ClaimSource("models")
IN_FOLDER = ClaimSource("models", "here/it/is")


@pytest.fixture(name="mount")
def _mount(tmp_path: Path) -> Path:
    mount = tmp_path / "claim"
    version = mount / "here/it/is/echo/1"
    version.mkdir(parents=True)
    (version.parent / "config.pbtxt").write_bytes(CONFIG)
    (version / "model.py").write_text("x = 1\n")
    (version / "weights.bin").write_bytes(bytes(2 << 20))
    return mount


def inspect(mount: Path, source: ClaimSource = IN_FOLDER) -> Repository:
    return claim.inspect(mount, source)


def test_a_folder_of_a_claim_is_a_repository(mount: Path) -> None:
    found = inspect(mount)

    assert (found.shape, found.files, found.total_bytes) == ("triton", 3, len(CONFIG) + 6 + (2 << 20))
    (model,) = found.models
    assert (model.name, model.versions, model.files) == ("echo", (1,), ("model.py", "weights.bin"))
    assert model.config == CONFIG.decode()


def test_the_digest_is_the_same_for_the_same_content_and_looks_like_a_commit(mount: Path) -> None:
    before = inspect(mount).commit
    os.utime(mount / "here/it/is/echo/1/model.py", (1, 1))  # small files count by their content alone

    assert inspect(mount).commit == before
    assert len(before) == 40
    assert int(before, 16)


@pytest.mark.parametrize("change", ["content", "name", "time of a large file", "one more", "an empty directory"])
def test_any_change_is_another_digest(mount: Path, change: str) -> None:
    before = inspect(mount).commit
    version = mount / "here/it/is/echo/1"
    if change == "content":
        (version / "model.py").write_text("x = 2\n")
    elif change == "name":
        (version / "model.py").rename(version / "other.py")
    elif change == "time of a large file":
        os.utime(version / "weights.bin", (1, 1))
    elif change == "one more":
        (version / "labels.txt").write_text("")
    else:
        (version.parent / "2").mkdir()

    assert inspect(mount).commit != before


def test_an_empty_version_directory_is_a_version(mount: Path) -> None:
    (mount / "here/it/is/both/1").mkdir(parents=True)
    (mount / "here/it/is/both/config.pbtxt").write_text('platform: "ensemble"\n')

    assert {model.name: model.versions for model in inspect(mount).models} == {"echo": (1,), "both": (1,)}


def test_what_file_systems_and_tools_leave_behind_is_not_looked_at(mount: Path) -> None:
    before = inspect(mount, SOURCE)
    (mount / "lost+found").mkdir(mode=0o000)
    (mount / ".snapshot/hourly").mkdir(parents=True)
    (mount / ".snapshot/hourly/huge").write_text("x")
    (mount / ".inferfleet-complete.json").write_text("{}")

    assert inspect(mount, SOURCE) == before


def test_links_within_the_claim_are_followed(mount: Path) -> None:
    blobs = mount / "blobs"
    blobs.mkdir()
    weights = mount / "here/it/is/echo/1/weights.bin"
    weights.rename(blobs / "f00")
    weights.symlink_to("../../../../../blobs/f00")

    assert inspect(mount).total_bytes == len(CONFIG) + 6 + (2 << 20)


def refusal(mount: Path, source: ClaimSource = IN_FOLDER) -> FetchError:
    with pytest.raises(FetchError) as refused:
        claim.inspect(mount, source)
    return refused.value


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../../../outside", "nowhere"])
def test_a_link_that_leads_out_or_nowhere_is_refused(mount: Path, target: str) -> None:
    (mount.parent / "outside").write_text("secret")
    (mount / "here/it/is/echo/1/link").symlink_to(target)

    refused = refusal(mount)

    assert refused.reason == "ClaimUnreadable"
    assert "'here/it/is/echo/1/link'" in refused.message


def test_a_folder_that_leads_out_is_refused(mount: Path) -> None:
    (mount / "out").symlink_to("/usr")

    assert refusal(mount, ClaimSource("models", "out")).reason == "ClaimUnreadable"


def test_a_circle_of_links_ends(mount: Path) -> None:
    (mount / "here/it/is/echo/again").symlink_to("..")

    assert refusal(mount).reason == "SourceUnusable"


def test_a_pipe_is_no_file(mount: Path) -> None:
    os.mkfifo(mount / "here/it/is/echo/1/pipe")

    assert refusal(mount).reason == "ClaimUnreadable"


def test_a_missing_folder_says_what_there_is(mount: Path) -> None:
    refused = refusal(mount, ClaimSource("models", "there"))

    assert refused.reason == "FileNotFound"
    assert "it has here" in refused.message


def test_an_empty_claim(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()

    assert refusal(tmp_path, SOURCE).reason == "SourceEmpty"


def test_a_claim_that_is_not_mounted(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nothing", SOURCE).reason == "ClaimUnreadable"


@contextmanager
def as_another_user() -> Iterator[None]:
    """Give up root's right to read everything, where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(
    ("locked", "mode"), [("1", 0o000), ("1", 0o600), ("1/weights.bin", 0o000), ("1/model.py", 0o000)]
)
def test_what_the_pods_user_cannot_read_is_named(
    mount: Path, monkeypatch: pytest.MonkeyPatch, locked: str, mode: int
) -> None:
    mount.parent.chmod(0o755)
    monkeypatch.chdir(mount.parent)  # the other user need not get through what lies above
    path = mount / "here/it/is/echo" / locked
    path.chmod(mode)
    try:
        with as_another_user():
            refused = refusal(Path(mount.name))
    finally:
        path.chmod(0o755)

    assert refused.reason == "ClaimUnreadable"
    assert "'here/it/is/echo/1" in refused.message
    assert "chmod -R a+rX" in refused.message


def test_a_claim_has_no_revision(mount: Path, tmp_path: Path) -> None:
    options = FetchOptions("pvc://models", revision="main", claim=mount, termination_message=tmp_path / "message")

    assert run_fetch(options) == MUST_ACT


def test_nothing_is_written_to_the_claim(mount: Path, tmp_path: Path) -> None:
    before = {path: path.lstat().st_mtime_ns for path in mount.rglob("*")}

    assert run_fetch(FetchOptions("pvc://models", claim=mount, termination_message=tmp_path / "message")) == 0

    assert {path: path.lstat().st_mtime_ns for path in mount.rglob("*")} == before

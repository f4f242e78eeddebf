from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from e2e.rig import binaries, images, node_images
from e2e.rig.images import Built, Image
from e2e.rig.images.pip_configuration import pip_conf
from e2e.rig.node_images import Offered, import_missing, present

LIST = """\
REF TYPE DIGEST SIZE PLATFORMS LABELS
registry.rig.local/busybox:1.0 application/vnd.oci.image.manifest.v1+json sha256:aa 1.1 MiB linux/amd64 -
"""


@pytest.fixture(name="image")
def _image(tmp_path: Path) -> Image:
    context = tmp_path / "context"
    (context / "app" / "__pycache__").mkdir(parents=True)
    (context / "app" / "main.py").write_text("1")
    (context / "app" / "__pycache__" / "main.pyc").write_text("1")
    (context / "unseen.txt").write_text("1")
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("ARG BASE\nFROM ${BASE}\nCOPY app /app\n")
    return Image("app", "dev", dockerfile, context, ("app",))


def test_an_images_key_follows_all_that_its_build_can_see(image: Image) -> None:
    assert image.dockerfile is not None
    assert image.context is not None
    keys = {images.key(image), images.key(replace(image, build_args={"A": "1"}))}

    (image.context / "app" / "main.py").write_text("2")
    keys.add(images.key(image))
    image.dockerfile.write_text("ARG BASE\nFROM ${BASE}\n")
    keys.add(images.key(image))

    assert len(keys) == 4


def test_an_images_key_ignores_what_its_build_cannot_see(image: Image) -> None:
    assert image.context is not None
    before = images.key(image)

    (image.context / "unseen.txt").write_text("2")
    (image.context / "app" / "__pycache__" / "main.pyc").write_text("2")

    assert images.key(image) == before


def test_a_context_that_names_a_missing_path_is_refused(image: Image) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        images.key(replace(image, include=("nowhere",)))


def test_a_binarys_key_follows_its_flags() -> None:
    assert binaries.find(replace(binaries.KUBE, variables=("x=1",))) is None


def test_a_node_is_asked_for_its_images_by_digest() -> None:
    assert present(lambda _: LIST) == {"registry.rig.local/busybox:1.0": "sha256:aa"}


@pytest.mark.parametrize(("digest", "imported"), [("sha256:aa", []), ("sha256:bb", ["registry.rig.local/busybox:1.0"])])
def test_only_a_changed_image_is_imported(digest: str, imported: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    offered = Offered("registry.rig.local/busybox:1.0", digest, Path("/images/busybox.tar"))
    monkeypatch.setattr("e2e.rig.node_images.offered", lambda: [offered])
    calls: list[list[str]] = []

    def run(argv: object) -> str:
        assert isinstance(argv, list)
        calls.append(argv)
        return LIST

    assert import_missing(run) == imported
    assert [argv[-2:] for argv in calls[1:]] == [["import", "/images/busybox.tar"] for _ in imported]


def test_the_way_to_a_registry_goes_into_a_build_and_paths_of_the_machine_do_not() -> None:
    listing = (
        "global.index-url='https://mirror.example/simple'\n"
        "global.cert='/opt/company.pem'\n"
        ":env:.index-url='https://other.example/simple'\n"
        ":env:.find-links='/opt/wheels'\n"
        "install.proxy='http://proxy.example:3128'\n"
        "global.extra-index-url='https://a.example\\nhttps://b.example'\n"
    )

    assert pip_conf(listing) == (
        "[global]\n"
        "cert = /etc/ssl/certs/ca-certificates.crt\n"
        "extra-index-url = https://a.example\n    https://b.example\n"
        "index-url = https://other.example/simple\n"
        "proxy = http://proxy.example:3128\n"
    )


def test_images_of_one_name_and_two_tags_are_offered_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_images, "DIRECTORY", tmp_path / "images")
    archive = tmp_path / "image.tar"
    archive.write_text("x")
    old, new, other = (
        Built(f"registry.rig.local/{name}", f"sha256:{name}", archive) for name in ("app:1.0", "app:dev", "db:1.0")
    )

    node_images.offer([old, new, other])
    assert {entry.reference for entry in node_images.offered()} == {old.reference, new.reference, other.reference}
    node_images.offer([new])

    assert [(entry.reference, entry.digest) for entry in node_images.offered()] == [(new.reference, new.digest)]
    assert [entry.archive.read_text() for entry in node_images.offered()] == ["x"]

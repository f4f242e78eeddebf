"""The hub against the client that everyone uses: `huggingface_hub` itself."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from e2e.rig.hub.levers import Kind, Lever
from e2e.rig.hub.server import MEMBER, READER
from e2e.rig.hub.store import Repository
from rig_hub.conftest import LARGE, NAME, SMALL, Running


def test_a_snapshot_arrives_whole_and_says_its_commit(hub: Running, tmp_path: Path) -> None:
    here = snapshot_download(NAME, endpoint=hub.address, cache_dir=tmp_path / "cache", token=False)

    assert Path(here).name == hub.commit
    assert (Path(here) / "tiny/config.pbtxt").read_bytes() == SMALL
    assert (Path(here) / "tiny/1/weights.bin").read_bytes() == LARGE


def test_the_model_info_names_sizes_checksums_and_licence(hub: Running) -> None:
    info = HfApi(endpoint=hub.address, token=False).model_info(NAME, files_metadata=True)

    assert info.sha == hub.commit
    assert info.card_data is not None
    assert info.card_data.license == "apache-2.0"
    sizes = {one.rfilename: (one.size, one.lfs is not None) for one in info.siblings or ()}
    assert sizes == {
        "tiny/config.pbtxt": (len(SMALL), False),
        "tiny/1/weights.bin": (len(LARGE), True),
    }


def test_a_cut_download_goes_on_where_the_client_had_come_to(hub: Running, content: Path, tmp_path: Path) -> None:
    chunk = 10 << 20  # what this client reads at once and therefore resumes from
    whole = bytes(chunk + (2 << 20))
    (content / "tiny" / "1" / "long.bin").write_bytes(whole)
    hub.store.publish(Repository(NAME), content)

    with hub.control.pulled(Kind.CUT, chunk + 1000, path="*/long.bin", times=1):
        path = hf_hub_download(NAME, "tiny/1/long.bin", endpoint=hub.address, cache_dir=tmp_path / "cache", token=False)

    assert Path(path).read_bytes() == whole
    parts = [(e["status"], e["start"], e["sent"]) for e in hub.control.log() if e["sent"]]
    assert parts == [(200, 0, chunk + 1000), (206, chunk, len(whole) - chunk)]


def test_a_missing_repository_revision_and_file_are_told_apart(hub: Running) -> None:
    api = HfApi(endpoint=hub.address, token=False)

    with pytest.raises(RepositoryNotFoundError):
        api.model_info("inferfleet/none")
    with pytest.raises(RevisionNotFoundError):
        api.model_info(NAME, revision="none")
    with pytest.raises(RemoteEntryNotFoundError):
        hf_hub_download(NAME, "none.bin", endpoint=hub.address, token=False)


def test_a_gated_file_needs_a_token_whose_owner_accepted_the_licence(
    hub: Running, content: Path, tmp_path: Path
) -> None:
    hub.store.publish(Repository("inferfleet/gated", gated="manual"), content)

    def ask(token: str | Literal[False]) -> str:
        where = tmp_path / "cache"
        return hf_hub_download(
            "inferfleet/gated", "tiny/config.pbtxt", token=token, endpoint=hub.address, cache_dir=where
        )

    tokens: tuple[Literal[False], str] = (False, READER)
    for token in tokens:
        with pytest.raises(GatedRepoError):
            ask(token)
    assert Path(ask(MEMBER)).read_bytes() == SMALL


def test_a_private_repository_is_hidden_from_all_but_its_members(hub: Running, content: Path) -> None:
    hub.store.publish(Repository("inferfleet/private", private=True), content)

    for token in (False, READER):
        with pytest.raises(RepositoryNotFoundError):
            HfApi(endpoint=hub.address, token=token).model_info("inferfleet/private")
    assert HfApi(endpoint=hub.address, token=MEMBER).model_info("inferfleet/private").private


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (Kind.GATED, GatedRepoError),
        (Kind.NO_REPOSITORY, RepositoryNotFoundError),
        (Kind.NO_REVISION, RevisionNotFoundError),
        (Kind.NO_FILE, RemoteEntryNotFoundError),
        (Kind.UNAUTHORIZED, HfHubHTTPError),
        (Kind.SERVER_ERROR, HfHubHTTPError),
        (Kind.RATE_LIMIT, HfHubHTTPError),
    ],
)
def test_the_client_reads_each_lever_as_the_hubs_own_refusal(
    hub: Running, kind: Kind, error: type[HfHubHTTPError]
) -> None:
    hub.control.pull(Lever(kind, value=7, repository=NAME))

    with pytest.raises(error) as refused:
        HfApi(endpoint=hub.address, token=False).model_info(NAME)

    assert type(refused.value) is error

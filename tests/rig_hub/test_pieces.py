"""What levers make of an answer, without a server."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request
from aiohttp.web import HTTPNotFound

from e2e.rig.hub.catalogue import ENTRIES, fill
from e2e.rig.hub.control import Control
from e2e.rig.hub.levers import Kind, Lever
from e2e.rig.hub.server import Hub
from e2e.rig.hub.store import Store
from e2e.rig.hub.transfer import Harm, Span, pieces, span


def test_a_slow_answer_leaves_in_tenths_of_a_second(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(bytes(10_000))
    part = Span(0, 10_000, 10_000)
    harm = Harm.of([Lever(Kind.SLOW, 20_000)], part)

    sizes = [len(piece) for piece in pieces(tmp_path / "blob", part, harm)]

    assert sizes == [2_000] * 5


def test_the_wrong_byte_is_the_same_one_whatever_part_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(bytes(10))
    part = Span(4, 10, 10)

    read = b"".join(pieces(tmp_path / "blob", part, Harm.of([Lever(Kind.CORRUPT_CONTENT)], part)))

    assert read == b"\x00\xff\x00\x00\x00\x00"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", Span(0, 10, 10)),
        ("bytes=3-", Span(3, 10, 10)),
        ("bytes=3-5", Span(3, 6, 10)),
        ("bytes=3-99", Span(3, 10, 10)),
        ("bytes=10-", None),
        ("bytes=5-3", None),
        ("lines=1-2", Span(0, 10, 10)),
    ],
)
def test_ranges(asked: str, expected: Span | None) -> None:
    assert span(asked, 10) == expected


@pytest.mark.parametrize(("peer", "allowed"), [("127.0.0.1", True), ("172.30.0.254", True), ("10.244.1.7", False)])
async def test_only_named_peers_reach_the_levers(tmp_path: Path, peer: str, *, allowed: bool) -> None:
    control = Control(Hub(Store(tmp_path)), [IPv4Network("127.0.0.0/8"), IPv4Network("172.30.0.254/32")])
    request = make_mocked_request("GET", "/_rig/levers").clone(remote=peer)

    if allowed:
        assert (await control.levers(request)).status == 200
    else:
        with pytest.raises(HTTPNotFound):
            await control.levers(request)


def test_the_catalogue_is_the_same_wherever_it_is_written(tmp_path: Path) -> None:
    gguf = tmp_path / "model.gguf"
    gguf.write_bytes(b"GGUF")

    once, twice = (fill(Store(tmp_path / name), gguf) for name in ("once", "twice"))

    assert once == twice
    assert set(once) == {entry.repository.name for entry in ENTRIES}
    assert once["inferfleet/smollm2-triton"]["main"] != once["inferfleet/smollm2-triton"]["v2"]

"""What is packed comes out as it went in, takes no more than its bytes, and nobody can change it."""

from __future__ import annotations

import sys

from inferfleet.fleet.packed import Packed

CONTENT = {"metadata": {"name": "m", "labels": {"ü": "1"}}, "data": [1, None, {"x": "y" * 2000}]}


def test_it_is_equal_to_what_went_in() -> None:
    packed = Packed(CONTENT)

    assert packed == CONTENT
    assert packed == Packed(CONTENT)
    assert packed != Packed({})
    assert dict(packed) == CONTENT
    assert len(packed) == 2
    assert {packed: 1}[Packed(CONTENT)] == 1


def test_what_comes_out_is_the_callers_own() -> None:
    packed = Packed(CONTENT)

    packed.unpacked()["metadata"]["name"] = "other"
    packed["data"].append(2)

    assert packed == CONTENT


def test_it_keeps_its_bytes_and_no_room_besides() -> None:
    packed = Packed(CONTENT)

    assert sys.getsizeof(packed._bytes) == sys.getsizeof(b"") + len(packed._bytes)
    assert len(packed._bytes) < 200
    assert not hasattr(packed, "__dict__")

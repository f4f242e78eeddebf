"""A watch's bytes become lines."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferfleet.errors import KubeError
from inferfleet.kube.stream import lines


async def chunked(data: bytes, sizes: list[int]) -> AsyncIterator[bytes]:
    for size in sizes:
        yield data[:size]
        data = data[size:]
    yield data


@given(text=st.lists(st.text(alphabet="ab{}", min_size=1)), sizes=st.lists(st.integers(0, 4), max_size=20))
async def test_lines_do_not_depend_on_where_the_network_cuts(text: list[str], sizes: list[int]) -> None:
    data = "".join(f"{line}\n" for line in text).encode()

    assert [line.decode() async for line in lines(chunked(data, sizes))] == text


async def test_row_20_what_was_cut_off_is_forgotten() -> None:
    assert [line async for line in lines(chunked(b'{"a":1}\n{"b":', []))] == [b'{"a":1}']


async def test_a_line_beyond_the_bound_is_an_error_and_not_memory() -> None:
    with pytest.raises(KubeError, match="EventTooLarge"):
        [line async for line in lines(chunked(b"x" * 101, [10] * 10), bound=100)]


async def test_many_lines_in_one_chunk_are_within_the_bound() -> None:
    assert len([line async for line in lines(chunked(b"1234567\n" * 50, []), bound=10)]) == 50


async def test_the_bound_is_one_of_a_line_and_not_of_the_stream() -> None:
    assert len([line async for line in lines(chunked(b"1234567\n" * 50, [5] * 79), bound=10)]) == 50

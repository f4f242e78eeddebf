"""Words for people."""

from __future__ import annotations

import pytest

from inferfleet.fleet.text import size_words


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (10_239, "9.9 KiB"), (10_240, "10 KiB"), (1 << 24, "16 MiB")],
)
def test_sizes_are_said_in_a_fitting_unit(count: int, said: str) -> None:
    assert size_words(count) == said

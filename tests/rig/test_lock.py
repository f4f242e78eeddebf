from __future__ import annotations

import os
import uuid

import pytest

from e2e.rig.errors import RigError
from e2e.rig.lock import machine_lock


@pytest.fixture(name="name")
def _name() -> str:
    return f"inferfleet-test-{uuid.uuid4()}"


def test_a_lock_that_is_taken_says_who_has_it(name: str) -> None:
    with machine_lock("bring the rig up", name=name):
        with pytest.raises(RigError) as refused, machine_lock("take the rig down", name=name):
            pytest.fail("two hold one lock")

        text = str(refused.value)
        assert text.startswith("Cannot take the rig down: the rig is busy.")
        assert f"Process {os.getpid()} holds it" in text
        assert os.getcwd() in text  # noqa: PTH109 - the text of the same system call


def test_a_lock_is_free_after_its_block(name: str) -> None:
    with machine_lock("one", name=name):
        pass

    with machine_lock("two", name=name):
        held = True

    assert held


def test_a_lock_is_free_after_an_error(name: str) -> None:
    with pytest.raises(KeyError), machine_lock("one", name=name):
        raise KeyError

    with machine_lock("two", name=name):
        held = True

    assert held


def test_locks_of_different_names_do_not_meet(name: str) -> None:
    with machine_lock("one", name=name), machine_lock("two", name=f"{name}-other"):
        held = True

    assert held

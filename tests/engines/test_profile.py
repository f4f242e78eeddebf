"""The Triton profile: argv, probes, drain and the options that a model may set."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferfleet.engines.profile import start_up_seconds
from inferfleet.engines.triton import ALLOWED, OWNED, TRITON

GIB = 1 << 30


def test_the_server_is_locked_drained_and_loads_once() -> None:
    argv = TRITON.argv({})

    assert "--model-control-mode=none" in argv
    assert "--exit-timeout-secs=$(DRAIN_SECONDS)" in argv
    assert "--strict-readiness=false" in argv
    walls = "model-repository,trace,logging,shared-memory:admin-key=$(ADMIN_KEY)"
    assert f"--http-restricted-api={walls}" in argv
    assert f"--grpc-restricted-protocol={walls}" in argv


def test_a_models_options_follow_ours_each_as_one_argument() -> None:
    argv = TRITON.argv({"log-verbose": "1", "backend-config": "onnxruntime,x=a b --model-repository=/etc"})

    assert argv[: len(TRITON.arguments)] == TRITON.arguments
    assert argv[-2:] == ("--backend-config=onnxruntime,x=a b --model-repository=/etc", "--log-verbose=1")


@pytest.mark.parametrize(("gib", "seconds"), [(0, 60), (1, 68), (15, 160), (131, 934), (641, 4334)])
def test_the_start_up_budget_follows_the_weights(gib: int, seconds: int) -> None:
    assert start_up_seconds(gib * GIB) == seconds


@settings(deadline=None)
@given(weights=st.integers(0, 4096 * GIB))
def test_the_startup_probe_covers_the_budget_and_asks_at_most_every_ten_seconds(weights: int) -> None:
    probe = TRITON.probes("m", weights).startup

    assert probe.period * probe.failures >= start_up_seconds(weights)
    assert probe.period * (probe.failures - 1) < start_up_seconds(weights)
    assert 2 <= probe.period <= 10


def test_readiness_asks_the_model_and_liveness_the_process() -> None:
    probes = TRITON.probes("smollm2", GIB)

    assert probes.startup.path == probes.readiness.path == "/v2/models/smollm2/ready"
    assert probes.liveness.path == "/v2/health/live"
    assert probes.liveness.grace == 30
    assert {probes.startup.timeout, probes.readiness.timeout, probes.liveness.timeout} == {5}


def test_the_grace_period_is_pre_stop_drain_and_slack() -> None:
    assert TRITON.drain.grace(540) == 560


def test_options_that_inferfleet_owns_are_refused_by_name_with_what_to_do() -> None:
    [problem] = TRITON.check_options({"exit-timeout-secs": "5"}, ("exit-timeout-secs",))

    assert problem == '"exit-timeout-secs" is set by inferfleet; set rollout.drainTimeoutSeconds instead, and remove it'


def test_an_unknown_option_is_refused_with_the_nearest_one() -> None:
    [problem] = TRITON.check_options({"http-thread-cout": "4"})

    assert 'did you mean "http-thread-count"?' in problem
    assert "triton.allowedOptions" in problem


def test_the_chart_can_allow_an_option() -> None:
    assert TRITON.check_options({"http-header-forward-pattern": "x"}, ("http-header-forward-pattern",)) == ()


def test_every_option_is_either_ours_or_the_models() -> None:
    ours = {argument[2:].partition("=")[0] for argument in TRITON.arguments}

    assert ours <= set(OWNED)
    assert not ALLOWED & set(OWNED)

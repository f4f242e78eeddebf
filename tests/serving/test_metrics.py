"""What is read from a metrics page, and what is not believed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferfleet.serving.metrics import Counts, counts
from serving.fakes import metrics_page

# As Triton 2.51 writes it, shortened.
PAGE = """\
# HELP nv_inference_request_success Number of successful inference requests, all batch sizes
# TYPE nv_inference_request_success counter
nv_inference_request_success{model="smollm2",version="1"} 7
nv_inference_request_success{model="smollm2",version="2"} 3
nv_inference_request_success{model="batcher",version="1"} 5
nv_inference_request_failure{model="smollm2",reason="OTHER",version="1"} 4
nv_inference_request_failure{model="smollm2",reason="BACKEND",version="1"} 1
nv_inference_request_failure{model="smollm2",reason="CANCELED",version="1"} 9
nv_inference_request_failure{model="smollm2",reason="REJECTED",version="1"} 9
nv_inference_request_failure{model="batcher",reason="BACKEND",version="1"} 3
nv_inference_count{model="smollm2",version="1"} 7
nv_inference_pending_request_count{model="smollm2",version="1"} 0
nv_inference_pending_request_count{model="batcher",version="1"} 2
nv_cpu_utilization 0.06
nv_trt_llm_request_metrics{model="smollm2",request_type="max",version="1"} 4
nv_trt_llm_request_metrics{model="smollm2",request_type="active",version="1"} 3
nv_trt_llm_request_metrics{model="smollm2",request_type="waiting",version="1"} 2
"""


def test_a_page_of_triton_is_added_up() -> None:
    assert counts(PAGE, "smollm2") == Counts(
        succeeded=10, broken=1, pending=0, waiting=2, active=3, limit=4, pending_elsewhere=2
    )
    assert counts(PAGE, "batcher") == Counts(succeeded=5, broken=3, pending=2, engine_elsewhere=5)


def test_a_model_that_does_not_count_for_itself_is_told_from_one_with_nothing_to_do() -> None:
    assert counts(metrics_page(succeeded=1).decode(), "m").in_engines is None
    assert counts(metrics_page(waiting=0, active=0).decode(), "m").in_engines == 0


def test_an_empty_page_is_a_server_that_has_done_nothing() -> None:
    assert counts("", "m") == Counts()


@pytest.mark.parametrize("number", ["NaN", "-1", "1e300", "+Inf", "x", "0x10"])
def test_a_number_that_cannot_be_true_is_left_out(number: str) -> None:
    line = f'nv_inference_request_success{{model="m",version="1"}} {number}\n'

    assert counts(line + line.replace(number, "2"), "m").succeeded == 2


def test_a_number_in_any_notation_is_read() -> None:
    assert counts('nv_inference_request_success{model="m"} 1.5e3', "m").succeeded == 1500


@settings(deadline=None)
@given(text=st.text(max_size=200) | st.just('nv_inference_request_success{model="m",a="}') | st.just("{" * 5000))
def test_no_page_breaks_the_reader(text: str) -> None:
    found = counts(text, "m")

    assert found.succeeded >= 0

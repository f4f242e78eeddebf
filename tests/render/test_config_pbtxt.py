"""Generated config.pbtxt: what Triton reads is what was meant, whatever the names are."""

from __future__ import annotations

import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st
from tritonclient.grpc import model_config_pb2

from inferfleet.errors import SpecError
from inferfleet.fleet.weights import RepositoryModel
from inferfleet.render.config_pbtxt import configuration, generated, write
from render.values import model


@pytest.mark.parametrize(
    ("files", "backend"),
    [
        (("model.onnx",), "onnxruntime"),
        (("model.plan",), "tensorrt"),
        (("model.py",), "python"),
        (("helper.py", "model.onnx", "model.py"), "python"),
        (("model.bin", "model.xml"), "openvino"),
        (("model.savedmodel/saved_model.pb",), "tensorflow"),
        (("model.dali",), "dali"),
    ],
)
def test_the_files_of_the_newest_version_name_the_backend(files: tuple[str, ...], backend: str) -> None:
    text = generated([model("m", config=None, files=files)])["m.pbtxt"]

    read = text_format.Parse(text, model_config_pb2.ModelConfig())
    assert (read.name, read.backend) == ("m", backend)
    assert read.version_policy.latest.num_versions == 1


def test_a_model_with_a_configuration_keeps_its_own() -> None:
    assert generated([model("a", config=""), model("b", config=None, files=("model.py",))]).keys() == {"b.pbtxt"}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (("model.pt",), "a PyTorch model does not say what it takes"),
        (("model.safetensors", "x\x1b[2J"), "model.safetensors, x"),
        ((), "files of its newest version: none"),
    ],
)
def test_a_model_that_does_not_speak_for_itself_is_refused_with_its_files(files: tuple[str, ...], said: str) -> None:
    with pytest.raises(SpecError) as refusal:
        generated([model("m", config=None, files=files)])

    assert refusal.value.reason == "NoModelConfig"
    assert said in refusal.value.message
    assert "Add a config.pbtxt to m/." in refusal.value.message
    assert "\x1b" not in refusal.value.message


HOSTILE = 'x"} } instance_group [ { count: 99 } ] #'


@settings(deadline=None)
@given(name=st.text(max_size=40) | st.just(HOSTILE))
def test_no_name_can_add_a_field(name: str) -> None:
    message = configuration(RepositoryModel.model_construct(name=name, files=("model.onnx",), config=None))

    assert text_format.Parse(write(message), model_config_pb2.ModelConfig()) == message

"""`config.pbtxt` for models whose repository has none: Triton's own protobuf, printed by `text_format`.

The one rule: no text is put together by hand, so that no name can add a field.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from inferfleet.errors import SpecError
from inferfleet.fleet.text import public
from inferfleet.fleet.weights import RepositoryModel

BACKENDS = MappingProxyType(
    {
        # First: a Python model may bring any of the others as its own.
        "model.py": "python",
        "model.onnx": "onnxruntime",
        "model.plan": "tensorrt",
        "model.xml": "openvino",
        "model.dali": "dali",
        "model.savedmodel": "tensorflow",
    }
)
"""The file of a version that names a backend which finds out inputs and outputs by itself."""
SHOWN = 5


def generated(models: Iterable[RepositoryModel]) -> dict[str, str]:
    """Write a configuration for each model without one, by the name of its file."""
    return {f"{model.name}.pbtxt": write(configuration(model)) for model in models if model.config is None}


def configuration(model: RepositoryModel) -> Any:  # noqa: ANN401 - protobuf's classes are made at run time
    """Make the configuration: the backend of the newest version's files, and only that version served."""
    found = [backend for name, backend in BACKENDS.items() if _has(model, name)]
    if not found:
        raise SpecError("NoModelConfig", _nothing(model))
    message = model_config_pb2.ModelConfig(name=model.name, backend=found[0])
    if found[0] == "tensorflow":
        message.platform = "tensorflow_savedmodel"
    message.version_policy.latest.num_versions = 1
    return message


def write(message: Any) -> str:  # noqa: ANN401 - as above
    """Print a configuration as Triton reads it."""
    return str(text_format.MessageToString(message, as_utf8=True))


def _has(model: RepositoryModel, name: str) -> bool:
    return any(found.split("/", 1)[0] == name for found in model.files)


def _nothing(model: RepositoryModel) -> str:
    shown = ", ".join(public(name, 64) for name in model.files[:SHOWN]) or "none"
    why = (
        "a PyTorch model does not say what it takes"
        if _has(model, "model.pt")
        else f"only {', '.join(BACKENDS)} speak for themselves"
    )
    return (
        f"spec.model.source: the model {model.name} has no config.pbtxt, and {why} (files of its newest version: "
        f"{shown}). Add a config.pbtxt to {model.name}/."
    )

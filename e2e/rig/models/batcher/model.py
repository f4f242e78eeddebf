"""A model without weights for repositories of several models: sleeps as long as it is told, says its version.

Rule: nothing but Triton's own batcher decides what runs together, so its pending gauge tells the truth here.
"""

from __future__ import annotations

import json
import time

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """What Triton's stub looks for by name."""

    @staticmethod
    def auto_complete_config(auto_complete_model_config: pb_utils.ModelConfig) -> pb_utils.ModelConfig:
        """Batches of four, one number in, the version out."""
        config = auto_complete_model_config
        config.set_max_batch_size(4)
        config.set_dynamic_batching()
        config.add_input({"name": "sleep_ms", "data_type": "TYPE_INT32", "dims": [1]})
        config.add_output({"name": "version", "data_type": "TYPE_INT64", "dims": [1]})
        return config

    def initialize(self, args: dict[str, str]) -> None:
        """Take as long to load as the parameter `load_ms` says."""
        self._version = int(args["model_version"])
        parameters = json.loads(args["model_config"]).get("parameters", {})
        time.sleep(int(parameters.get("load_ms", {}).get("string_value", "0")) / 1000)

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Sleep once for the whole batch, as an accelerator would, then answer every row."""
        asked = [pb_utils.get_input_tensor_by_name(request, "sleep_ms").as_numpy() for request in requests]
        time.sleep(max(int(rows.max()) for rows in asked) / 1000)
        return [self._response(rows.shape[0]) for rows in asked]

    def _response(self, rows: int) -> pb_utils.InferenceResponse:
        version = np.full((rows, 1), self._version, dtype=np.int64)
        return pb_utils.InferenceResponse(output_tensors=[pb_utils.Tensor("version", version)])

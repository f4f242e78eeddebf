"""SmolLM2 in Triton's Python backend: llama.cpp in the process, one response per token, a queue of its own.

Rule: Triton's queue gauge cannot see a decoupled model, so this file counts its requests itself, and every
call that moves a metric holds one lock: two threads in `increment` at once abort the server (Triton 2.51).
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import triton_python_backend_utils as pb_utils
import xllamacpp

Value = TypeVar("Value")
Asked: TypeAlias = "tuple[Prompt, pb_utils.InferenceResponseSender]"

STATES = ("waiting", "active", "max")
DIRECTIONS = ("prompt", "completion")
STOP_TIMEOUT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Settings:
    """What `parameters` in config.pbtxt may set; the defaults suit one small pod."""

    slots: int
    context: int
    gguf: str

    @classmethod
    def read(cls, config: dict[str, Any]) -> Settings:
        """Take the parameters out of Triton's model configuration."""
        given = {key: str(value["string_value"]) for key, value in config.get("parameters", {}).items()}
        return cls(int(given.get("slots", "4")), int(given.get("context", "1024")), given.get("gguf", ""))


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request as the client wrote it."""

    text: str
    max_tokens: int
    ignore_eos: bool
    stream: bool

    def body(self) -> dict[str, Any]:
        """Say it in llama.cpp's words: greedy, so that the same question has the same answer."""
        return {
            "messages": [{"role": "user", "content": self.text}],
            "max_tokens": self.max_tokens,
            "ignore_eos": self.ignore_eos,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }


class Meters:
    """The gauges and counters of this model; several workers move them, one at a time."""

    def __init__(self, model: str, version: str) -> None:
        labels = {"model": model, "version": version}
        self._lock = threading.Lock()
        requests = pb_utils.MetricFamily(
            name="nv_trt_llm_request_metrics",
            description="Requests by state",
            kind=pb_utils.MetricFamily.GAUGE,
        )
        tokens = pb_utils.MetricFamily(
            name="inferfleet_tokens", description="Tokens by direction", kind=pb_utils.MetricFamily.COUNTER
        )
        self._families = (requests, tokens)  # a family that is collected takes its metrics with it
        self._metrics = {state: requests.Metric(labels=labels | {"request_type": state}) for state in STATES}
        self._metrics |= {way: tokens.Metric(labels=labels | {"direction": way}) for way in DIRECTIONS}

    def add(self, name: str, amount: int) -> None:
        """Move one metric; `increment` and never `set`, so that two instances of the model add up."""
        with self._lock:
            self._metrics[name].increment(amount)


class Answer:
    """Turns llama.cpp's events into Triton's responses; the last one carries reason and token count."""

    def __init__(self, prompt: Prompt, sender: pb_utils.InferenceResponseSender, version: int) -> None:
        self.usage: dict[str, int] = {}
        self._prompt, self._sender, self._version = prompt, sender, version
        self._held: list[str] = []
        self._reason = ""
        self._problem = ""

    def take(self, event: dict[str, Any] | str) -> bool:
        """Handle one event; True stops the generation and frees the slot."""
        event = json.loads(event) if isinstance(event, str) else event
        if "choices" not in event:
            self._problem = str(event.get("error", {}).get("message") or event)
            return True
        self.usage = event.get("usage") or self.usage
        for choice in event["choices"]:
            self._reason = choice.get("finish_reason") or self._reason
            self._say(choice["delta"].get("content") or "")
        return bool(self._sender.is_cancelled())

    def finish(self) -> None:
        """Send what is left, and the flag that ends the request."""
        if self._problem:
            raise RuntimeError(self._problem)
        if self._sender.is_cancelled():
            self._sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
            return
        last = self._response("".join(self._held), self._reason, self.usage.get("completion_tokens", 0))
        self._sender.send(last, flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def _say(self, text: str) -> None:
        if not self._prompt.stream:
            self._held.append(text)
        elif text:
            self._sender.send(self._response(text, "", 0))

    def _response(self, text: str, reason: str, tokens: int) -> pb_utils.InferenceResponse:
        return pb_utils.InferenceResponse(
            output_tensors=[
                pb_utils.Tensor("text_output", np.array([text.encode()], dtype=np.object_)),
                pb_utils.Tensor("finish_reason", np.array([reason.encode()], dtype=np.object_)),
                pb_utils.Tensor("completion_tokens", np.array([tokens], dtype=np.int32)),
                pb_utils.Tensor("version", np.array([self._version], dtype=np.int64)),
            ]
        )


class TritonPythonModel:
    """What Triton's stub looks for by name."""

    @staticmethod
    def auto_complete_config(auto_complete_model_config: pb_utils.ModelConfig) -> pb_utils.ModelConfig:
        """Say inputs, outputs and the streaming policy, so that a config.pbtxt without them is enough."""
        config = auto_complete_model_config
        config.set_max_batch_size(0)
        config.set_model_transaction_policy({"decoupled": True})
        config.add_input({"name": "text_input", "data_type": "TYPE_STRING", "dims": [1]})
        optional = (("max_tokens", "TYPE_INT32"), ("ignore_eos", "TYPE_BOOL"), ("stream", "TYPE_BOOL"))
        for name, kind in optional:
            config.add_input({"name": name, "data_type": kind, "dims": [1], "optional": True})
        outputs = (("text_output", "STRING"), ("finish_reason", "STRING"), ("completion_tokens", "INT32"))
        for name, kind in (*outputs, ("version", "INT64")):
            config.add_output({"name": name, "data_type": f"TYPE_{kind}", "dims": [-1]})
        return config

    def initialize(self, args: dict[str, str]) -> None:
        """Load the weights and start one worker per slot."""
        settings = Settings.read(json.loads(args["model_config"]))
        self._version = int(args["model_version"])
        beside = Path(args["model_repository"], args["model_version"], "model.gguf")
        self._engine = engine(settings, settings.gguf or str(beside))
        self._meters: Meters | None = Meters(args["model_name"], args["model_version"])
        self._meters.add("max", settings.slots)
        self._waiting: queue.SimpleQueue[Asked | None] = queue.SimpleQueue()
        self._workers = [threading.Thread(target=self._work, daemon=True) for _ in range(settings.slots)]
        for worker in self._workers:
            worker.start()

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> None:
        """Put every request into our queue; its worker answers it through its own sender."""
        for request in requests:
            prompt = read(request)
            self._count("waiting", 1)
            self._waiting.put((prompt, request.get_response_sender()))

    def finalize(self) -> None:
        """Stop the workers, free the weights, and drop the series, which Triton would show for ever."""
        for _ in self._workers:
            self._waiting.put(None)
        for worker in self._workers:
            worker.join(timeout=STOP_TIMEOUT_SECONDS)
        self._engine = self._meters = None

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            self._count("waiting", -1)
            self._count("active", 1)
            try:
                self._answer(*item)
            finally:
                self._count("active", -1)
                del item  # a sender that stays referenced keeps the model UNLOADING for ever

    def _answer(self, prompt: Prompt, sender: pb_utils.InferenceResponseSender) -> None:
        answer = Answer(prompt, sender, self._version)
        try:
            if not sender.is_cancelled():  # given up while it waited
                self._engine.handle_chat_completions(prompt.body(), answer.take)
            answer.finish()
        except Exception as problem:  # noqa: BLE001 - one bad request must not take a slot away
            failed = pb_utils.InferenceResponse(error=pb_utils.TritonError(str(problem)))
            sender.send(failed, flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
        for direction in DIRECTIONS:
            self._count(direction, answer.usage.get(f"{direction}_tokens", 0))

    def _count(self, name: str, amount: int) -> None:
        if self._meters is not None:
            self._meters.add(name, amount)


def engine(settings: Settings, gguf: str) -> xllamacpp.Server:
    """Start llama.cpp with one thread: ggml's threads spin at a barrier, and two on a busy core crawl."""
    params = xllamacpp.CommonParams()
    params.model.path = gguf
    params.n_parallel = settings.slots
    params.n_ctx = settings.context * settings.slots
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.n_gpu_layers = 0
    params.fit_params = False
    params.cache_ram_mib = 0
    params.ui = False
    params.offline = True
    params.verbosity = 0
    return xllamacpp.Server(params)


def read(request: pb_utils.InferenceRequest) -> Prompt:
    """Take the tensors out of a request; what is missing has a default."""
    text = scalar(request, "text_input", b"", lambda value: value)
    return Prompt(
        text=text.decode(errors="replace") if isinstance(text, bytes) else str(text),
        max_tokens=scalar(request, "max_tokens", 32, int),
        ignore_eos=scalar(request, "ignore_eos", False, bool),
        stream=scalar(request, "stream", False, bool),
    )


def scalar(request: pb_utils.InferenceRequest, name: str, default: Value, kind: Callable[[Any], Value]) -> Value:
    """Read the first value of an optional tensor."""
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    return default if tensor is None else kind(tensor.as_numpy().reshape(-1)[0])

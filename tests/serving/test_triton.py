"""A real inference: what is sent, and what each answer means."""

from __future__ import annotations

import asyncio
import json
import struct
from typing import Any

import grpc
import pytest
from tritonclient.grpc import model_config_pb2

from inferfleet.serving.triton import Asked, Asker, Inference
from serving.fakes import HOST, FakeTriton, fail, grpc_port, hang


async def asked(triton: FakeTriton, probe: str = "", seconds: float = 5.0) -> Inference:
    async with grpc_port(triton) as port:
        return await Asker().infer(Asked(HOST, "m", probe, port), seconds)


def config(**fields: Any) -> Any:
    return model_config_pb2.ModelConfig(name="m", **fields)


DECOUPLED = config(model_transaction_policy=model_config_pb2.ModelTransactionPolicy(decoupled=True))


async def test_zeros_of_the_smallest_shape_are_sent() -> None:
    triton = FakeTriton(
        inputs=[("a", "FP32", [-1, 3]), ("b", "BYTES", [2]), ("c", "INT64", []), ("d", "BOOL", [1]), ("e", "BF16", [2])]
    )

    assert await asked(triton) == Inference("answered")

    [request] = triton.asked
    assert request.model_name == "m"
    assert [list(each.shape) for each in request.inputs] == [[1, 3], [2], [], [1], [2]]
    text = struct.pack("<I", 2) + b"hi"
    assert list(request.raw_input_contents) == [bytes(12), text * 2, bytes(8), bytes(1), bytes(4)]


async def test_optional_inputs_are_left_out() -> None:
    optional = config(input=[model_config_pb2.ModelInput(name="b", optional=True)])
    triton = FakeTriton(optional, inputs=[("a", "INT8", [1]), ("b", "INT8", [1])])

    await asked(triton)

    assert [each.name for each in triton.asked[0].inputs] == ["a"]


async def test_a_model_of_sequences_gets_a_whole_one() -> None:
    triton = FakeTriton(config(sequence_batching=model_config_pb2.ModelSequenceBatching()))

    await asked(triton)

    sent = triton.asked[0].parameters
    assert (sent["sequence_id"].int64_param, sent["sequence_start"].bool_param, sent["sequence_end"].bool_param) == (
        1, True, True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("datatype", "data", "raw"),
    [
        ("FP32", [1.5, 2], struct.pack("<2f", 1.5, 2)),
        ("FP16", [1, -2], struct.pack("<2e", 1, -2)),
        ("UINT64", [1, 2**64 - 1], struct.pack("<2Q", 1, 2**64 - 1)),
        ("BOOL", [True, False], b"\1\0"),
        ("BYTES", ["a", "é"], b"\1\0\0\0a\2\0\0\0\xc3\xa9"),
    ],
)
async def test_the_repositorys_own_request_is_sent_as_written(datatype: str, data: list[Any], raw: bytes) -> None:
    triton = FakeTriton()
    parameters: dict[str, Any] = {"n": 3, "f": 0.5, "t": "x", "b": True}
    tensor = {"name": "x", "datatype": datatype, "shape": [2], "data": data}
    probe = json.dumps({"inputs": [tensor], "outputs": [{"name": "y"}], "parameters": parameters})

    assert (await asked(triton, probe)).kind == "answered"

    [request] = triton.asked
    assert list(request.raw_input_contents) == [raw]
    assert [output.name for output in request.outputs] == ["y"]
    sent = {name: getattr(value, value.WhichOneof("parameter_choice")) for name, value in request.parameters.items()}
    assert sent == parameters


async def test_a_decoupled_model_is_followed_to_its_last_answer() -> None:
    triton = FakeTriton(DECOUPLED, parts=3)

    assert await asked(triton) == Inference("answered", decoupled=True)
    assert triton.asked[0].parameters["triton_enable_empty_final_response"].bool_param


@pytest.mark.parametrize(
    ("triton", "found"),
    [
        (
            FakeTriton(behaviour=fail(grpc.StatusCode.INTERNAL, "Stub process 'm_0_0' is not healthy.")),
            Inference("refused", "INTERNAL: Stub process 'm_0_0' is not healthy."),
        ),
        (
            FakeTriton(behaviour=fail(grpc.StatusCode.NOT_FOUND, "unknown model")),
            Inference("refused", "NOT_FOUND: unknown model"),
        ),
        (
            FakeTriton(behaviour=fail(grpc.StatusCode.INVALID_ARGUMENT, "no zeros here")),
            Inference("refused", "INVALID_ARGUMENT: no zeros here"),
        ),
        (
            FakeTriton(behaviour=fail(grpc.StatusCode.UNAVAILABLE, "Exceeds maximum queue size")),
            Inference("silent", "UNAVAILABLE: Exceeds maximum queue size"),
        ),
        (
            FakeTriton(DECOUPLED, error="Stub process 'm_0_0' is not healthy."),
            Inference("refused", "Stub process 'm_0_0' is not healthy.", decoupled=True),
        ),
        (FakeTriton(DECOUPLED, parts=0), Inference("refused", "the model ended without an answer", decoupled=True)),
        (FakeTriton(bytes_out=5 << 20), Inference("answered")),
        (FakeTriton(config(max_batch_size=0), inputs=[]), Inference("answered")),
    ],
)
async def test_each_answer_has_its_meaning(triton: FakeTriton, found: Inference) -> None:
    assert await asked(triton) == found


@pytest.mark.parametrize("code", ["PERMISSION_DENIED", "UNAUTHENTICATED", "UNIMPLEMENTED", "RESOURCE_EXHAUSTED"])
async def test_what_meshes_proxies_and_limits_say_is_no_word_of_the_model(code: str) -> None:
    denied = FakeTriton(behaviour=fail(grpc.StatusCode[code], "not you"))

    assert await asked(denied) == Inference("unasked", f"{code}: not you")


async def test_invalid_argument_answers_the_repositorys_own_request() -> None:
    triton = FakeTriton(behaviour=fail(grpc.StatusCode.INVALID_ARGUMENT, "too short"))

    assert (await asked(triton, '{"inputs": []}')).kind == "answered"


async def test_silence_is_neither_proof_nor_error() -> None:
    assert await asked(FakeTriton(behaviour=hang), seconds=0.3) == Inference("silent", "no answer in 0 s")


async def test_a_stream_that_was_cut_after_an_answer_is_proof() -> None:
    assert (await asked(FakeTriton(DECOUPLED, stalls=True), seconds=0.5)).kind == "answered"


async def test_nobody_listening_is_silence() -> None:
    async with grpc_port(FakeTriton()) as port:
        pass

    assert (await Asker().infer(Asked(HOST, "m", "", port), 5.0)).kind == "silent"


@pytest.mark.parametrize("ip", ["", "metadata.internal", "169.254.169.254", "0.0.0.0", "fe80::1", "224.0.0.1"])
async def test_what_is_no_pods_address_is_never_asked(ip: str) -> None:
    assert await Asker().infer(Asked(ip, "m"), 5.0) == Inference("silent", "the pod has no address")


@pytest.mark.parametrize("shape", [[10**9, 10**9], [3, 4096, 4096]])
async def test_an_input_too_large_to_be_made_up_is_never_made(shape: list[int]) -> None:
    triton = FakeTriton(inputs=[("image", "FP32", shape)])

    found = await asked(triton)

    assert triton.asked == []
    assert found.kind == "refused"
    assert "put an inferfleet-probe.json" in found.message


async def test_an_image_is_small_enough() -> None:
    assert (await asked(FakeTriton(inputs=[("image", "FP32", [-1, 3, 1024, 1024])]))).kind == "answered"


async def test_of_large_requests_there_is_one_at_a_time() -> None:
    most, now = 0, 0

    async def count(_server: FakeTriton, _request: Any, _context: Any) -> None:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1

    triton = FakeTriton(inputs=[("x", "UINT8", [1 << 19])], behaviour=count)
    async with grpc_port(triton) as port:
        asker = Asker()
        found = await asyncio.gather(*(asker.infer(Asked(HOST, "m", "", port), 5.0) for _ in range(4)))

    assert [each.kind for each in found] == ["answered"] * 4
    assert most == 1


async def test_a_message_is_fit_to_be_shown() -> None:
    nasty = "boom\n\x1b[2J token=hunter2 " + "x" * 1000

    found = await asked(FakeTriton(behaviour=fail(grpc.StatusCode.INTERNAL, nasty)))

    assert len(found.message) < 400
    assert not {"\n", "\x1b"} & set(found.message)
    assert "hunter2" not in found.message


@pytest.mark.parametrize("plain", [config(), DECOUPLED], ids=["plain", "decoupled"])
async def test_in_one_life_a_server_is_asked_once_what_its_model_takes(plain: Any) -> None:
    triton, asker = FakeTriton(plain), Asker()
    async with grpc_port(triton) as port:
        same = Asked(HOST, "m", "", port, life="a")
        kinds = [(await asker.infer(same, 5.0)).kind for _ in range(3)]

    assert kinds == ["answered"] * 3
    assert (triton.described, len(triton.asked)) == (1, 3)


async def test_another_life_a_refusal_and_a_question_without_a_life_ask_anew() -> None:
    triton, asker = FakeTriton(), Asker()
    async with grpc_port(triton) as port:
        await asker.infer(Asked(HOST, "m", "", port, life="a"), 5.0)
        await asker.infer(Asked(HOST, "m", "", port, life="b"), 5.0)
        assert triton.described == 2

        triton.behaviour = fail(grpc.StatusCode.INVALID_ARGUMENT, "unexpected shape")
        await asker.infer(Asked(HOST, "m", "", port, life="a"), 5.0)
        await asker.infer(Asked(HOST, "m", "", port, life="a"), 5.0)
        assert triton.described == 3

        await asker.infer(Asked(HOST, "m", "", port), 5.0)
        await asker.infer(Asked(HOST, "m", "", port), 5.0)
        assert triton.described == 5


async def test_nothing_is_kept_of_a_life_that_is_forgotten() -> None:
    triton, asker = FakeTriton(), Asker()
    async with grpc_port(triton) as port:
        await asker.infer(Asked(HOST, "m", "", port, life="a"), 5.0)
    asker.forget("a")

    assert asker._prepared == {}

"""What a source is, told from its paths alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferfleet.errors import FetchError
from inferfleet.fetch import pbtxt
from inferfleet.fetch.inspection import Facts, Survey, check_text, repository, survey
from inferfleet.fleet.weights import Repository

FACTS = Facts("c" * 40, 10, 2, "mit")


def look(*paths: str) -> Survey:
    return survey(paths, "last")


def found(*paths: str, **texts: str) -> Repository:
    named = {path.replace("__", "/").replace("_pbtxt", ".pbtxt"): text for path, text in texts.items()}
    return repository(look(*paths), named, FACTS)


@pytest.mark.parametrize(
    ("paths", "shape"),
    [
        (["m/config.pbtxt"], "triton"),
        (["m/1/model.onnx"], "triton"),
        (["m/1/"], "triton"),
        (["config.pbtxt", "1/model.py"], "triton"),
        (["1/model.py"], "triton"),
        (["config.json", "model-00001-of-00002.safetensors", "tokenizer.json"], "checkpoint"),
        (["config.json", "model.safetensors", "onnx/1/weights.bin"], "checkpoint"),
        (["config.json", "model.safetensors", "onnx/config.pbtxt"], "triton"),
        (["model-q4.gguf", "README.md"], "gguf"),
        (["config.json", "pytorch_model.bin"], "unknown"),
        (["README.md"], "unknown"),
        ([".git/config.pbtxt", ".cache/1/x"], "unknown"),
        (["m/01/model.onnx", "m/0/model.onnx", "m/v1/model.onnx"], "unknown"),
        (["m/1"], "unknown"),
        ([], "unknown"),
    ],
)
def test_the_shape_follows_from_the_paths(paths: list[str], shape: str) -> None:
    assert look(*paths).shape == shape


def test_every_directory_with_a_config_or_a_version_is_a_model() -> None:
    seen = look("b/config.pbtxt", "b/labels.txt", "a/2/model.py", "a/10/model.onnx", "a/10/data/x", "docs/x.md")

    assert [(model.name, model.versions, model.files) for model in seen.models] == [
        ("a", (10, 2), ("data", "model.onnx")),
        ("b", (), ()),
    ]
    assert seen.listing == ()


def test_small_files_are_the_configs_and_probes() -> None:
    seen = look("a/config.pbtxt", "a/1/config.pbtxt", "a/inferfleet-probe.json", "b/1/model.py")

    assert seen.small_files() == ("a/config.pbtxt", "a/inferfleet-probe.json")


def test_a_bare_model_directory_is_named_after_its_config_else_after_the_source() -> None:
    paths = ("config.pbtxt", "1/model.py", "labels.txt")

    assert [model.name for model in found(*paths, config_pbtxt='name: "asked"').models] == ["asked"]
    assert [model.name for model in found(*paths, config_pbtxt='input { name: "x" }').models] == ["last"]
    assert [model.name for model in found(*paths, config_pbtxt='name: "../../x"').models] == ["last"]
    assert [model.name for model in found("1/model.py").models] == ["last"]


def test_a_model_of_a_repository_keeps_the_name_of_its_directory() -> None:
    assert [model.name for model in found("m/config.pbtxt", m__config_pbtxt='name: "other"').models] == ["m"]


def test_an_ensemble_without_a_version_has_version_one() -> None:
    (both,) = found("both/config.pbtxt", both__config_pbtxt='platform: "ensemble"').models

    assert both.versions == (1,)
    (other,) = found("m/config.pbtxt", m__config_pbtxt='platform: "onnxruntime_onnx"').models
    assert other.versions == ()


@pytest.mark.parametrize("name", ["my model", "-m", "m\u00e9", "m" * 129])
def test_a_model_that_cannot_be_served_under_its_name_is_refused(name: str) -> None:
    with pytest.raises(FetchError) as refused:
        look(f"{name}/config.pbtxt")

    assert refused.value.reason == "SourceUnusable"


def test_too_many_models_are_refused() -> None:
    assert len(look(*(f"m{number}/config.pbtxt" for number in range(256))).models) == 256
    with pytest.raises(FetchError):
        look(*(f"m{number}/config.pbtxt" for number in range(257)))


def test_all_texts_together_are_bounded() -> None:
    paths = [f"m{number}/config.pbtxt" for number in range(200)]
    seen = survey(paths, "last")
    assert repository(seen, dict.fromkeys(paths, "x" * 40_000), FACTS).models

    with pytest.raises(FetchError) as refused:
        repository(seen, dict.fromkeys(paths, "\u00e9" * 40_000), FACTS)

    assert refused.value.reason == "SourceUnusable"


@pytest.mark.parametrize("content", [b"a\0", b"a\x1b[31m", b"\xff", b"x" * 65_537])
def test_a_config_that_is_no_text_is_refused(content: bytes) -> None:
    with pytest.raises(FetchError) as refused:
        check_text("m/config.pbtxt", content)

    assert refused.value.reason == "SourceUnusable"
    assert check_text("m/config.pbtxt", b"a\r\n\tb" * 10_000)


def test_what_was_found_is_bounded() -> None:
    many = [f"m/{number}/{'x' * 250}{file}" for number in range(1, 100) for file in range(1000, 1050)]

    (model,) = found(*many, *(f"m/99/{file}.bin" for file in range(100))).models

    assert model.versions == tuple(range(99, 35, -1))
    assert len(model.files) == 32
    listing = found(*(f"{'y' * 300}{number}" for number in range(100))).listing
    assert (len(listing), len(listing[0])) == (32, 253)


@given(st.lists(st.text(alphabet="ab1.2/_-", min_size=1, max_size=12), max_size=12))
def test_any_paths_give_a_result_that_fits_the_wire_or_a_reason(paths: list[str]) -> None:
    try:
        result = repository(survey(paths, "last"), {}, FACTS)
    except FetchError as refused:
        assert refused.reason == "SourceUnusable"  # noqa: PT017 - either of two ends is right
    else:
        assert Repository.model_validate_json(result.model_dump_json()) == result
        assert (result.shape == "triton") == bool(result.models)


@pytest.mark.parametrize(
    ("text", "scalars"),
    [
        ('name: "a"\nplatform: "b"', {"name": "a", "platform": "b"}),
        ("name:'a' # name: \"b\"", {"name": "a"}),
        ('input [ { name: "x" } ] name: "a"', {"name": "a"}),
        ('parameters { key: "k" value { string_value: "name: \\"x\\" }" } }', {}),
        ('# name: "a"\nmax_batch_size: 8', {"max_batch_size": "8"}),
        ('name: "a', {"name": "a"}),
        ("} } ] name: 1", {}),
        ("", {}),
    ],
)
def test_only_fields_at_the_top_of_a_config_are_read(text: str, scalars: dict[str, str]) -> None:
    assert pbtxt.scalars(text) == scalars

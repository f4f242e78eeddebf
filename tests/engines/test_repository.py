"""What Triton can serve, and which model of it is probed."""

from __future__ import annotations

import pytest

from inferfleet.engines.triton import check_repository, choose_model
from inferfleet.errors import SpecError
from inferfleet.fleet.weights import Repository, RepositoryModel, Shape

ENSEMBLE = 'platform: "ensemble"  # all of it\nensemble_scheduling { step [ { model_name: "a" } ] }'


def repository(*models: RepositoryModel, shape: Shape = "triton") -> Repository:
    return Repository(commit="c", shape=shape, models=models)


def model(name: str, config: str | None = None, probe: str | None = None) -> RepositoryModel:
    return RepositoryModel(name=name, versions=(1,), config=config, probe=probe)


@pytest.mark.parametrize(
    ("shape", "said"), [("checkpoint", "Hugging Face checkpoint"), ("gguf", "GGUF files"), ("unknown", "no Triton")]
)
def test_what_is_no_repository_is_refused_with_what_was_found(shape: Shape, said: str) -> None:
    found = Repository(commit="c", shape=shape, listing=("config.json", "evil\x1b[2J"))

    with pytest.raises(SpecError) as refusal:
        check_repository(found)

    assert refusal.value.reason == "NotATritonRepository"
    assert said in refusal.value.message
    assert "config.json" in refusal.value.message
    assert "\x1b" not in refusal.value.message
    assert "my-model/1/model.onnx" in refusal.value.message


def test_a_repository_without_a_model_is_refused() -> None:
    with pytest.raises(SpecError, match="holds no model"):
        check_repository(repository())


def test_a_model_without_a_version_is_refused_because_it_would_fail_them_all() -> None:
    with pytest.raises(SpecError, match="b of the repository has no numbered version"):
        check_repository(repository(model("a"), RepositoryModel(name="b")))


def test_a_whole_repository_is_accepted() -> None:
    check_repository(repository(model("a"), model("b")))


def test_the_only_model_is_chosen() -> None:
    assert choose_model(repository(model("a")), None) == "a"


def test_the_only_ensemble_is_chosen() -> None:
    assert choose_model(repository(model("a"), model("b", ENSEMBLE), model("c")), None) == "b"


def test_a_named_model_is_chosen() -> None:
    assert choose_model(repository(model("a"), model("b")), "b") == "b"


def test_a_name_that_is_not_there_is_refused_with_the_list() -> None:
    with pytest.raises(SpecError, match='found "x"; the repository holds a, b'):
        choose_model(repository(model("a"), model("b")), "x")


def test_several_models_without_a_name_are_refused_with_the_list() -> None:
    with pytest.raises(SpecError, match=r"7 models with no ensemble among them: m0, .* and 2 more"):
        choose_model(repository(*(model(f"m{index}") for index in range(7))), None)


@pytest.mark.parametrize(
    ("config", "is_one"),
    [
        ("platform : 'ensemble'", True),
        ("ensemble_scheduling: < step [] >", True),
        ('# platform: "ensemble"', False),
        ('name: "platform: \\"ensemble\\""', False),
        ('parameters { key: "platform" value { string_value: "ensemble" } }', False),
        ('input { platform: "ensemble" }', False),
        ('platform: "onnxruntime_onnx"', False),
        ("}{" * 9, False),
    ],
)
def test_an_ensemble_is_told_by_its_top_level_words(config: str, is_one: bool) -> None:
    found = repository(model("a", config), model("b"))

    if is_one:
        assert choose_model(found, None) == "a"
    else:
        with pytest.raises(SpecError):
            choose_model(found, None)


def test_a_probe_that_cannot_be_sent_is_refused_before_any_pod_exists() -> None:
    with pytest.raises(SpecError, match=r"inferfleet-probe\.json"):
        choose_model(repository(model("a", probe="{")), None)

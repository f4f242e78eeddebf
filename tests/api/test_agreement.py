"""OpenAPI bounds, CEL rules and pydantic say the same of every object: of the table, and of what chance makes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.judges import by_crd, by_pydantic, by_rules, by_schema, root_schema
from api.objects import BAD, GOOD, HOSTILE, WHOLE, Bad, Good, deep, deployment
from api.paths import Path, changed, fields, leaves, nodes, schema_at
from inferfleet.api.base import Json


def schema_of(path: Path) -> Json:
    return schema_at(root_schema()["properties"]["spec"], path)


def one_of_a_kind(paths: Iterable[Path]) -> list[Path]:
    """Keep the first of those paths whose field has the same name and the same schema."""
    return list({(str(path[-1:]), json.dumps(schema_of(path))): path for path in reversed(list(paths))}.values())


EVERYTHING: Json = {**deployment(), "spec": WHOLE}
INERT = {
    ("template", "annotations"): "a string of the pod's metadata, written as JSON",
    ("template", "server", "env", "value"): "a string of the pod's environment, written as JSON",
    ("template", "volumes", "csi", "volumeAttributes"): "a string for the driver, written as JSON",
    (
        "engine",
        "options",
    ): "the end of one argument, `--name=value`, that no shell reads; no quote or bracket may be in it",
}
"""Where text is free, and why it does no harm there."""
OTHER_TYPES: tuple[Any, ...] = (7, -7, 2.0, 1.5, True, "text", "", [], ["text"], {}, {"key": "text"}, None, deep(50))
LEAVES = one_of_a_kind(path for path, _ in leaves(WHOLE))
TEXTS = one_of_a_kind(path for path, value in leaves(WHOLE) if isinstance(value, str))
PLACES = one_of_a_kind(path for path, _ in nodes(WHOLE) if path)


def put(path: Path, value: object) -> Json:
    """Write the whole object with another value at one path of its spec."""
    return {**EVERYTHING, "spec": changed(WHOLE, path, value)}


def dotted(path: Path) -> str:
    return ".".join(map(str, path))


@pytest.mark.parametrize("good", GOOD, ids=lambda good: good.title)
def test_everyone_accepts_a_good_object(good: Good) -> None:
    assert by_schema(good.raw) == ()
    assert by_rules(good.raw) == ()
    assert by_pydantic(good.raw) == ()


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.title)
def test_everyone_refuses_a_bad_object_and_says_where_and_why(bad: Bad) -> None:
    said = by_pydantic(bad.raw)

    assert any(each.startswith(bad.where) and bad.says in each for each in said), said
    assert bool(by_schema(bad.raw)) == (bad.layer in ("schema", "both"))
    if bad.layer in ("rule", "both"):
        assert any(bad.says in each for each in by_rules(bad.raw))


def test_the_good_objects_set_every_field_that_there_is() -> None:
    known = set(fields(root_schema()["properties"]["spec"]))
    seen = {_shape(path) for good in GOOD for path, _ in nodes(good.raw["spec"])}

    assert known - seen == set()


def _shape(path: Path) -> Path:
    """Name a field as the schema does: any index is 0, any key of a map is `*`."""
    schema: Json = root_schema()["properties"]["spec"]
    found: Path = ()
    for step in path:
        is_field = isinstance(step, str) and step in schema.get("properties", {})
        found = (*found, 0 if isinstance(step, int) else step if is_field else "*")
        schema = schema_at(schema, (step,))
    return found


def test_the_bad_objects_break_every_rule_that_pydantic_holds() -> None:
    from inferfleet.api.base import Frozen

    def rules(model: type[Frozen]) -> set[str]:
        return {rule.message for rule in model.rules}.union(*(rules(child) for child in model.__subclasses__()))

    broken = {message for bad in BAD if bad.layer != "schema" for message in by_rules(bad.raw)}
    assert rules(Frozen) - broken == set()


@pytest.mark.parametrize("harm", HOSTILE, ids=str)
def test_a_text_that_means_harm_is_refused_or_stands_where_free_text_belongs(harm: str) -> None:
    for path in TEXTS:
        raw = put(path, HOSTILE[harm])

        refused = bool(by_pydantic(raw))
        assert refused == bool(by_crd(raw)), dotted(path)
        named = tuple(step for step in path if isinstance(step, str))
        assert refused or named in INERT or named[:-1] in INERT, f"{dotted(path)} took {harm}"


@pytest.mark.parametrize("harm", HOSTILE, ids=str)
def test_a_key_of_a_map_that_means_harm_is_refused(harm: str) -> None:
    maps = [path for path, value in nodes(WHOLE) if isinstance(value, dict) and "properties" not in schema_of(path)]
    assert maps

    for path in maps:
        raw = put((*path, HOSTILE[harm]), "1")
        assert by_pydantic(raw), dotted(path)
        assert by_crd(raw), dotted(path)


@pytest.mark.parametrize("path", PLACES, ids=dotted)
def test_a_value_of_any_type_means_the_same_to_all(path: Path) -> None:
    for value in OTHER_TYPES:
        raw = put(path, value)
        assert bool(by_pydantic(raw)) == bool(by_crd(raw)), f"{value!r}: {by_pydantic(raw)} {by_crd(raw)}"


@pytest.mark.parametrize("path", LEAVES, ids=dotted)
def test_a_bound_is_kept_on_both_sides_of_it(path: Path) -> None:
    schema = schema_of(path)
    steps = {"minimum": -1, "maximum": 1}
    for bound, step in steps.items():
        if bound in schema:
            raw = put(path, schema[bound] + step)
            assert by_pydantic(raw), f"{bound} of {dotted(path)}"
            assert by_crd(raw), f"{bound} of {dotted(path)}"
    if schema.get("type") in ("string", None):
        long = put(path, "a" * (schema.get("maxLength", 63) + 1))
        assert by_pydantic(long) or "enum" in schema
        assert bool(by_pydantic(long)) == bool(by_crd(long))


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2**54),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=80).filter(lambda text: text.isprintable() or "\x00" in text),
    st.sampled_from(
        ["Auto", "Pod", "PVC", "Deny", "Allow", "Exists", "In", "10Gi", "main", "L4", "hf://a/b", "pvc://a"]
    ),
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner))


@settings(max_examples=150, deadline=None)
@given(changes=st.lists(st.tuples(st.sampled_from(PLACES), values), min_size=1, max_size=3))
def test_whatever_is_changed_all_judges_agree(changes: list[tuple[Path, Any]]) -> None:
    spec: Any = WHOLE
    for path, value in changes:
        if any(path == known for known, _ in nodes(spec)):
            spec = changed(spec, path, value)
    raw = {**EVERYTHING, "spec": spec}

    assert bool(by_pydantic(raw)) == bool(by_crd(raw)), f"{by_pydantic(raw)} {by_crd(raw)}"


@settings(max_examples=150, deadline=None)
@given(parts=st.lists(st.sampled_from([bad.raw["spec"] for bad in BAD if bad.raw["spec"]]), min_size=2, max_size=3))
def test_faults_that_come_together_hide_no_other(parts: list[Json]) -> None:
    raw = {**deployment(), "spec": {key: value for part in parts for key, value in part.items()}}

    assert bool(by_pydantic(raw)) == bool(by_crd(raw)), f"{by_pydantic(raw)} {by_crd(raw)}"


@pytest.mark.parametrize("depth", [10, 190, 900, 20_000])
def test_no_nesting_ends_the_parser(depth: int) -> None:
    assert by_pydantic(deployment(replicas=deep(depth)))


@pytest.mark.parametrize("raw", [{}, {"metadata": None}, {"metadata": []}, {"metadata": {"name": 7}}, {"spec": {}}])
def test_an_object_without_a_name_is_refused_and_no_error(raw: Json) -> None:
    assert by_pydantic(raw)[0].startswith("metadata.name: found")


def test_what_may_be_secret_is_not_shown() -> None:
    raw = put(("template", "server", "env", 0, "value"), "s3cr3t\x00")

    said = by_pydantic(raw)
    assert said
    assert "s3cr3t" not in str(said)


def test_a_long_value_is_shown_by_its_beginning_and_its_length() -> None:
    said = by_pydantic(deployment(model={"source": "x" * 1_000_000}))

    assert len(str(said)) < 800
    assert "1000002 characters" in said[0]

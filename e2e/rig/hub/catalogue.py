"""The repositories that the rig's hub serves, written from the models beside it.

Rule: the same code gives the same commits on every machine. To add a repository, add an entry at the end: its
name, who may read it, and for each branch or tag a function that writes the files into a directory.
"""

from __future__ import annotations

import json
import random
import struct
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from e2e.rig.hub.store import Repository, Store
from e2e.rig.models.repositories import Model, lay_out

OWNER = "inferfleet"
BIG_FILES = 4
BIG_FILE_BYTES = 12 << 20
HIDDEN = 64

Write = Callable[[Path, Path], object]


@dataclass(frozen=True, slots=True)
class Entry:
    """One repository: who may read it, and what to write for each of its names."""

    repository: Repository
    refs: Mapping[str, Write]


def fill(store: Store, gguf: Path) -> dict[str, dict[str, str]]:
    """Publish everything and return the commits by repository and name."""
    commits: dict[str, dict[str, str]] = {}
    for entry in ENTRIES:
        name = entry.repository.name
        for ref, write in entry.refs.items():
            with tempfile.TemporaryDirectory(dir=gguf.parent) as scratch:
                write(Path(scratch), gguf)
                _readme(Path(scratch), entry.repository)
                commits.setdefault(name, {})[ref] = store.publish(entry.repository, Path(scratch), ref)
    return commits


def _readme(directory: Path, repository: Repository) -> None:
    card = f"---\nlicense: {repository.license}\n---\n# {repository.name}\n\nMade for the tests of inferfleet.\n"
    (directory / "README.md").write_text(card)


def _models(*models: Model) -> Write:
    return lambda target, gguf: lay_out(target, *models, gguf=gguf)


def _big(target: Path, _: Path) -> None:
    lay_out(target, Model("batcher", name="big"))
    chance = random.Random(1)  # noqa: S311 - bytes that do not compress, the same everywhere
    for number in range(1, BIG_FILES + 1):
        (target / "big" / "1" / f"part-{number}.bin").write_bytes(chance.randbytes(BIG_FILE_BYTES))


def _checkpoint(target: Path, _: Path) -> None:
    config = {
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": HIDDEN,
        "intermediate_size": 2 * HIDDEN,
        "model_type": "llama",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        "torch_dtype": "bfloat16",
        "vocab_size": 256,
    }
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (target / "tokenizer_config.json").write_text('{"model_max_length": 2048}\n')
    (target / "model.safetensors").write_bytes(_safetensors())


def _safetensors() -> bytes:
    size = 256 * HIDDEN * 2
    tensor = {"dtype": "BF16", "shape": [256, HIDDEN], "data_offsets": [0, size]}
    header = json.dumps({"model.embed_tokens.weight": tensor}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(size)


def _entry(name: str, *, gated: str = "", private: bool = False, **refs: Write) -> Entry:
    return Entry(Repository(f"{OWNER}/{name}", gated=gated, private=private), refs)


ENTRIES = (
    _entry("smollm2-triton", main=_models(Model("smollm2")), v2=_models(Model("smollm2", version=2))),
    _entry("smollm2-bare", main=_models(Model("smollm2", config=False))),
    _entry("two-models", main=_models(Model("smollm2"), Model("batcher"))),
    _entry("batcher", main=_models(Model("batcher")), v2=_models(Model("batcher", version=2))),
    _entry("broken", main=_models(Model("broken"))),
    _entry("checkpoint", main=_checkpoint),
    _entry("big", main=_big),
    _entry("gated", gated="manual", main=_models(Model("batcher"))),
    _entry("private", private=True, main=_models(Model("batcher"))),
)

"""Runs a health script as Argo CD does: Lua with `goto`, one global `obj`, a table of status and message as answer.

The one rule: a script sees the libraries that Argo CD gives it and no other; a script in `argocd-cm` gets few.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from lupa import luajit21

from inferfleet.api.base import Json

HIDDEN = ("string", "math", "io", "debug", "coroutine", "jit", "bit", "ffi")


class GoLoader(yaml.SafeLoader):
    """YAML as Go reads it: a timestamp stays the text that it is."""


GoLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def health(script: str, obj: Json, *, open_libraries: bool = False) -> Json:
    """Ask a script about an object."""
    lua = luajit21.LuaRuntime(unpack_returned_tuples=True, register_eval=False)
    if not open_libraries:
        _close(lua)
    lua.globals()["obj"] = _to_lua(lua, obj)
    answer = lua.execute(script)
    return {} if answer is None else {str(key): answer[key] for key in answer}


def failures(root: Path, *, open_libraries: bool) -> Iterator[str]:
    """Run every `health_test.yaml` below a directory, and say which expectations do not hold."""
    for suite in sorted(root.rglob("health_test.yaml")):
        script = (suite.parent / "health.lua").read_text()
        for raw in _load(suite)["tests"]:
            # Go matches keys without regard to case, so upstream's files mix them.
            test = {key.lower(): value for key, value in raw.items()}
            path = suite.parent / test["inputpath"]
            said = _asked(script, path, open_libraries)
            for key in ("status", "message"):
                wanted = test["healthstatus"].get(key) or ""
                if (said.get(key) or "") != wanted:
                    yield f"{path}: {key} is {said.get(key)!r}, not {wanted!r}"


def _asked(script: str, path: Path, open_libraries: bool) -> Json:
    try:
        return health(script, _load(path), open_libraries=open_libraries)
    except luajit21.LuaError as error:
        return {"status": "error", "message": str(error)}


def _close(lua: Any) -> None:
    names = lua.globals()
    lua.execute('getmetatable("").__index = nil')  # or s:match() would still be there
    for library in HIDDEN:
        names[library] = None
    names["os"] = lua.table_from({"time": names.os.time, "date": names.os.date})


def _load(path: Path) -> Json:
    found: Json = yaml.load(path.read_text(), GoLoader)  # noqa: S506 - GoLoader is a safe loader
    return found


def _to_lua(lua: Any, value: Any) -> Any:
    if isinstance(value, dict):
        return lua.table_from({key: _to_lua(lua, item) for key, item in value.items() if item is not None})
    if isinstance(value, list):
        return lua.table_from([_to_lua(lua, item) for item in value])
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

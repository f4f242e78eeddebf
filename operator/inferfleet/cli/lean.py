"""Packages of which we use one room, without the hall through which one enters: the operator stays small.

`kubernetes` imports two HTTP clients, OAuth and web sockets when it is entered, and `tritonclient.grpc` imports numpy,
23 MiB in all for what is never called here. The one rule: only the operator's own process does this, before it imports
anything else; where a package has been entered already, nothing is done.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec

HALLS = ("kubernetes", "kubernetes.aio", "tritonclient.grpc")


def pass_by() -> None:
    """Put these packages into place without running their `__init__`; the modules in them are imported as ever."""
    for name in HALLS:
        spec = None if name in sys.modules else find_spec(name)
        if spec is None:
            continue
        sys.modules[name] = module = module_from_spec(spec)
        parent, _, leaf = name.rpartition(".")
        if parent:
            setattr(import_module(parent), leaf, module)

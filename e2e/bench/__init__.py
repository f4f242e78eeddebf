"""Benchmarks: figures of the product, each with its gate, on this machine alone.

The one rule: what is measured is the product as it is shipped, in a process of its own; all else is the stand-in's.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The API server that stands in lives with the tests that hold it against a real one.
sys.path.append(str(ROOT / "tests"))

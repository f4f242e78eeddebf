"""The rig's command line: `python -m e2e.rig up|down|status|...`, run from the repository's root."""

from __future__ import annotations

import sys

from e2e.rig.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

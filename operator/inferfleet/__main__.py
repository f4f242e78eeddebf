"""`python -m inferfleet` is the same as `inferfleet`."""

from __future__ import annotations

from inferfleet.cli import main

if __name__ == "__main__":
    main()

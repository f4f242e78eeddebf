"""The machine's own way to package registries, as a pip.conf that is mounted while an image is built.

Pure: what `pip config list` prints comes in, the file's text goes out. Only what leads to a registry is taken;
paths of this machine mean nothing in a build.
"""

from __future__ import annotations

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_TAKEN = ("extra-index-url", "index-url", "proxy", "retries", "timeout", "default-timeout", "trusted-host")


def pip_conf(listing: str) -> str:
    """Render a pip.conf; the environment wins over files, as it does for pip itself."""
    found: dict[str, str] = {}
    for line in listing.splitlines():
        scope, _, rest = line.partition(".")
        name, _, value = rest.partition("=")
        key = name.strip().lower().replace("_", "-")
        if key in _TAKEN and (scope == ":env:" or key not in found):
            found[key] = value.strip().strip("'\"").replace("\\n", "\n    ")
    lines = [f"{key} = {value}" for key, value in sorted(found.items())]
    return "\n".join(["[global]", f"cert = {BUNDLE}", *lines, ""])

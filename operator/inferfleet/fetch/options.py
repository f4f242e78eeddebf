"""What the two steps of this room are asked to do, as values; `cli` makes them from argv and environment.

The one rule: secrets are fields that no representation shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

TERMINATION_LOG = Path("/dev/termination-log")


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxy of each scheme, and the hosts that need none; credentials stand in the address."""

    https: str = field(default="", repr=False)
    """As in HTTPS_PROXY: `http://proxy.example:3128`."""
    http: str = field(default="", repr=False)
    """As in HTTP_PROXY."""
    none_for: str = ""
    """As in NO_PROXY: names and suffixes with commas between them."""


@dataclass(frozen=True, slots=True)
class Persistence:
    """How long a download goes on when its network fails; times are seconds."""

    attempts: int = 6
    """Attempts in a row without a new byte after which it gives up, for each file and each call."""
    backoff: float = 1.0
    """The first pause; it doubles each time, up to 60."""
    connect: float = 30.0
    """How long a connection may take to come up."""
    silence: float = 60.0
    """How long an open connection may bring nothing."""
    lock: float = 86_400.0
    """How long to wait for another download of the same commit."""


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """One run of `inferfleet fetch`."""

    source: str
    """`hf://ORG/REPOSITORY[/FOLDER]` or `pvc://CLAIM[/FOLDER]`."""
    revision: str = ""
    """Branch, tag or commit of an `hf://` source; `main` if empty. Must be empty for a claim."""
    endpoint: str = "https://huggingface.co"
    """Base address of the hub or its mirror; a path in it is kept."""
    cache: Path = Path("/cache")
    """The cache volume, written to; not looked at when `resolve_only` is set or the source is a claim."""
    claim: Path = Path("/claim")
    """Where the whole claim of a `pvc://` source is mounted (not its FOLDER), read-only."""
    resolve_only: bool = False
    """Find commit, shape and small files, and leave the weights where they are."""
    token: str = field(default="", repr=False)
    """HF_TOKEN; sent to the endpoint's own host and to no other."""
    secret: str = ""
    """Name of the Secret that the token should come from: only said, where there is no token."""
    ca_file: Path | None = None
    """Further trust anchors (PEM), besides the system's; a file that does not exist adds none."""
    proxies: Proxies = Proxies()
    """Nothing is taken from the environment: what is not here is not used."""
    connections: int = 4
    """Files downloaded at once."""
    persistence: Persistence = Persistence()
    size_limit: int = 0
    """Bytes that the cache volume may hold although its file system has more (an emptyDir's sizeLimit); 0: no limit."""
    evict: bool = False
    """The cache is this model's own: unused commits go when space is short. Without it, what is used here is pinned."""
    in_use: tuple[str, ...] = ()
    """Commits that stay, as SOURCE-DIRECTORY/COMMIT."""
    port: int = 0
    """Port of the progress server; 0: none."""
    bind: str | None = None
    """Address that it listens on; None: all."""
    result_wait: float = 60.0
    """Seconds to wait, after success, until `/result` has been read once; not without a port."""
    termination_message: Path = TERMINATION_LOG


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """One run of `inferfleet link`, which builds the repository that the server in this pod loads."""

    source: str
    """The source, as in FetchOptions."""
    weights: Path = Path("/weights")
    """`hf://`: the source's directory of the cache, which holds one directory per commit. `pvc://`: the whole claim.
    The server must mount the same volume at the same path: links point there."""
    commit: str = ""
    """Commit of an `hf://` source; its marker is waited for. Not looked at for a claim."""
    target: Path = Path("/models")
    """An emptyDir of the pod's own; nothing outside it is touched."""
    config: Path | None = Path("/config")
    """Directory with generated `NAME.pbtxt`, which go before the repository's own; None or absent: there are none."""
    wait: float = 120.0
    """Seconds to wait for the marker."""
    termination_message: Path = TERMINATION_LOG

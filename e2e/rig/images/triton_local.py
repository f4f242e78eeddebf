"""The stand-in Triton without a container: on a loopback address, for tests that need the real server only.

Rule: the same pinned wheels as in the image; a server that was started here is ended here, its stubs included.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.rig import cache, processes, shell
from e2e.rig.errors import RigError

SECONDS = 20
START_SECONDS = 60
STUB = "triton_python_backend_stub"
_REGION = "/triton_python_backend_shm_region_"
_DOCKERFILE = Path(__file__).with_name("triton.Dockerfile")
_SITE = Path("lib/python3.11/site-packages")
_PYTHON = Path("/usr/bin/python3.11")
_LIBPYTHON = Path("/usr/lib/x86_64-linux-gnu")


@dataclass(frozen=True, slots=True)
class Server:
    """A running tritonserver; all three ports are the usual ones on an address of its own."""

    address: str
    process: subprocess.Popen[bytes]

    def status(self, path: str) -> int:
        """Ask for a path and return the HTTP status; 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://{self.address}:8000{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            return refused.code
        except OSError:
            return 0

    def wait_ready(self, model: str) -> None:
        """Return when a model is ready; a server that ended or takes too long is an error."""
        deadline = time.monotonic() + START_SECONDS
        while self.status(f"/v2/models/{model}/ready") != 200:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RigError(f"tritonserver on {self.address} did not make {model} ready; see its log.")
            time.sleep(0.05)

    def stubs(self) -> list[int]:
        """List the processes that hold its Python models."""
        return [pid for pid in processes.children(self.process.pid) if STUB in processes.command_line(pid)]


def requirements() -> str:
    """Read the pinned wheels out of the image's Dockerfile, so that there is one list."""
    return "\n".join(re.findall(r"'(\S+==\S+ --hash=\S+)'", _DOCKERFILE.read_text())) + "\n"


def install() -> Path:
    """Install the wheels into the cache, once, and return where they lie."""
    return cache.ensure("triton", "wheels", cache.key(requirements(), "2"), _install)


@contextmanager
def serving(repository: Path, address: str, log: Path, argv: tuple[str, ...] = ()) -> Iterator[Server]:
    """Serve a repository while the block runs; the server is killed at its end, in whatever state it is."""
    home = install()
    where = [f"--{kind}-address={address}" for kind in ("http", "grpc", "metrics")]
    given = [f"--model-repository={repository}", f"--backend-directory={home}/backends", "--allow-gpu-metrics=false"]
    with log.open("wb") as said:
        process = subprocess.Popen(
            [home / "bin" / "tritonserver", *given, *where, *argv],
            stdout=said,
            stderr=subprocess.STDOUT,
            env={**os.environ, **_environment(home)},
            start_new_session=True,
        )
        server = Server(address, process)
        try:
            yield server
        finally:
            _end(server)


def _end(server: Server) -> None:
    """Kill a server with its stubs, and remove the shared memory that a killed one leaves behind."""
    pids = {server.process.pid, *server.stubs()}
    regions = {region for pid in pids for region in _regions(pid)}
    processes.end(pids, signal.SIGKILL)
    server.process.wait()
    for region in regions:
        region.unlink(missing_ok=True)


def _regions(pid: int) -> set[Path]:
    try:
        lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    except OSError:
        return set()  # it has ended by itself
    return {Path(line.split()[5]) for line in lines if _REGION in line}


def _environment(home: Path) -> Mapping[str, str]:
    """Say where libraries and packages lie; the stub ignores PYTHONPATH and follows the first `python3` on PATH."""
    libraries = f"{home / _SITE / 'nvidia_pytriton.libs'}:{_LIBPYTHON}"
    return {"LD_LIBRARY_PATH": libraries, "PATH": f"{home / 'bin'}:{os.environ['PATH']}"}


def _install(out: Path) -> None:
    if not _PYTHON.exists() or not list(_LIBPYTHON.glob("libpython3.11.so.1*")):
        raise RigError("Triton's Python backend needs Debian's python3.11 and libpython3.11: install them.")
    (out / "bin").mkdir()
    (out / "bin" / "python3").symlink_to(_PYTHON)
    (out / "pyvenv.cfg").write_text(f"home = {_PYTHON.parent}\n")
    (out / "requirements.txt").write_text(requirements())
    how = ["--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "--python-version=3.11"]
    what = ["--target", str(out / _SITE), "-r", str(out / "requirements.txt")]
    shell.run([sys.executable, "-m", "pip", "install", *how, *what])
    server, backend = out / _SITE / "pytriton" / "tritonserver", out / "backends" / "python"
    backend.mkdir(parents=True)
    for part in (server / "backends" / "python").iterdir():
        part.rename(backend / part.name)
    (server / "python_backend_stubs" / "3.11" / STUB).rename(backend / STUB)
    (server / "bin" / "tritonserver").rename(out / "bin" / "tritonserver")
    for program in (backend / STUB, out / "bin" / "tritonserver"):
        program.chmod(0o755)

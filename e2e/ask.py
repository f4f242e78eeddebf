"""Asks a model one question through its Service, from inside a node's network, and shows the answer as it streams.

`python -m e2e.ask URL MODEL PROMPT TOKENS` is the part that runs there: it prints one JSON line for each piece.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from e2e.lab import Lab
from e2e.rig import shell
from e2e.rig.settings import NODES, PYTHON, REPOSITORY

SECONDS = 60
RULES_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    text: str
    tokens: int
    finished: bool
    first_seconds: float


def ask(lab: Lab, name: str, prompt: str, tokens: int = 16, *, show: bool = False) -> Answer:
    """Ask a model by its name; `show` prints the pieces as they come."""
    address, model = lab.endpoint(name)
    argv = [PYTHON, "-m", "e2e.ask", f"http://{address}", model, prompt, str(tokens)]
    command = [str(part) for part in shell.in_netns(NODES[0].netns, argv)]
    pieces: list[dict[str, object]] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as client:
        assert client.stdout is not None
        for line in client.stdout:
            pieces.append(json.loads(line))
            if show:
                print(pieces[-1].get("text", ""), end="", flush=True)
    last = pieces[-1] if pieces else {}
    text = "".join(str(piece.get("text", "")) for piece in pieces)
    first = float(str(pieces[0].get("at", 0))) if pieces else 0.0
    return Answer(text, int(str(last.get("tokens", 0))), bool(last.get("finished")), first)


def first_token_seconds(answer: Answer) -> float:
    """Say how long the first piece took."""
    return answer.first_seconds


def _stream(url: str, model: str, prompt: str, tokens: int) -> Iterator[dict[str, object]]:
    """Stream one completion of an exact length; the last piece says whether it came to its end."""
    body = {"text_input": prompt, "max_tokens": tokens, "ignore_eos": True, "stream": True}
    request = urllib.request.Request(
        f"{url}/v2/models/{model}/generate_stream", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    begun, usage, complete = time.monotonic(), 0, False
    with _opened(request) as answer:
        for line in answer:
            if line.startswith(b"data:"):
                piece = json.loads(line[5:])
                usage = int(piece.get("completion_tokens", usage) or usage)
                complete = complete or bool(piece.get("finish_reason"))
                yield {"text": piece.get("text_output", ""), "at": time.monotonic() - begun}
    yield {"tokens": usage, "finished": complete}


def _opened(request: urllib.request.Request) -> Any:
    """Open a request; the nodes' rules for a Service follow its pods within a moment, until when it refuses."""
    until = time.monotonic() + RULES_SECONDS
    while True:
        try:
            return urllib.request.urlopen(request, timeout=SECONDS)
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError) or time.monotonic() > until:
                raise
            time.sleep(0.1)


def main() -> int:
    """Run the part that asks."""
    url, model, prompt, tokens = sys.argv[1:5]
    for piece in _stream(url, model, prompt, int(tokens)):
        print(json.dumps(piece), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

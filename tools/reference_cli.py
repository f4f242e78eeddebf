"""The reference page of the command line, read off the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer.main

from inferfleet.cli import app
from inferfleet.cli.config import FROM_A_CLUSTER
from tools.markdown import code, page, table

INTRODUCTION = f"""\
`inferfleet VERB`. `pip install .` in this repository puts `inferfleet` and `kubectl-inferfleet` on the `PATH` of its
environment; with the latter it is also `kubectl inferfleet VERB`. People use `lint`, `render`, `status` and `why`; pods
run `run`, `fetch` and `link`. Every command has `--help`. The exit status is 0 when it did what was asked, 1 when that
failed or what was asked about is not well, 2 when the arguments were wrong. What does not go to a terminal is neither
coloured nor wrapped nor cut.

`lint` and `render` ask no cluster. They take the operator's configuration (classes of GPU, images, storage class) as
the chart's default values make it, in which no shared storage class is set; with `--config` they take your cluster's,
which lies in a ConfigMap of the operator's namespace:

```shell
{FROM_A_CLUSTER} >config.yaml
inferfleet lint -f model.yaml --config config.yaml
```
"""


def cli_page() -> str:
    """Write the page of commands and their options."""
    commands: dict[str, Any] = getattr(typer.main.get_command(app), "commands")  # noqa: B009 - typer hides the type
    return page(
        "Command line", "\n".join([INTRODUCTION, *(_section(name, commands[name]) for name in sorted(commands))])
    )


def _section(name: str, command: Any) -> str:  # noqa: ANN401 - as above
    about = " ".join((command.help or "").split())
    rows = list(_options(command))
    arguments = [_argument(param) for param in command.params if param.param_type_name == "argument"]
    usage = " ".join([name, *arguments, *(["[options]"] if rows else [])])
    shown = table(("option", "default", "meaning"), rows) if rows else ""
    return (
        "\n\n".join(part for part in (f"## {code(f'inferfleet {usage}')}", _plain(about), shown) if part).rstrip()
        + "\n"
    )


def _argument(param: Any) -> str:  # noqa: ANN401 - as above
    name = str(param.name).upper()
    return name if param.required else f"[{name}]"


def _options(command: Any) -> Iterator[tuple[str, str, str]]:  # noqa: ANN401 - as above
    for param in command.params:
        if param.param_type_name == "option" and not param.hidden:
            variable = f" Also {code(str(param.envvar))}." if param.envvar else ""
            yield ", ".join(map(code, param.opts)), _default(param), f"{_plain(param.help or '')}{variable}"


def _plain(text: str) -> str:
    """Take away what keeps brackets from being read as markup on a terminal."""
    return text.replace("\\[", "[")


def _default(param: Any) -> str:  # noqa: ANN401 - as above
    if param.required:
        return "**required**"
    return "" if param.default in (None, "", False, ()) or callable(param.default) else code(str(param.default))

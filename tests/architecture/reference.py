"""docs/reference.md and docs/openapi.json, made from what there is: commands, settings, routes.

`make fix` writes them; tests hold the files to it.
"""

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Any

import typer.main
from fastapi.routing import APIRoute

from inland.adapters.home.template import FirstFactory, FirstModel, factory_toml
from inland.api.access import ACCESS
from inland.api.app import NOUNS
from inland.api.metrics import HELP
from inland.bootstrap.contract import whole
from inland.cli.app import app
from inland.domain.limits import Limits
from tests.architecture.source import ROOT

FILE = ROOT / "docs" / "reference.md"
CONTRACT = ROOT / "docs" / "openapi.json"
#: Options that every command has are told once.
EVERYWHERE = {"home", "json", "help"}


def tree() -> dict[str, Any]:
    """Every command by its words, `inland` first."""
    return dict(_commands(typer.main.get_command(app), ("inland",)))


def _commands(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield " ".join(words), command
    else:
        for name in sorted(below):
            yield from _commands(below[name], (*words, name))


def _first_sentence(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split())


def _parameter(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = (parameter.metavar or parameter.name).upper().strip("[]")
        return f"- `{name}`{'' if parameter.required else ' (optional)'}{_told(parameter)}"
    is_flag = getattr(parameter, "is_flag", False)
    value = "" if is_flag else f" {(parameter.metavar or parameter.name).upper()}"
    names = ", ".join(f"`{name}{value}`" for name in parameter.opts)
    return f"- {names}{' (required)' if parameter.required else ''}{_told(parameter)}"


def _told(parameter: Any) -> str:
    told = getattr(parameter, "help", None)
    return f": {_first_sentence(told)}" if told else ""


def commands() -> str:
    """Every command with its words and options."""
    parts = []
    for name, command in tree().items():
        shown = [p for p in command.params if p.name not in EVERYWHERE and not p.hidden]
        lines = [f"### `{name}`", "", _first_sentence(command.help)]
        lines += ["", *map(_parameter, shown)] if shown else []
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def limits() -> str:
    """The `[limits]` of factory.toml as a table."""
    rows = [
        "| limit | default | least | most | unit | bounds |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for limit in fields(Limits):
        rule = limit.metadata
        assert limit.default is not MISSING
        bounds = f"{limit.default} | {rule['least']} | {rule['most']} | {rule['unit']}"
        rows.append(f"| `{limit.name}` | {bounds} | {rule['why']} |")
    return "\n".join(rows)


def declared() -> str:
    """The factory.toml of a first start, without its limits."""
    model = FirstModel("smollm2-135m-instruct", "models/MODEL.gguf", "0" * 64, "Apache-2.0")
    first = FirstFactory("ZZ", 8780, 1, ("demo", "acme"), model, "smollm2", 1)
    return factory_toml(first).partition("# Every bound")[0].rstrip()


def _who(route: APIRoute) -> str:
    calls = [dependant.call for dependant in route.dependant.dependencies]
    names = [vars(call)["operation"] for call in calls if call and "operation" in vars(call)]
    return ", ".join(sorted(ACCESS[names[0]])) if names else "anyone"


def routes() -> str:
    """Every route off the token path as a table."""
    rows = ["| route | who | what |", "| --- | --- | --- |"]
    for route in itertools.chain.from_iterable(noun.router.routes for noun in NOUNS):
        if isinstance(route, APIRoute):
            query = "&".join(f"{p.name}=" for p in route.dependant.query_params)
            path = re.sub(r":path}", "}", route.path) + (f"?{query}" if query else "")
            methods = ", ".join(sorted(route.methods or ()))
            rows.append(
                f"| `{methods} {path}` | {_who(route)} | {_first_sentence(route.description)} |"
            )
    return "\n".join(rows)


def metrics() -> str:
    """What gateways count, as `/metrics` names it."""
    rows = ["| metric | what |", "| --- | --- |"]
    return "\n".join(rows + [f"| `inland_{name}` | {told} |" for name, told in HELP.items()])


def text() -> str:
    """The whole page."""
    return f"""# Reference

Made by `make fix` from the program itself; edit the program.

## Commands

Every command also takes `--home DIR` (the factory's folder), `--json` and `--help`.

{commands()}

## `factory.toml`

What a first start writes, less its limits. A name that nobody knows is refused.

```toml
{declared()}
```

### `[limits]`

A request over a limit is refused, and told which.

{limits()}

## HTTP

The token path is `POST /v1/chat/completions` and `GET /v1/models`, in OpenAI's dialect, for a
tenant's keys. The rest, on the same port, tells errors as RFC 9457 problem details. A tenant's key
sees that tenant alone; what it may not see answers 404, as does what does not exist. All of it as
OpenAPI 3.1, with every body, status and error: [openapi.json](openapi.json).

{routes()}

## Metrics of the token path

Counters end in `_total`, histograms have `_bucket`, `_sum` and `_count`; `/metrics` has gauges of
processes, replicas and the books beside them.

{metrics()}
"""


def page() -> str:
    """As it lies in the tree: no line ends in blanks."""
    return re.sub(r"[ \t]+\n", "\n", text())


def contract() -> str:
    """docs/openapi.json as it lies in the tree."""
    return json.dumps(whole(), indent=1, sort_keys=True) + "\n"


def main() -> None:
    """Write both."""
    FILE.write_text(page())
    CONTRACT.write_text(contract())


if __name__ == "__main__":
    main()

"""`sessioncache scripts list|show`: the Lua as the server gets it."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated

import typer
from rich.syntax import Syntax

from sessioncache.cli.root import WrongUsage, nearest, state_of
from sessioncache.wire.script import Script, load_script

__all__ = ["group"]

group = typer.Typer(no_args_is_help=True, help="List the Lua scripts, or show one as the server gets it.")


def script_names() -> list[str]:
    """The names of all scripts, sorted."""
    root = files("sessioncache")
    return sorted(
        f"{folder.name}.{entry.name.removesuffix('.lua')}"
        for folder in root.iterdir()
        if folder.is_dir()
        for entry in folder.iterdir()
        if entry.name.endswith(".lua")
    )


@group.command("list")
def list_(context: typer.Context) -> None:
    """List the scripts."""
    output = state_of(context).output
    scripts = [load_script(name) for name in script_names()]
    if output.as_json:
        for script in scripts:
            output.emit(_facts(script))
        return
    rows = [
        (script.name, len(script.text), script.sha[:12], script.header.summary.partition(": ")[2]) for script in scripts
    ]
    output.table(("script", "#bytes", "sha", "what it does"), rows)


@group.command()
def show(context: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Show a script as the server gets it. Its header comes first."""
    output = state_of(context).output
    if name not in script_names():
        raise WrongUsage(f"there is no script {name!r}; {nearest(name, script_names())}")
    script = load_script(name)
    if output.as_json:
        output.emit({**_facts(script), "header": _header(script), "text": script.text})
        return
    text = f"{_header(script)}\n{script.text}"
    if output.console.is_terminal:
        output.console.print(Syntax(text, "lua", background_color="default"), soft_wrap=False)
    else:
        output.write(text)


def _facts(script: Script) -> dict[str, object]:
    header = script.header
    return {
        "name": script.name,
        "sha": script.sha,
        "bytes": len(script.text),
        "summary": header.summary.partition(": ")[2],
        "keys": header.keys,
        "args": [{"name": name, "type": kind} for name, kind in header.args],
        "reply": header.reply,
        "errors": header.errors,
        "emits": header.emits,
    }


def _header(script: Script) -> str:
    lines = []
    for line in script.source.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line)
    return "\n".join(lines)

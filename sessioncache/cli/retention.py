"""`sessioncache retention show|set`: how long a namespace keeps its sessions."""

from __future__ import annotations

from contextlib import aclosing
from typing import Annotated

import typer

from sessioncache.cli.output import Output, bytes_text, duration_text
from sessioncache.cli.root import State, WrongUsage, nearest, run, state_of
from sessioncache.retention.models import RetentionPolicy

__all__ = ["group"]

group = typer.Typer(no_args_is_help=True, help="Show or change how long a namespace keeps its sessions.")


@group.command()
def show(context: typer.Context) -> None:
    """Show the namespace's policy."""
    state = state_of(context)
    _print(state.output, run(_get(state)))


@group.command("set")
def set_(
    context: typer.Context,
    changes: Annotated[list[str], typer.Argument(metavar="NAME=VALUE", help="For example ttl_ms=86400000")],
) -> None:
    """Change fields of the policy. A session gets a new TTL at its next write."""
    state = state_of(context)
    _print(state.output, run(_set(state, [_change(text) for text in changes])))


def _change(text: str) -> tuple[str, int | bool]:
    name, sign, value = text.partition("=")
    fields = RetentionPolicy.model_fields
    if not sign:
        raise WrongUsage(f"{text!r} is not NAME=VALUE; for example ttl_ms=86400000")
    if name not in fields:
        raise WrongUsage(f"there is no field {name!r}; {nearest(name, list(fields))}")
    if fields[name].annotation is bool:
        if value not in {"true", "false"}:
            raise WrongUsage(f"{name} is {value!r}; it must be true or false")
        return name, value == "true"
    if not value.isdecimal():
        raise WrongUsage(f"{name} is {value!r}; it must be a whole number, not negative")
    return name, int(value)


async def _get(state: State) -> RetentionPolicy:
    async with state.found() as cache:
        return await cache.retention.get()


async def _set(state: State, changes: list[tuple[str, int | bool]]) -> RetentionPolicy:
    async with aclosing(state.cache()) as cache:
        policy = RetentionPolicy.model_validate((await cache.retention.get()).model_dump() | dict(changes))
        await cache.retention.save(policy)
        return policy


def _print(output: Output, policy: RetentionPolicy) -> None:
    if output.as_json:
        output.emit(policy)
        return
    pairs: dict[str, object] = {}
    for name, value in policy.model_dump().items():
        text = str(value).lower()
        if name.endswith("_ms") and value:
            text += f"  ({duration_text(value)})"
        elif "bytes" in name and value:
            text += f"  ({bytes_text(value)})"
        elif value == 0 and not isinstance(value, bool):
            text += "  (never)" if name == "ttl_ms" else "  (no limit)"
        pairs[name] = text
    output.pairs(pairs)

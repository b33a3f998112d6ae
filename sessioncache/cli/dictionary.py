"""`sessioncache dictionary show|train`: what sealed messages are compressed with."""

from __future__ import annotations

from typing import Annotated

import typer

from sessioncache.cli.output import Output, bytes_text
from sessioncache.cli.root import NegativeAnswer, State, run, state_of
from sessioncache.maintenance import dictionary
from sessioncache.sealing.dictionaries import DICTIONARY_BYTES_MAX

__all__ = ["group"]

SIZE_MIN = 256

group = typer.Typer(no_args_is_help=True, help="Show or make what sealed messages are compressed with.")


@group.command()
def show(context: typer.Context) -> None:
    """Show the dictionary that the namespace seals with. Exit code 1: there is none."""
    state = state_of(context)
    found = run(_show(state))
    if found is None:
        raise NegativeAnswer(
            "the namespace has no dictionary; the job compact makes one once it pays, `dictionary train` tries now"
        )
    _print(state.output, *found)


@group.command()
def train(
    context: typer.Context,
    size: Annotated[
        int | None,
        typer.Option(
            min=SIZE_MIN, max=DICTIONARY_BYTES_MAX, help="In bytes; else the size that saves most, if any does."
        ),
    ] = None,
) -> None:
    """Make a dictionary of messages, and seal with it from now on.

    It learns from the namespace's messages. Chunks that are sealed already keep theirs. Exit code 1: there is too
    little to learn from, or it would cost more than it saves; nothing is changed then.
    """
    state = state_of(context)
    made = run(_train(state, size))
    if made is None:
        raise NegativeAnswer(
            "there is too little to learn from, or a dictionary would cost more than it saves; nothing was changed"
        )
    _print(state.output, *made)


async def _show(state: State) -> tuple[str, int] | None:
    async with state.found() as cache:
        found = await cache.upkeep.current_dictionary()
        return None if found.data is None else (found.name, len(found.data))


async def _train(state: State, size: int | None) -> tuple[str, int] | None:
    async with state.found() as cache:
        made = await dictionary.train(cache, size=size)
        return None if made is None else (made[0], len(made[1]))


def _print(output: Output, name: str, size: int) -> None:
    if output.as_json:
        output.emit({"name": name, "bytes": size})
    else:
        output.pairs({"name": name, "bytes": f"{size}  ({bytes_text(size)})"})

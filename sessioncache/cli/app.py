"""The commands put together, and the global options.

The rule of this module: each command group is a file; here is only their list.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from sessioncache.cli import (
    audit,
    dictionary,
    doctor,
    importing,
    keys,
    maintain,
    retention,
    scripts,
    sessions,
    stats,
    transcripts,
    up,
)
from sessioncache.cli.demo.command import command as demo
from sessioncache.cli.exits import EXIT_HELP
from sessioncache.cli.output import Output
from sessioncache.cli.root import Root, State

__all__ = ["app"]

app = typer.Typer(
    cls=Root,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Sessions of AI agents on Redis or Valkey: start a server, look inside, prove that it works.",
    epilog=EXIT_HELP,
)

app.command("up")(up.command)
app.command("demo")(demo)
app.command("doctor")(doctor.command)
app.command("audit")(audit.command)
app.add_typer(sessions.group, name="sessions")
app.add_typer(transcripts.group, name="transcripts")
app.command("stats")(stats.command)
app.command("keys")(keys.command)
app.command("import")(importing.command)
app.add_typer(retention.group, name="retention")
app.add_typer(maintain.group, name="maintain")
app.add_typer(dictionary.group, name="dictionary")
app.add_typer(scripts.group, name="scripts")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sessioncache {version('sessioncache')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    *,
    url: Annotated[
        str | None,
        typer.Option(
            help="Server: redis://, rediss://, unix://, redis+sentinel://, redis+cluster://; else SESSIONCACHE_URL."
        ),
    ] = None,
    namespace: Annotated[
        str | None, typer.Option(help="Whose sessions; else SESSIONCACHE_NAMESPACE, else `default`.")
    ] = None,
    shards: Annotated[
        int | None, typer.Option(help="Shards of the namespace; else SESSIONCACHE_SHARDS, else 64.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line on stdout, and nothing else there.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Sessions of AI agents on Redis or Valkey: start a server, look inside, prove that it works."""
    context.obj = State(url, namespace, shards, debug, Output(as_json=as_json))

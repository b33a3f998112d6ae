"""`sessioncache doctor`: looks at everything that can be wrong, and says for each finding what to do.

The rule of this module: unless it is asked to try a session, it changes nothing, and one finding never hides the next.
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from sessioncache.cli.findings import Check, Finding, Level
from sessioncache.cli.output import Output, hide_password, plain, safe
from sessioncache.cli.root import NegativeAnswer, run, state_of
from sessioncache.settings import Settings, check_namespace, misspelt_variables

__all__ = ["command"]

SIGNS = {Level.ok: ("✓", "green"), Level.warning: ("!", "yellow"), Level.problem: ("✗", "bold red")}


SELDOM = {Check.queue, Check.session}
"""What is looked at only where somebody asks for it: agents have no rights on the queue, and a session is a write."""


def command(
    context: typer.Context,
    namespaces: Annotated[
        list[str] | None, typer.Argument(metavar="NAMESPACE", help="Several of them; else the one of the options.")
    ] = None,
    *,
    health_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Of a worker, such as http://127.0.0.1:9464.")
    ] = None,
    only: Annotated[
        list[Check] | None,
        typer.Option(help="Look at this alone; may be given several times."),
    ] = None,
    queue_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="SESSIONCACHE_QUEUE_URL",
            help="The workers' queue, for --only queue.",
        ),
    ] = None,
    try_session: Annotated[
        bool, typer.Option("--try-session", help="Also write, read and delete a session, as `--only session` does.")
    ] = False,
) -> None:
    """Check server, settings, rights, namespace and workers. A problem is exit code 1."""
    state = state_of(context)
    settings = state.settings()
    for told in misspelt_variables({"namespaces", "queue_url"}):
        if not told.startswith("SESSIONCACHE_WORKER_"):  # workers say so themselves
            state.output.warn(told)
    wanted = frozenset(only or set(Check) - SELDOM) | ({Check.session} if try_session else set())
    findings: list[Finding] = []
    for name in namespaces or [settings.namespace]:
        named = settings.model_copy(update={"namespace": check_namespace(name)})
        findings += _look(state.output, named, wanted, (health_url, queue_url))
    problems = sorted({finding.check for finding in findings if finding.level is Level.problem})
    if problems:
        count = sum(finding.level is Level.problem for finding in findings)
        raise NegativeAnswer(f"{count} of {len(findings)} checks found a problem: {', '.join(problems)}")


def _look(
    output: Output, settings: Settings, wanted: frozenset[Check], urls: tuple[str | None, str | None]
) -> list[Finding]:
    """Examine one namespace, with the URLs of a worker's health and of the queue, and show what was found."""
    from sessioncache.cli.examination import examine

    health_url, queue_url = urls
    output.say(f"{hide_password(settings.url)}, namespace {settings.namespace}", "bold")
    findings: list[Finding] = run(examine(settings, health_url, wanted, queue_url))
    for finding in findings:
        if output.as_json:
            output.emit({"namespace": settings.namespace, **plain(finding)})
            continue
        sign, style = SIGNS[finding.level]
        output.console.print(Text.assemble((f"{sign} {finding.check:<12} ", style), safe(finding.text)))
        if finding.remedy:
            output.console.print(Text(f"  {'':<12} → {safe(finding.remedy)}", style="italic"))
    return findings

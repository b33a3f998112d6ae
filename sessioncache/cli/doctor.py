"""`sessioncache doctor`: looks at everything that can be wrong, and says for each finding what to do.

The rule of this module: it changes nothing but what any first use of a namespace writes, and one finding never hides
the next.
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from sessioncache.cli.findings import Finding, Level
from sessioncache.cli.output import safe
from sessioncache.cli.root import NegativeAnswer, run, state_of
from sessioncache.cli.up import hide_password

__all__ = ["command"]

SIGNS = {Level.ok: ("✓", "green"), Level.warning: ("!", "yellow"), Level.problem: ("✗", "bold red")}


def command(
    context: typer.Context,
    health_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Of a worker, such as http://127.0.0.1:9464.")
    ] = None,
) -> None:
    """Check server, settings, rights, namespace and workers. A problem is exit code 1."""
    from sessioncache.cli.examination import examine

    state = state_of(context)
    output = state.output
    settings = state.settings()
    output.say(f"{hide_password(settings.url)}, namespace {settings.namespace}", "bold")
    findings: list[Finding] = run(examine(settings, health_url))
    for finding in findings:
        if output.as_json:
            output.emit(finding)
            continue
        sign, style = SIGNS[finding.level]
        output.console.print(Text.assemble((f"{sign} {finding.check:<12} ", style), safe(finding.text)))
        if finding.remedy:
            output.console.print(Text(f"  {'':<12} → {safe(finding.remedy)}", style="italic"))
    problems = [finding.check for finding in findings if finding.level is Level.problem]
    if problems:
        raise NegativeAnswer(f"{len(problems)} of {len(findings)} checks found a problem: {', '.join(problems)}")

"""The list of commands that a client may need, against the scripts."""

from __future__ import annotations

import re
from pathlib import Path

import sessioncache.errors
from tests.engines import acl

SCRIPTS = Path(sessioncache.errors.__file__).parent
CALLED = re.compile(r"redis\.p?call\(\s*'([A-Za-z]+)'")


def test_every_command_of_the_scripts_is_granted() -> None:
    """Each command that a script calls is in the list, so the ACL that is documented lets the scripts run."""
    granted = {command for group in acl.COMMANDS.values() for command in group}
    called = {
        (command.lower(), str(path.relative_to(SCRIPTS)))
        for path in SCRIPTS.rglob("*.lua")
        for command in CALLED.findall(path.read_text())
    }
    assert called
    assert sorted(use for use in called if use[0] not in granted) == []


def test_no_command_is_granted_twice() -> None:
    """Each command stands once in the list."""
    commands = [command for group in acl.COMMANDS.values() for command in group]
    assert len(commands) == len(set(commands))

"""The messages that are measured with: real conversations from a file. Standard library only: every subject reads it.

The rule of this module: the same file and the same numbers give the same plan, in whichever process it is made.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import chain, count, cycle, islice
from pathlib import Path
from typing import Any, TypeAlias

__all__ = ["Message", "Share", "append_plan", "find_file", "load_plan", "read_file"]

Message: TypeAlias = dict[str, Any]
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Share:
    """What one task does in one conversation."""

    conversation: str
    messages: list[Message]


def find_file(given: Path | None = None) -> Path:
    """The conversations to measure with: those given, those beside the clone, or those that the package brings.

    Raises:
        FileNotFoundError: there are none.
    """
    beside = ROOT.parent / "shared" / "transcripts" / "airline.jsonl"
    candidates = [given] if given else [beside, *sorted((ROOT / "sessioncache").rglob("*.jsonl"))]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    raise FileNotFoundError(f"no conversations at {given or beside}; name a file with --transcripts")


def read_file(path: Path) -> list[list[Message]]:
    """The conversations of a file: JSON lines with `messages`, or one JSON array of messages.

    Raises:
        ValueError: a line that is neither, or a file without messages.
    """
    text = path.read_text(encoding="utf-8")
    if text.lstrip().startswith("["):
        conversations = [json.loads(text)]
    else:
        conversations = [_messages_of(line, number, path) for number, line in enumerate(text.splitlines(), start=1)]
    found = [messages for messages in conversations if messages]
    if not found:
        raise ValueError(f"{path} has no messages")
    return found


def _messages_of(line: str, number: int, path: Path) -> list[Message]:
    if not line.strip():
        return []
    try:
        messages = json.loads(line)["messages"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}:{number} is not a JSON object with messages: {error!r}") from error
    return list(messages)


def append_plan(conversations: list[list[Message]], *, tasks: int, operations: int) -> list[list[Share]]:
    """For each task the conversations it writes, message by message; every task writes equally many messages.

    When a task is through with a conversation it begins another one, as an agent does.
    """
    names = count()
    plan: list[list[Share]] = []
    source = cycle(conversations)
    for _ in range(tasks):
        shares: list[Share] = []
        left = max(operations // tasks, 1)
        while left > 0:
            messages = next(source)[:left]
            shares.append(Share(f"conversation-{next(names)}", messages))
            left -= len(messages)
        plan.append(shares)
    return plan


def load_plan(conversations: list[list[Message]], *, sessions: int, length: int) -> list[Share]:
    """Sessions of equal length to read from: the conversations end to end, cut every `length` messages."""
    messages = cycle(chain.from_iterable(conversations))
    return [Share(f"conversation-{number}", list(islice(messages, length))) for number in range(sessions)]

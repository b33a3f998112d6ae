"""The messages that are measured with: real conversations from a file. Standard library only: every subject reads it.

The rule of this module: the same file and the same numbers give the same plan, in whichever process it is made.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from itertools import chain, count, cycle, islice
from pathlib import Path
from typing import Any, TypeAlias

__all__ = [
    "FILE_VARIABLE",
    "Message",
    "Share",
    "append_plan",
    "find_file",
    "load_plan",
    "read_file",
    "short_plan",
    "whole_plan",
]

Message: TypeAlias = dict[str, Any]
ROOT = Path(__file__).resolve().parents[1]
FILE_VARIABLE = "BENCH_TRANSCRIPTS"
"""Environment variable that names a file of conversations."""

SHORT_CHARACTERS = 200


@dataclass(frozen=True)
class Share:
    """What one task does in one conversation."""

    conversation: str
    messages: list[Message]


def find_file(given: Path | None = None) -> Path:
    """The file to measure with: the one given, that of BENCH_TRANSCRIPTS, one beside the clone, or the package's few.

    Raises:
        FileNotFoundError: there are none.
    """
    if given is None and os.environ.get(FILE_VARIABLE):
        given = Path(os.environ[FILE_VARIABLE])
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


def whole_plan(conversations: list[list[Message]], *, sessions: int) -> list[Share]:
    """A session a conversation, from the first one again where there are more sessions."""
    return [Share(f"conversation-{n}", whole) for n, whole in enumerate(islice(cycle(conversations), sessions))]


def short_plan(conversations: list[list[Message]], *, sessions: int, length: int) -> list[Share]:
    """Sessions of a few short messages: texts of the conversations, cut to 200 characters."""
    texts = [
        {"role": message["role"], "content": message["content"][:SHORT_CHARACTERS]}
        for message in chain.from_iterable(conversations)
        if message.get("role") in {"user", "assistant"} and isinstance(message.get("content"), str)
    ]
    if not texts:
        raise ValueError("no message of the file is a text of a user or an assistant")
    messages = cycle(texts)
    return [Share(f"conversation-{number}", list(islice(messages, length))) for number in range(sessions)]

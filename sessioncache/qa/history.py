"""Entries as a conversation, for a model's prompt."""

from __future__ import annotations

from collections.abc import Iterable

from sessioncache.qa.models import QAEntry

__all__ = ["format_history", "history_messages"]


def history_messages(entries: Iterable[QAEntry]) -> list[dict[str, str]]:
    """The questions and answers as messages of a user and an assistant by turns."""
    messages = []
    for entry in entries:
        messages.append({"role": "user", "content": entry.question})
        messages.append({"role": "assistant", "content": entry.answer})
    return messages


def format_history(entries: Iterable[QAEntry], *, include_context: bool = False) -> str:
    """The questions and answers as one text, each with its time; empty where there are none."""
    lines = []
    for entry in entries:
        time = entry.created_at.strftime("%Y-%m-%d %H:%M:%S") if entry.created_at is not None else "unknown time"
        lines += [f"[{time}]", f"QUESTION: {entry.question}"]
        if include_context and entry.context:
            lines.append(f"CONTEXT: {entry.context}")
        lines += [f"ANSWER: {entry.answer}", ""]
    return "\n".join(["Previous conversation:", "", *lines]) if lines else ""

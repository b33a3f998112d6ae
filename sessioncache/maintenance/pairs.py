"""Which messages belong together: a tool's call and its result, however many messages lie in between.

The rule of this module: no I/O. The marks of stored messages say what may not be the first of a transcript; here the
ids of calls are compared as well, which needs the messages themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sessioncache.wire.cut_points import continues

__all__ = ["cut_at_most"]


def cut_at_most(messages: Sequence[Mapping[str, Any]], most: int) -> int:
    """How many of the oldest messages may go, `most` at most, so that no call is parted from its result."""
    results: dict[str, int] = {}
    """Where the last result of each call is."""
    for at, message in enumerate(messages):
        for call in _results_in(message):
            results[call] = at
    cut, reach = 0, -1
    for at, message in enumerate(messages[: most + 1]):
        # In front of this message nothing is open that is answered later.
        if at > reach and not continues(message):
            cut = at
        for call in _calls_in(message):
            reach = max(reach, results.get(call, at))
    if most >= len(messages) and reach < len(messages):
        cut = len(messages)
    return min(cut, most)


def _calls_in(message: Mapping[str, Any]) -> Iterator[str]:
    """Ids of the calls that a message makes: OpenAI's two shapes, Anthropic's and LangChain's."""
    for call in _list(message.get("tool_calls")):
        yield from _texts(call.get("id"))
    if str(message.get("type", "")).endswith("_call"):
        yield from _texts(message.get("call_id") or message.get("id"))
    for block in _list(message.get("content")):
        if block.get("type") == "tool_use":
            yield from _texts(block.get("id"))
        use = block.get("toolUse")
        if isinstance(use, Mapping):
            yield from _texts(use.get("toolUseId"))


def _results_in(message: Mapping[str, Any]) -> Iterator[str]:
    """Ids of the calls that a message answers."""
    yield from _texts(message.get("tool_call_id"))
    if str(message.get("type", "")).endswith("_call_output"):
        yield from _texts(message.get("call_id"))
    for block in _list(message.get("content")):
        if block.get("type") == "tool_result":
            yield from _texts(block.get("tool_use_id"))
        result = block.get("toolResult")
        if isinstance(result, Mapping):
            yield from _texts(result.get("toolUseId"))


def _list(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str) and value:
        yield value

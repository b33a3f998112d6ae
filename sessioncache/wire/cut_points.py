"""Where a transcript may be cut: in front of any message that does not continue the one before it.

The rule of this module: the writer decides, once, from the message's own shape, and marks the entry; whoever trims
later reads the mark and needs no JSON. A shape that is not known is a message of its own. Of messages that are written
together, the ids of calls are compared as well: what stands between a call and its result continues it.

| Shape | Continues the message before |
|---|---|
| OpenAI chat | `role: tool` (a tool's result), `role: function` |
| OpenAI responses | `type: function_call`, `function_call_output` and the other `…_call`, `…_call_output` items |
| Anthropic | a message with a `tool_result` block |
| Bedrock | a message with a `toolResult` block |
| Gemini | a message with a `functionResponse` part, also `function_response`, also inside `content` of an event |
| LangChain | `type: tool`, `type: ToolMessage`, also inside `data` of a dumped message |
| Pydantic AI | a request with a `tool-return` or `retry-prompt` part |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["calls_in", "continues", "joined_marks", "results_in"]

RESULT_BLOCKS = ("toolResult", "functionResponse", "function_response")
RESULT_PARTS = ("tool-return", "retry-prompt")


def continues(message: Mapping[str, Any]) -> bool:
    """Whether a transcript must not begin with this message."""
    if message.get("role") in ("tool", "function"):
        return True
    kind = message.get("type")
    if isinstance(kind, str) and (kind in ("tool", "ToolMessage") or kind.endswith(("_call", "_call_output"))):
        return True
    content, parts = message.get("content"), message.get("parts")
    if type(content) is str and parts is None:
        return False
    if isinstance(content, Mapping):
        parts = content.get("parts")
    return (isinstance(content, list) and any(map(_is_result, content))) or (
        isinstance(parts, list) and any(map(_is_result, parts))
    )


def _is_result(block: object) -> bool:
    if not isinstance(block, Mapping):
        return False
    return (
        block.get("type") == "tool_result"
        or block.get("part_kind") in RESULT_PARTS
        or any(name in block for name in RESULT_BLOCKS)
    )


def joined_marks(messages: Sequence[Mapping[str, Any]], marks: Sequence[str]) -> Sequence[str]:
    """Marks of messages that are written together, with those marked, too, that part a call from its result."""
    ends = zip(messages, marks, marks[1:], strict=False)
    if all(following == "m" or mark == "c" or any(calls_in(message)) for message, mark, following in ends):
        # Nearly always: results follow their calls.
        return marks
    answered: dict[str, int] = {}
    for at, message in enumerate(messages):
        for call in results_in(message):
            answered[call] = at
    joined, reach = list(marks), -1
    for at, message in enumerate(messages):
        if at <= reach:
            joined[at] = "c"
        for call in calls_in(message):
            reach = max(reach, answered.get(call, at))
    return joined


def calls_in(message: Mapping[str, Any]) -> Iterator[str]:
    """Ids of the calls that a message makes, as far as they are told: OpenAI's, Anthropic's, Bedrock's, LangChain's."""
    for call in _blocks(message.get("tool_calls")):
        yield from _texts(call.get("id"))
    kind = message.get("type")
    if isinstance(kind, str) and kind.endswith("_call"):
        yield from _texts(message.get("call_id") or message.get("id"))
    for block in _blocks(message.get("content")):
        if block.get("type") == "tool_use":
            yield from _texts(block.get("id"))
        use = block.get("toolUse")
        if isinstance(use, Mapping):
            yield from _texts(use.get("toolUseId"))


def results_in(message: Mapping[str, Any]) -> Iterator[str]:
    """Ids of the calls that a message answers, as far as they are told."""
    yield from _texts(message.get("tool_call_id"))
    kind = message.get("type")
    if isinstance(kind, str) and kind.endswith("_call_output"):
        yield from _texts(message.get("call_id"))
    for block in _blocks(message.get("content")):
        if block.get("type") == "tool_result":
            yield from _texts(block.get("tool_use_id"))
        result = block.get("toolResult")
        if isinstance(result, Mapping):
            yield from _texts(result.get("toolUseId"))


def _blocks(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str) and value:
        yield value

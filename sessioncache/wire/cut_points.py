"""Where a transcript may be cut: in front of any message that does not continue the one before it.

The rule of this module: the writer decides, once, from the message's own shape, and marks the entry; whoever trims
later reads the mark and needs no JSON. A shape that is not known is a message of its own.

| Shape | Continues the message before |
|---|---|
| OpenAI chat | `role: tool` (a tool's result), `role: function` |
| OpenAI responses | `type: function_call`, `function_call_output` and the other `…_call`, `…_call_output` items |
| Anthropic | a user message with a `tool_result` block |
| LangChain | `type: tool`, `type: ToolMessage`, also inside `data` of a dumped message |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["continues"]


def continues(message: Mapping[str, Any]) -> bool:
    """Whether a transcript must not begin with this message."""
    if message.get("role") in ("tool", "function"):
        return True
    kind = message.get("type")
    if isinstance(kind, str) and (kind in ("tool", "ToolMessage") or kind.endswith(("_call", "_call_output"))):
        return True
    content = message.get("content")
    return isinstance(content, list) and any(
        isinstance(block, Mapping) and block.get("type") == "tool_result" for block in content
    )

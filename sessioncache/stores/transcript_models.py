"""What contract 001 calls a message, a session in a list, and the part of a list that is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Discriminator, SerializerFunctionWrapHandler, Tag, model_serializer

from sessioncache.errors import InvalidArgument
from sessioncache.stores.stored_model import StoredModel

__all__ = [
    "Block",
    "ImageBlock",
    "ListOptions",
    "OtherBlock",
    "SessionRecord",
    "TextBlock",
    "ToolResultBlock",
    "ToolUseBlock",
    "TranscriptMessage",
]


class TextBlock(StoredModel):
    """Text."""

    type: Literal["text"] = "text"
    text: str


class ImageBlock(StoredModel):
    """An image: `source` is `{"type": "base64", "media_type": …, "data": …}`, or what else a model takes."""

    type: Literal["image"] = "image"
    source: dict[str, Any]


class ToolUseBlock(StoredModel):
    """A call of a tool."""

    type: Literal["tool_use"] = "tool_use"
    id: str
    name: str
    input: Any = None


class ToolResultBlock(StoredModel):
    """What a tool answered."""

    type: Literal["tool_result"] = "tool_result"
    tool_use_id: str
    content: Any = ""
    is_error: bool | None = None


class OtherBlock(StoredModel):
    """A block of a type that is not one of these; it is kept as it is."""

    type: str


KNOWN_BLOCKS = ("text", "image", "tool_use", "tool_result")


def _tag(block: object) -> str:
    found = block.get("type") if isinstance(block, dict) else getattr(block, "type", None)
    return found if found in KNOWN_BLOCKS else "other"


Block = Annotated[
    Annotated[TextBlock, Tag("text")]
    | Annotated[ImageBlock, Tag("image")]
    | Annotated[ToolUseBlock, Tag("tool_use")]
    | Annotated[ToolResultBlock, Tag("tool_result")]
    | Annotated[OtherBlock, Tag("other")],
    Discriminator(_tag),
]
"""A part of a message, told apart by its `type`."""


class TranscriptMessage(StoredModel):
    """A message: who speaks, and text or blocks. Fields that are not declared here are kept."""

    role: str
    """`user`, `assistant`, `system` or `tool`; others, which other writers of the session may use, are kept."""
    content: str | list[Block] | None = None
    name: str | None = None
    metadata: Any = None

    @model_serializer(mode="wrap")
    def _without_nulls(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Keep a null content and null metadata that were given: other contracts read absence as something else."""
        given = [name for name in ("content", "metadata") if name in self.model_fields_set]
        return super()._without_nulls(handler) | {name: None for name in given if getattr(self, name) is None}

    def text(self) -> str | None:
        """The content, if it is plain text; None for blocks."""
        return self.content if isinstance(self.content, str) else None


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session in a list."""

    id: str
    message_count: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Which part of a list to answer."""

    offset: int = 0
    """How many sessions to pass over; past the end there is nothing."""
    limit: int | None = None
    """The most sessions to answer; None: all that follow."""

    def __post_init__(self) -> None:
        """Refuse what is no count.

        Raises:
            InvalidArgument: something else, or a negative number.
        """
        for name, value in (("offset", self.offset), ("limit", self.limit)):
            if value is None and name == "limit":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise InvalidArgument(f"{name} must be a whole number of at least 0, not {value!r}")

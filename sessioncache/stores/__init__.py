"""Five contracts of session stores, each a view of the same sessions: what one saves the others list."""

from __future__ import annotations

from sessioncache.stores.transcript_async import AsyncTranscriptStore, AsyncTranscriptStoreProtocol
from sessioncache.stores.transcript_models import (
    Block,
    ImageBlock,
    ListOptions,
    OtherBlock,
    SessionRecord,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    TranscriptMessage,
)
from sessioncache.stores.transcript_sync import TranscriptStore, TranscriptStoreProtocol

__all__ = [
    "AsyncTranscriptStore",
    "AsyncTranscriptStoreProtocol",
    "Block",
    "ImageBlock",
    "ListOptions",
    "OtherBlock",
    "SessionRecord",
    "TextBlock",
    "ToolResultBlock",
    "ToolUseBlock",
    "TranscriptMessage",
    "TranscriptStore",
    "TranscriptStoreProtocol",
]

"""Five contracts of session stores, each a view of the same sessions: what one saves the others list."""

from __future__ import annotations

from sessioncache.stores.runtime_async import AsyncRuntimePersistence, AsyncRuntimePersistenceProtocol
from sessioncache.stores.runtime_models import RuntimeMessage, RuntimeSession
from sessioncache.stores.runtime_sync import RuntimePersistence, RuntimePersistenceProtocol
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
    "AsyncRuntimePersistence",
    "AsyncRuntimePersistenceProtocol",
    "AsyncTranscriptStore",
    "AsyncTranscriptStoreProtocol",
    "Block",
    "ImageBlock",
    "ListOptions",
    "OtherBlock",
    "RuntimeMessage",
    "RuntimePersistence",
    "RuntimePersistenceProtocol",
    "RuntimeSession",
    "SessionRecord",
    "TextBlock",
    "ToolResultBlock",
    "ToolUseBlock",
    "TranscriptMessage",
    "TranscriptStore",
    "TranscriptStoreProtocol",
]

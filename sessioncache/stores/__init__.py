"""Five contracts of session stores, each a view of the same sessions: what one saves the others list."""

from __future__ import annotations

from sessioncache.stores.qa_async import AsyncQAStore, AsyncQAStoreProtocol
from sessioncache.stores.qa_models import SessionQAEntry, SessionQAUpdate
from sessioncache.stores.qa_sync import QAStore, QAStoreProtocol
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
    "AsyncQAStore",
    "AsyncQAStoreProtocol",
    "AsyncRuntimePersistence",
    "AsyncRuntimePersistenceProtocol",
    "AsyncTranscriptStore",
    "AsyncTranscriptStoreProtocol",
    "Block",
    "ImageBlock",
    "ListOptions",
    "OtherBlock",
    "QAStore",
    "QAStoreProtocol",
    "RuntimeMessage",
    "RuntimePersistence",
    "RuntimePersistenceProtocol",
    "RuntimeSession",
    "SessionQAEntry",
    "SessionQAUpdate",
    "SessionRecord",
    "TextBlock",
    "ToolResultBlock",
    "ToolUseBlock",
    "TranscriptMessage",
    "TranscriptStore",
    "TranscriptStoreProtocol",
]

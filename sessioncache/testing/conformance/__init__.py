"""What every store of a contract has to do, as tests to inherit from: one class a contract and colour.

Make a class of your own whose name begins with `Test`, and give two fixtures: `store`, the store under test, empty, and
`other_store`, a second client of the same sessions.

    class TestTranscripts(AsyncTranscriptStoreConformance):
        @pytest.fixture
        async def store(self): ...

        @pytest.fixture
        async def other_store(self, store): ...

In pytest-asyncio's strict mode, mark the class with `pytest.mark.asyncio`. This package needs pytest; nothing else of
sessioncache imports it.
"""

from __future__ import annotations

from sessioncache.testing.conformance.asset_store_async import AsyncAssetStoreConformance
from sessioncache.testing.conformance.asset_store_sync import AssetStoreConformance
from sessioncache.testing.conformance.context_storage_async import AsyncContextStorageConformance
from sessioncache.testing.conformance.context_storage_sync import ContextStorageConformance
from sessioncache.testing.conformance.qa_store_async import AsyncQAStoreConformance
from sessioncache.testing.conformance.qa_store_sync import QAStoreConformance
from sessioncache.testing.conformance.runtime_persistence_async import AsyncRuntimePersistenceConformance
from sessioncache.testing.conformance.runtime_persistence_sync import RuntimePersistenceConformance
from sessioncache.testing.conformance.transcript_store_async import AsyncTranscriptStoreConformance
from sessioncache.testing.conformance.transcript_store_sync import TranscriptStoreConformance

__all__ = [
    "AssetStoreConformance",
    "AsyncAssetStoreConformance",
    "AsyncContextStorageConformance",
    "AsyncQAStoreConformance",
    "AsyncRuntimePersistenceConformance",
    "AsyncTranscriptStoreConformance",
    "ContextStorageConformance",
    "QAStoreConformance",
    "RuntimePersistenceConformance",
    "TranscriptStoreConformance",
]

"""The stores have the methods of their contracts, with the same arguments, in both colours."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from sessioncache.stores import (
    AssetStore,
    AsyncAssetStore,
    AsyncContextStorage,
    AsyncQAStore,
    AsyncRuntimePersistence,
    AsyncTranscriptStore,
    ContextStorage,
    QAStore,
    RuntimePersistence,
    TranscriptStore,
    asset_async,
    asset_sync,
    context_async,
    context_sync,
    qa_async,
    qa_sync,
    runtime_async,
    runtime_sync,
    transcript_async,
    transcript_sync,
)

STORES: list[tuple[Any, Any]] = [
    (AsyncContextStorage, context_async.AsyncContextStorageProtocol),
    (AsyncTranscriptStore, transcript_async.AsyncTranscriptStoreProtocol),
    (AsyncQAStore, qa_async.AsyncQAStoreProtocol),
    (AsyncAssetStore, asset_async.AsyncAssetStoreProtocol),
    (AsyncRuntimePersistence, runtime_async.AsyncRuntimePersistenceProtocol),
    (ContextStorage, context_sync.ContextStorageProtocol),
    (TranscriptStore, transcript_sync.TranscriptStoreProtocol),
    (QAStore, qa_sync.QAStoreProtocol),
    (AssetStore, asset_sync.AssetStoreProtocol),
    (RuntimePersistence, runtime_sync.RuntimePersistenceProtocol),
]

COUNTS = {"Context": 29, "Transcript": 5, "QA": 12, "Asset": 6, "Runtime": 9}
"""Methods of the contracts."""


def methods(kind: type) -> dict[str, Any]:
    """The public methods of a class by their names."""
    return {name: method for name, method in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}


@pytest.mark.parametrize("store, protocol", STORES)
def test_a_store_is_what_its_contract_says(store: type, protocol: type) -> None:
    """Every method of the contract is there, takes the same arguments by the same names, and is of the same colour."""
    wanted, had = methods(protocol), methods(store)
    assert wanted.keys() <= had.keys()
    (count,) = [count for name, count in COUNTS.items() if name in store.__name__]
    assert len(wanted) == count
    for name, method in wanted.items():
        parameters = [(one.name, one.kind) for one in inspect.signature(method).parameters.values()]
        assert [(one.name, one.kind) for one in inspect.signature(had[name]).parameters.values()] == parameters, name
        assert inspect.iscoroutinefunction(had[name]) == inspect.iscoroutinefunction(method), name


@pytest.mark.parametrize("at", range(5))
def test_both_colours_of_a_store_are_alike(at: int) -> None:
    """The sync store has the methods of the async one, with the same arguments and defaults."""
    first, second = methods(STORES[at][0]), methods(STORES[at + 5][0])
    assert first.keys() == second.keys()
    for name, method in first.items():
        parameters = inspect.signature(method).parameters.values()
        others = inspect.signature(second[name]).parameters.values()
        assert [(one.name, one.kind, str(one.default)) for one in parameters] == [
            (one.name, one.kind, str(one.default)) for one in others
        ], name
